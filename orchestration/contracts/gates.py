"""Gates and conversions in the ledger: which documents wait, for what, since when, and what moves them on.

A document comes to a gate when its window's first phase ends, and leaves it to be resumed, or as a dead
letter. A conversion turns one document's PDF into an object that the second phase parses; it is somebody
else's work, so it is a row here and nobody's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import Field

from orchestration.records import DocumentKey, Record, StageContext

Conditions = Mapping[Literal["pdf_downloaded", "pdf_ir_ready"], bool]
"""Ledger fields and the values that open a gate."""


class Gate(Record):
    """A gate of one version of a topology."""

    pipeline_name: str = Field(description="Topology.")
    pipeline_version: str = Field(description="Version of that topology.")
    name: str = Field(description="Gate of that topology.")


class PdfTaskState(StrEnum):
    """Where the conversion of a PDF stands."""

    QUEUED = "queued"
    """Asked for; no converter has it."""
    SUBMITTED = "submitted"
    """A converter has it, under its own task id."""
    DONE = "done"
    FAILED = "failed"


class AskedConverter(Record):
    """A converter as a topology asks for it."""

    name: str = Field(description="Name of the plugin, e.g. mineru.")
    options: str = Field(default="{}", description="Its options as JSON with sorted keys.")


class PdfTask(Record):
    """A PDF that is to become, or has become, a document."""

    document_id: int = Field(description="Number of the document's row: one conversion each.")
    key: DocumentKey = Field(description="The document.")
    asked: AskedConverter = Field(description="What the topology has it converted by.")
    pdf_key: str = Field(description="Object that holds the PDF.")
    ir_key: str = Field(description="Object that holds the converted document once it is done.")
    state: PdfTaskState = Field(description="Where it stands.")
    task_id: str | None = Field(default=None, description="The converter's own name of the task.")
    attempts: int = Field(default=0, ge=0, description="Submissions that failed, or were lost.")
    max_attempts: int = Field(ge=1, description="After so many it has failed.")
    error_code: str | None = Field(default=None, description="Of the last failure.")
    error_message: str | None = Field(default=None, description="The same for a person.")
    asked_at: float = Field(description="Seconds since the epoch.")
    changed_at: float = Field(description="When it came to this state, seconds since the epoch.")


class PdfTaskRequest(Record):
    """What the pdf_ir stage asks for one document."""

    ctx: StageContext = Field(description="The document.")
    pdf_key: str = Field(description="Object that holds the PDF.")
    ir_key: str = Field(description="Object that is to hold the converted document.")
    done: bool = Field(description="That object is there already: the same PDF was converted before.")


class WaitingDocument(Record):
    """A document at a gate, for a person: why it waits and since when."""

    key: DocumentKey = Field(description="The document.")
    gate: Gate = Field(description="Where it waits.")
    since: float = Field(description="When it came there, seconds since the epoch.")
    pdf_downloaded: bool = Field(description="Ledger field.")
    pdf_ir_ready: bool = Field(description="Ledger field.")
    job_id: str = Field(description="Job that brought it there.")
    correlation_id: str = Field(description="Of that job.")
    pdf_task: PdfTask | None = Field(default=None, description="What becomes of its PDF.")

    def lacks(self, conditions: Conditions) -> list[str]:
        """Fields that do not have the values asked for."""
        return [field for field, wanted in conditions.items() if getattr(self, field) != wanted]


class GateSweep(Record):
    """What one look at a gate moved."""

    opened: int = Field(default=0, ge=0, description="Documents that go on.")
    failed: int = Field(default=0, ge=0, description="Documents whose PDF could not be converted.")
    overdue: int = Field(default=0, ge=0, description="Documents that waited too long.")
    waiting: int = Field(default=0, ge=0, description="Documents that wait on.")


class GateLedger(Protocol):
    """What gates need of the ledger. Every call is one transaction."""

    def set_field(self, window_id: str, field: str, keys: Sequence[DocumentKey]) -> None:
        """Set a ledger field (pdf_downloaded, pdf_ir_ready) of documents that the window still has."""
        ...

    def wait_at(
        self, window_id: str, owner: str, gate: str, payload: str, keys: Sequence[DocumentKey]
    ) -> int:
        """Have documents that `owner` holds wait at a gate; how many.

        `payload` is the key of the artifact that the second phase begins with. LeaseLostError when the window
        passed to another run.
        """
        ...

    def payloads(self, window_id: str) -> dict[DocumentKey, str]:
        """Key of the artifact that each resumed document of the window begins with."""
        ...

    def needed_payloads(self) -> set[str]:
        """Keys of artifacts that unfinished documents still need."""
        ...

    def occupied(self, job_id: str | None = None) -> list[Gate]:
        """Gates at which documents wait; with `job_id` of documents of it that a converter was given."""
        ...

    def sweep(
        self, gate: Gate, conditions: Conditions, timeout_seconds: float, *, opens: bool = True
    ) -> GateSweep:
        """Open the gate for documents whose fields have these values, end those whose conversion failed and
        those that have waited longer than `timeout_seconds` (dead letters, DagsterGateConditionError).

        Unless it `opens` by itself: then somebody opens it by hand.
        """
        ...

    def waiting(
        self, tenant_id: str, keys: Sequence[DocumentKey] | None = None, limit: int | None = None
    ) -> list[WaitingDocument]:
        """Documents at gates, those that wait longest first."""
        ...

    def let_pass(self, waiting: Sequence[WaitingDocument]) -> int:
        """Open their gates for these documents, whatever their fields; how many still waited."""
        ...


class PdfTaskLedger(Protocol):
    """What conversions need of the ledger. Every call is one transaction."""

    def request(
        self, asked: AskedConverter, stage: str, max_attempts: int, requests: Sequence[PdfTaskRequest]
    ) -> None:
        """Note that these PDFs are to be converted, in place of what was asked for the documents before.

        Those that are done already earn pdf_ir_ready. Documents that no run has any more are left alone.
        """
        ...

    def lease(
        self, asked: AskedConverter, owner: str, most_submitted: int, is_alive: Callable[[str], bool]
    ) -> list[PdfTask]:
        """Lease to `owner` what is in a converter's hands, and queued ones so that at most `most_submitted`
        are; oldest first. Those of documents that have ended are removed. Another live owner's are left out.
        """
        ...

    def mark_submitted(self, task: PdfTask, task_id: str) -> None:
        """The converter has it."""
        ...

    def mark_done(self, task: PdfTask) -> None:
        """Its object is there: pdf_ir_ready, in the same transaction. Of no effect if it was asked anew."""
        ...

    def mark_failed(self, task: PdfTask, code: str, message: str, *, for_good: bool) -> None:
        """Counts an attempt: queued again, or failed after the last one or `for_good`."""
        ...

    def converters(self) -> list[AskedConverter]:
        """Converters that have something in hand, or are to get it."""
        ...

    def objects_of(self, keys: Sequence[DocumentKey]) -> list[str]:
        """Objects that hold the PDF or converted document of these documents and of no others."""
        ...
