"""Conversions through a queue: requests go to workers elsewhere, their results come back.

Comes in: tasks of the ledger, and messages of the queue. Leaves: requests, and pdf_ir_ready in the ledger.
Workers write converted documents to the object store. The ledger decides: a result counts once, for the
attempt that asked for it; a repeated, late or unknown one is acknowledged and has no effect.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from pydantic import ValidationError

from orchestration.contracts import (
    AskedConverter,
    ConvertedPdf,
    ObjectStore,
    PdfTask,
    PdfTaskLedger,
    PdfTaskState,
)
from orchestration.contracts.pdf_queue import (
    ConversionCompleted,
    ConversionFailed,
    ConversionQueue,
    ConversionRequested,
    Delivery,
    RequestData,
)
from orchestration.errors import (
    ConversionFailedError,
    MedkgError,
    MessageRefusedError,
    UnavailableError,
    rebuilt_error,
)
from orchestration.gates.pdf_conversions import conversion_failed, pdf_gone

__all__ = ["QueuedConversions"]

OUTSTANDING: Final = 500
"""Requests of one converter, with its options, that wait in the queue or are worked on."""
MOST_RESULTS: Final = 500
"""Results taken in one sweep."""
RESULT_SECONDS: Final = 0.5
"""Wait for results in one sweep."""


class QueuedConversions:
    """ConversionDriver over a ConversionQueue. Used by one thread."""

    def __init__(
        self,
        tasks: PdfTaskLedger,
        objects: Callable[[], ObjectStore],
        queue: ConversionQueue,
        ledger: str,
        owner: str,
        is_alive: Callable[[str], bool],
    ) -> None:
        """`ledger` is its identity, which no other ledger on the topic has."""
        self._tasks = tasks
        self._objects = objects
        self._queue = queue
        self._ledger = ledger
        self._owner = owner
        self._is_alive = is_alive
        self._unrecorded: list[Delivery] = []
        self._log = structlog.get_logger(__name__)

    def drive(self, requested: AskedConverter) -> None:
        """Record results that came, of any converter, then request the queued conversions of this one."""
        self._record_results()
        tasks = self._tasks.lease(requested, self._owner, OUTSTANDING, self._is_alive)
        requests: dict[str, ConversionRequested] = {}
        for task in tasks:
            if task.state is PdfTaskState.SUBMITTED and task.task_id == self._task_id(task):
                continue
            content = self._objects().get(task.pdf_key)
            if content is None:
                conversion_failed(self._tasks, task, pdf_gone(task))
                continue
            requests[self._task_id(task)] = self._request(task, hashlib.sha256(content.data).hexdigest())
        self._queue.publish(list(requests.values()))
        for task in tasks:
            if self._task_id(task) in requests:
                self._tasks.mark_submitted(task, self._task_id(task))

    def close(self) -> None:
        """Close the queue; the next host gets what is not acknowledged."""
        self._queue.close()

    def _task_id(self, task: PdfTask) -> str:
        """The same for every request of one attempt, so that a repeated request is recognised."""
        attempt = f"{self._ledger}/{task.document_id}/{task.asked_at!r}/{task.attempts}"
        return hashlib.sha256(attempt.encode()).hexdigest()[:32]

    def _request(self, task: PdfTask, pdf_sha256: str) -> ConversionRequested:
        task_id = self._task_id(task)
        return ConversionRequested(
            id=f"{task_id}-requested",
            source=f"/medkg/{socket.gethostname()}",
            subject=task.key.doc_id,
            time=datetime.fromtimestamp(task.changed_at, UTC),
            correlationid=task.correlation_id,
            data=RequestData(
                task_id=task_id,
                document=task.key,
                converter=task.requested.name,
                options=task.requested.options,
                pdf_key=task.pdf_key,
                pdf_sha256=pdf_sha256,
                result_key=task.ir_key,
            ),
        )

    # --- results ------------------------------------------------------------------------------------

    def _record_results(self) -> None:
        """Results are acknowledged when the ledger has them all; until then they are kept here."""
        self._unrecorded += self._queue.receive(MOST_RESULTS - len(self._unrecorded), RESULT_SECONDS)
        if not self._unrecorded:
            return
        ids = {delivery.message.data.task_id for delivery in self._unrecorded}
        tasks = {task.task_id: task for task in self._tasks.submitted(sorted(ids))}
        for delivery in self._unrecorded:
            task = tasks.pop(delivery.message.data.task_id, None)
            if task is not None:  # else: recorded before, replaced, or of another ledger
                self._record(task, delivery)
        self._queue.acknowledge(self._unrecorded)
        self._unrecorded = []

    def _record(self, task: PdfTask, delivery: Delivery) -> None:
        message = delivery.message
        if isinstance(message, ConversionFailed):
            conversion_failed(self._tasks, task, _reported(message))
        elif isinstance(message, ConversionCompleted):
            if message.data.result_key != task.ir_key:
                self._queue.reject(delivery, _other_object(message, task))
                return
            try:
                self._check(task, message.data.result_sha256)
            except UnavailableError:
                raise
            except MedkgError as error:
                conversion_failed(self._tasks, task, error)
            else:
                self._tasks.mark_done(task)

    def _check(self, task: PdfTask, result_sha256: str) -> None:
        """Raise ConversionFailedError unless the object is what was reported; a damaged one is removed."""
        content = self._objects().get(task.ir_key)
        if content is None:
            raise ConversionFailedError(
                f"{task.key.doc_id}: a worker reports its PDF as converted, and {task.ir_key} is not in the "
                "object store. Give worker and host the same MEDKG_OBJECTS_URL."
            )
        try:
            if hashlib.sha256(content.data).hexdigest() == result_sha256:
                ConvertedPdf.model_validate_json(content.data)
                return
            cause = "its sha256 is not the reported one"
        except ValidationError as error:
            cause = f"it is no converted document: {error.errors(include_input=False)[0]['msg']}"
        self._objects().delete([task.ir_key])
        raise ConversionFailedError(
            f"{task.key.doc_id}: {task.ir_key}, which a worker wrote, cannot be used: {cause}. It is "
            "converted again; see the worker's log if that goes on."
        )


def _reported(message: ConversionFailed) -> MedkgError:
    """The error that a worker reports; an unknown class counts as one that may pass."""
    data = message.data
    return rebuilt_error(data.error_class, data.error_message) or ConversionFailedError(data.error_message)


def _other_object(message: ConversionCompleted, task: PdfTask) -> MessageRefusedError:
    return MessageRefusedError(
        f"{task.key.doc_id}: a worker reports {message.data.result_key}, and {task.ir_key} was requested. "
        "Correct the worker; the document waits until it answers for the requested object."
    )
