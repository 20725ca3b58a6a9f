"""A converter that a test commands: what it was given, and what it is to answer."""

from __future__ import annotations

from collections.abc import Sequence

from medkg.testing.builders import a_converted_pdf, a_pdf_block
from orchestration.contracts import ConversionState, ConversionStatus
from orchestration.errors import (
    ConversionFailedError,
    ConversionLostError,
    DagsterResourceUnavailableError,
    EncryptedPdfError,
    MedkgError,
    RateLimitedError,
)


class CommandedConverter:
    """PdfConverter; its content decides: 'encrypted' is refused, 'broken' fails, 'odd' gives no result."""

    name = "commanded"
    version = "1"
    capacity = 2

    def __init__(self) -> None:
        self.away = False
        self.full = False
        self.room = 1000
        self.slow = False
        self.closed = False
        self.submitted: list[str] = []
        self.tasks: dict[str, bytes] = {}

    def restart(self) -> None:
        """Forget every task, as a service does that keeps them in memory."""
        self.tasks.clear()

    def submit(self, pdf: bytes, doc_id: str) -> str:
        self._be_there()
        if self.full or len(self.tasks) >= self.room:
            raise RateLimitedError("no more for now")
        if b"encrypted" in pdf:
            raise EncryptedPdfError(f"{doc_id} is encrypted.")
        self.submitted.append(doc_id)
        task_id = f"{doc_id}-{len(self.submitted)}"
        self.tasks[task_id] = pdf
        return task_id

    def poll(self, task_ids: Sequence[str]) -> Sequence[ConversionStatus]:
        self._be_there()
        return [self._status(task_id) for task_id in task_ids]

    def result(self, task_id: str) -> bytes:
        self._be_there()
        if b"odd" in self.tasks[task_id]:
            raise ConversionFailedError(f"{task_id}: the service gave no document.")
        return a_converted_pdf(a_pdf_block("Converted."))

    def forget(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            self.tasks.pop(task_id, None)

    def close(self) -> None:
        self.closed = True

    def _status(self, task_id: str) -> ConversionStatus:
        pdf = self.tasks.get(task_id)
        if pdf is None:
            return self._failed(task_id, ConversionLostError(f"{task_id} is not known."))
        if b"broken" in pdf:
            return self._failed(task_id, ConversionFailedError(f"{task_id}: the model failed."))
        return ConversionStatus(task_id, ConversionState.RUNNING if self.slow else ConversionState.DONE)

    def _failed(self, task_id: str, error: MedkgError) -> ConversionStatus:
        return ConversionStatus(task_id, ConversionState.FAILED, error)

    def _be_there(self) -> None:
        if self.away:
            raise DagsterResourceUnavailableError("no answer")
