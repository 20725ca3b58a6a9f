"""Copies of the ledger: documents of another ledger, and all tables at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from orchestration.contracts.commits import Commit
from orchestration.records import DocumentKey, Locator, Record


class Origin(Record):
    """What the ledger records of a committed document beside its commit."""

    pipeline_version: str = Field(description="Version of the topology that made it.")
    current_stage: str | None = Field(description="Last stage that was finished.")
    missing_stages: tuple[str, ...] = Field(description="Optional stages that failed.")
    source_plugin: str = Field(description="Source plugin that fetched it.")
    locator: Locator = Field(description="Location of its bytes.")
    pdf_downloaded: bool = Field(description="Whether its PDF was fetched.")
    pdf_ir_ready: bool = Field(description="Whether its PDF was parsed elsewhere.")
    created_at: float = Field(ge=0, description="Creation of its row, seconds since the epoch.")
    updated_at: float = Field(ge=0, description="Last change of its row, seconds since the epoch.")


@dataclass(frozen=True, slots=True)
class ImportedDocuments:
    """Result of an import of documents."""

    superseded: Sequence[Commit]
    """Previous commits, whose entries are to be removed from the stores."""
    not_replaced: frozenset[DocumentKey]
    """Documents that were not replaced; their staged entries are to be discarded."""


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """A table of the ledger, row by row."""

    name: str
    columns: Mapping[str, type]
    """int, float, str or bool by name; each may be None."""
    rows: Iterator[Sequence[Mapping[str, Any]]]


class CopyLedger(Protocol):
    """Copies out of the ledger and into it.

    Guarantees. Imports are one transaction, durable when they return; repeating an import of the same commits
    changes nothing. An export is one consistent view, however long reading it takes.
    """

    def origins(self, commits: Sequence[Commit]) -> list[Origin | None]:
        """Return the origin of each commit, in the same order; None where the ledger has no row."""
        ...

    def import_documents(
        self, import_id: str, copied: Sequence[tuple[Commit, Origin]], *, replace: bool
    ) -> ImportedDocuments:
        """Commit documents of another ledger, with rows as if they had been run here.

        Not replaced are documents that a run works on, and visible ones: always when version and fingerprint
        are the same, otherwise unless `replace`. Dead letters of imported documents count as replayed.
        `import_id` takes the place of a job id.
        """
        ...

    def restore_commits(self, restore_id: str, proven: Sequence[tuple[Commit, Origin]]) -> ImportedDocuments:
        """Commit documents whose entries stores hold and this ledger does not know, with their intents.

        Not replaced are documents that a run works on. Rows of the documents keep their own origin; the one
        that is passed is for those without a row.
        """
        ...

    def export_tables(self) -> AbstractContextManager[Iterator[LedgerTable]]:
        """Return every table as of one moment, to be read one after the other inside the context."""
        ...

    def import_tables(self, tables: Mapping[str, LedgerTable]) -> None:
        """Replace all rows by those of these tables, by name; new numbers continue after the largest.

        Intents without a visible document are left out, since no copy has their entries. Columns that an
        older copy lacks get the values that the migrations give them.
        """
        ...

    def is_empty(self) -> bool:
        """Return whether all tables are empty."""
        ...
