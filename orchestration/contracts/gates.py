"""Gates and PDF conversions in the ledger: which documents wait, for what, and since when.

A document waits at a gate when the first phase of its window ends. It leaves the gate for the second phase,
or as a dead letter. A conversion turns the PDF of one document into an object that the second phase parses;
an external service does it, so the ledger keeps it as a row and no run waits for it.
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
    """State of the conversion of a PDF."""

    QUEUED = "queued"
    """Requested; no converter has it."""
    SUBMITTED = "submitted"
    """A converter has it, under its own task id."""
    DONE = "done"
    FAILED = "failed"


class AskedConverter(Record):
    """A converter with the options that a topology gives it."""

    name: str = Field(description="Name of the plugin, e.g. mineru.")
    options: str = Field(default="{}", description="Its options as JSON with sorted keys.")


class Obstacle(Record):
    """Why a document at a gate cannot move now."""

    code: str | None = Field(description="Code of the error; None: the topology wants it so.")
    message: str = Field(description="Cause and next step.")


class UnavailableConverter(Record):
    """A converter that takes no tasks now, as the process that drives it sees it."""

    requested: AskedConverter = Field(description="The converter.")
    obstacle: Obstacle = Field(description="Its last error.")

    @property
    def resource(self) -> str:
        """Its name among the resources of a host."""
        return f"PDF converter {self.requested.name}"


class PdfTask(Record):
    """The conversion of the PDF of one document."""

    document_id: int = Field(description="Number of the row of the document; one conversion per document.")
    key: DocumentKey = Field(description="The document.")
    requested: AskedConverter = Field(description="Converter that the topology names.")
    pdf_key: str = Field(description="Object that holds the PDF.")
    ir_key: str = Field(description="Object that holds the converted document once it is done.")
    state: PdfTaskState = Field(description="State.")
    task_id: str | None = Field(default=None, description="Id that the converter gave the task.")
    correlation_id: str = Field(default="", description="Links all that happens to the document in its job.")
    attempts: int = Field(default=0, ge=0, description="Submissions that failed, or were lost.")
    max_attempts: int = Field(ge=1, description="Attempts after which the conversion has failed.")
    error_code: str | None = Field(default=None, description="Of the last failure.")
    error_message: str | None = Field(default=None, description="Message of the last failure.")
    asked_at: float = Field(description="Time of the request, seconds since the epoch.")
    changed_at: float = Field(description="Time of the last change of state, seconds since the epoch.")


class PdfTaskRequest(Record):
    """Request of the pdf_ir stage for one document."""

    ctx: StageContext = Field(description="The document.")
    pdf_key: str = Field(description="Object that holds the PDF.")
    ir_key: str = Field(description="Object that will hold the converted document.")
    done: bool = Field(description="That object exists already: the same PDF was converted before.")


class WaitingDocument(Record):
    """A document that waits at a gate: since when, and for what."""

    key: DocumentKey = Field(description="The document.")
    gate: Gate = Field(description="Where it waits.")
    since: float = Field(description="Start of its wait, seconds since the epoch.")
    pdf_downloaded: bool = Field(description="Ledger field.")
    pdf_ir_ready: bool = Field(description="Ledger field.")
    job_id: str = Field(description="Job whose run brought it to the gate.")
    correlation_id: str = Field(description="Of that job.")
    pdf_task: PdfTask | None = Field(default=None, description="Conversion of its PDF, if one was requested.")

    def lacks(self, conditions: Conditions) -> list[str]:
        """Return the ledger fields whose values differ from the conditions."""
        return [field for field, wanted in conditions.items() if getattr(self, field) != wanted]


class GateSweep(Record):
    """Result of one sweep of a gate."""

    opened: int = Field(default=0, ge=0, description="Documents queued for the second phase.")
    failed: int = Field(default=0, ge=0, description="Documents whose PDF could not be converted.")
    overdue: int = Field(default=0, ge=0, description="Documents that waited longer than the time-out.")
    waiting: int = Field(default=0, ge=0, description="Documents that still wait.")


class GateLedger(Protocol):
    """Gates: documents that wait for a condition on ledger fields.

    Guarantees. Every call is one transaction, durable when it returns. A document passes its gate once,
    whichever process sweeps. Documents that a run has lost are left alone.
    """

    def set_field(self, window_id: str, field: str, keys: Sequence[DocumentKey]) -> None:
        """Set a ledger field (pdf_downloaded, pdf_ir_ready) of running documents of a window. Idempotent."""
        ...

    def wait_at(
        self, window_id: str, owner: str, gate: str, payload: str, keys: Sequence[DocumentKey]
    ) -> int:
        """Let documents that `owner` leases wait at a gate; returns their number.

        `payload` is the key of the artifact that the second phase starts with. Raises LeaseLostError when
        another run took the window.
        """
        ...

    def payloads(self, window_id: str) -> dict[DocumentKey, str]:
        """Return the key of the artifact that each document of a second-phase window starts with."""
        ...

    def needed_payloads(self) -> set[str]:
        """Return the keys of artifacts that unfinished documents still need."""
        ...

    def occupied(self, job_id: str | None = None) -> list[Gate]:
        """Return gates at which documents wait; with `job_id` those of its documents with a conversion."""
        ...

    def sweep(
        self, gate: Gate, conditions: Conditions, timeout_seconds: float, *, opens: bool = True
    ) -> GateSweep:
        """Open the gate for documents whose fields have these values, and count what changed.

        Documents whose conversion failed, or that waited longer than `timeout_seconds`, become dead letters
        (DagsterGateConditionError). With `opens` false the gate opens by `let_pass` alone.
        """
        ...

    def waiting(
        self, tenant_id: str, keys: Sequence[DocumentKey] | None = None, limit: int | None = None
    ) -> list[WaitingDocument]:
        """Return documents at gates, the longest waiting first."""
        ...

    def let_pass(self, waiting: Sequence[WaitingDocument]) -> int:
        """Open the gate for these documents whatever their fields; returns the number that still waited."""
        ...


class PdfTaskLedger(Protocol):
    """Conversions of PDFs: requested by a stage, leased by the host that drives the converter.

    Guarantees. Every call is one transaction, durable when it returns. One conversion per document: a new
    request replaces the previous one, and late news of the previous one has no effect. pdf_ir_ready is set
    in the transaction that ends the conversion.
    """

    def request(
        self, requested: AskedConverter, stage: str, max_attempts: int, requests: Sequence[PdfTaskRequest]
    ) -> None:
        """Request the conversion of these PDFs, replacing previous requests for the same documents.

        Those that are done already set pdf_ir_ready. Documents that no run works on are left alone.
        """
        ...

    def lease(
        self, requested: AskedConverter, owner: str, most_submitted: int, is_alive: Callable[[str], bool]
    ) -> list[PdfTask]:
        """Lease to `owner` the submitted tasks of a converter, and queued ones up to `most_submitted` in all.

        Oldest first. Tasks of documents that ended, and tasks that another live owner leases, are left out.
        """
        ...

    def mark_submitted(self, task: PdfTask, task_id: str) -> None:
        """Record that the converter has the task, under its `task_id`."""
        ...

    def mark_done(self, task: PdfTask) -> None:
        """Record that the object of the task exists, and set pdf_ir_ready."""
        ...

    def mark_failed(self, task: PdfTask, code: str, message: str, *, for_good: bool) -> None:
        """Count an attempt: the task is queued again, or failed after the last attempt or `for_good`."""
        ...

    def submitted(self, task_ids: Sequence[str]) -> list[PdfTask]:
        """Return the submitted tasks with these ids of documents that have not ended, under any lease."""
        ...

    def converters(self) -> list[AskedConverter]:
        """Return the converters that have queued or submitted tasks."""
        ...

    def objects_of(self, keys: Sequence[DocumentKey]) -> list[str]:
        """Return keys of objects with the PDF or converted document of these documents and of no others."""
        ...
