"""What a copy of a tenant, or of everything, asks of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from orchestration.contracts.stores import Commit
from orchestration.records import DocumentKey, Locator, Record


class Origin(Record):
    """Where a committed document came from: what the ledger knows of it beside its commit."""

    pipeline_version: str = Field(description="Version of the topology that made it.")
    current_stage: str | None = Field(description="Last stage that was finished.")
    missing_stages: tuple[str, ...] = Field(description="Optional stages that failed.")
    source_plugin: str = Field(description="Source plugin that fetched it.")
    locator: Locator = Field(description="Where its bytes were.")
    pdf_downloaded: bool = Field(description="Whether its PDF was fetched.")
    pdf_ir_ready: bool = Field(description="Whether its PDF was parsed elsewhere.")
    created_at: float = Field(ge=0, description="When the ledger first had it, seconds since the epoch.")
    updated_at: float = Field(ge=0, description="When the ledger last changed it.")


@dataclass(frozen=True, slots=True)
class ImportedDocuments:
    """What became of documents that were to be taken in."""

    superseded: Sequence[Commit]
    """Former commits, whose entries are to be cleaned."""
    kept: frozenset[DocumentKey]
    """Documents that were left as they are, so that their staged entries are to be discarded."""


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """A table of the ledger, row by row."""

    name: str
    columns: Mapping[str, type]
    """int, float, str or bool by name; each may be None."""
    rows: Iterator[Sequence[Mapping[str, Any]]]


class CopyLedger(Protocol):
    """Copies out of the ledger and into it."""

    def origins(self, commits: Sequence[Commit]) -> list[Origin | None]:
        """Of these commits' documents in the pipelines that made them, same order; None if there is none."""
        ...

    def import_documents(
        self, import_id: str, copied: Sequence[tuple[Commit, Origin]], *, replace: bool
    ) -> ImportedDocuments:
        """Commit documents that came from elsewhere, with rows as if they had been run here, in one
        transaction.

        One that a run has in hand is kept as it is, as is one that is visible: always when it is the same
        version and fingerprint, else unless `replace`. Dead letters of those that are taken need no replay
        any more. `import_id` stands in the place of a job.
        """
        ...

    def export_tables(self) -> AbstractContextManager[Iterator[LedgerTable]]:
        """Every table, all as of one moment; each to be read in turn."""
        ...

    def import_tables(self, tables: Mapping[str, LedgerTable]) -> None:
        """Replace everything by these tables, by name, in one transaction; numbers go on after the largest.

        Intents without a visible document are left out: what they wrote is in no copy.
        """
        ...

    def is_empty(self) -> bool:
        """Whether no table has a row."""
        ...
