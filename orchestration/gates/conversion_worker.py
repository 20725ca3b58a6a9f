"""The worker of the queue: converts the PDFs that hosts request, with the converters of this machine.

Comes in: requests. Leaves: converted documents under the requested keys, and a result per request. A request
is acknowledged when its result is published, so one that a killed worker had goes to another. An object that
exists already is reported as it is. An unavailable converter costs no attempt: its requests wait here.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypedDict

import structlog
from pydantic import ValidationError

from orchestration.contracts import (
    AskedConverter,
    ConversionState,
    ConversionStatus,
    ConvertedPdf,
    ObjectStore,
    PdfConverter,
)
from orchestration.contracts.pdf_queue import (
    CompletedData,
    ConversionCompleted,
    ConversionFailed,
    ConversionQueue,
    ConversionRequested,
    Delivery,
    FailedData,
)
from orchestration.errors import (
    ConversionFailedError,
    MedkgError,
    RateLimitedError,
    StageFailedError,
    UnavailableError,
)

__all__ = ["ConversionWorker"]

TURN_SECONDS: Final = 1.0
"""Wait for requests in one turn."""


class MessageContext(TypedDict):
    """Context attributes of a result."""

    id: str
    source: str
    subject: str
    time: datetime
    correlationid: str


@dataclass
class _Work:
    """A request in work."""

    request: ConversionRequested
    deliveries: list[Delivery] = field(default_factory=list)
    """More than one where it was delivered again."""
    task_id: str | None = None
    """Of the converter; None: not submitted."""

    @property
    def requested(self) -> AskedConverter:
        return AskedConverter(name=self.request.data.converter, options=self.request.data.options)


class ConversionWorker:
    """Converts what is requested until it is stopped. Used by one thread.

    Usage: `conversion_worker(assembly).run(stop)`; docs/guides/events.md has the program.
    """

    def __init__(
        self,
        queue: ConversionQueue,
        objects: ObjectStore,
        make: Callable[[AskedConverter], PdfConverter],
        name: str,
    ) -> None:
        """`make` creates a converter at its first request; `name` is the source of the results."""
        self._queue = queue
        self._objects = objects
        self._make = make
        self._name = name
        self._converters: dict[AskedConverter, PdfConverter] = {}
        self._work: dict[str, _Work] = {}
        self._log = structlog.get_logger(__name__)

    def run(self, stop: threading.Event) -> None:
        """Convert until `stop` is set; what is not ended then goes to another worker.

        An unavailable broker or object store is waited for; raises what a configuration has wrong.
        """
        try:
            while not stop.is_set():  # no-retry-loop: a consumer; each turn continues the last one
                try:
                    self.turn()
                except UnavailableError as error:
                    self._log.warning("conversions wait", code=error.code, message=error.message)
                    stop.wait(TURN_SECONDS)
        finally:
            self.close()

    def turn(self) -> None:
        """Take requests, submit them, and publish the results that are there."""
        for delivery in self._queue.receive(self._room(), TURN_SECONDS):
            request = delivery.message
            assert isinstance(request, ConversionRequested)
            work = self._work.setdefault(request.data.task_id, _Work(request))
            work.deliveries.append(delivery)
        for requested in {work.requested for work in self._work.values()}:
            self._advance(requested, [work for work in self._work.values() if work.requested == requested])

    def close(self) -> None:
        """Stop conversions that run, and leave the queue. Idempotent."""
        for requested, converter in self._converters.items():
            converter.forget(
                [work.task_id for work in self._work.values() if work.requested == requested and work.task_id]
            )
            converter.close()
        self._converters.clear()
        self._work.clear()
        self._queue.close()

    def _room(self) -> int:
        """Requests that are worth having beside those in work."""
        capacity = max((converter.capacity for converter in self._converters.values()), default=1)
        return max(0, capacity - len(self._work))

    def _advance(self, requested: AskedConverter, works: Sequence[_Work]) -> None:
        """Poll and submit the requests of one converter."""
        try:
            converter = self._converter(requested)
        except MedkgError as error:  # not installed here, or an option that it does not have
            for work in works:
                self._failed(work, error)
            return
        try:
            submitted = [work for work in works if work.task_id is not None]
            statuses = converter.poll([work.task_id or "" for work in submitted]) if submitted else ()
            for work, status in zip(submitted, statuses, strict=True):
                self._end(converter, work, status)
            for work in works:
                if work.task_id is None:
                    self._submit(converter, work)
        except (UnavailableError, RateLimitedError) as error:
            self._log.info("converter waits", converter=requested.name, message=error.message)

    def _submit(self, converter: PdfConverter, work: _Work) -> None:
        data = work.request.data
        existing = self._objects.get(data.result_key)
        if existing is not None and (converted := _converter_of(existing.data)) is not None:
            self._completed(work, existing.data, converted)
            return
        content = self._objects.get(data.pdf_key)
        if content is None or hashlib.sha256(content.data).hexdigest() != data.pdf_sha256:
            state = (
                "is not in the object store" if content is None else "has another sha256 than was requested"
            )
            self._failed(
                work,
                StageFailedError(
                    f"{data.document.doc_id}: its PDF {data.pdf_key} {state}. Give worker and host the same "
                    "MEDKG_OBJECTS_URL, then `medkg dlq replay`."
                ),
            )
            return
        try:
            with _known_errors(data.document.doc_id):
                work.task_id = converter.submit(content.data, data.document.doc_id)
        except (UnavailableError, RateLimitedError):
            raise
        except MedkgError as error:
            self._failed(work, error)

    def _end(self, converter: PdfConverter, work: _Work, status: ConversionStatus) -> None:
        """Publish the result of a conversion that has ended."""
        doc_id = work.request.data.document.doc_id
        if status.state is ConversionState.DONE:
            try:
                with _known_errors(doc_id):
                    content = converter.result(status.task_id)
            except UnavailableError:
                raise
            except MedkgError as error:
                self._failed(work, error)
            else:
                self._objects.put(work.request.data.result_key, content)
                self._completed(
                    work, content, _converter_of(content) or f"{converter.name}/{converter.version}"
                )
        elif status.state is ConversionState.FAILED:
            self._failed(work, status.error or ConversionFailedError(f"{doc_id}: no reason given."))
        else:
            return
        converter.forget([status.task_id])

    def _completed(self, work: _Work, content: bytes, converter: str) -> None:
        data = work.request.data
        self._publish(
            work,
            ConversionCompleted(
                **self._context(work, "completed"),
                data=CompletedData(
                    task_id=data.task_id,
                    document=data.document,
                    result_key=data.result_key,
                    result_sha256=hashlib.sha256(content).hexdigest(),
                    converter=converter,
                ),
            ),
        )

    def _failed(self, work: _Work, error: MedkgError) -> None:
        data = work.request.data
        self._publish(
            work,
            ConversionFailed(
                **self._context(work, "failed"),
                data=FailedData(
                    task_id=data.task_id,
                    document=data.document,
                    error_code=error.code,
                    error_class=type(error).__name__,
                    error_message=error.message,
                ),
            ),
        )

    def _context(self, work: _Work, result: str) -> MessageContext:
        return {
            "id": f"{work.request.data.task_id}-{result}",
            "source": self._name,
            "subject": work.request.subject,
            "time": datetime.now(UTC),
            "correlationid": work.request.correlationid,
        }

    def _publish(self, work: _Work, message: ConversionCompleted | ConversionFailed) -> None:
        """Publish a result, then acknowledge its request; repeated where the broker is unavailable."""
        self._queue.publish([message])
        self._work.pop(work.request.data.task_id, None)
        self._queue.acknowledge(work.deliveries)
        self._log.info(
            "conversion ended",
            document=work.request.data.document.doc_id,
            correlation_id=work.request.correlationid,
            result=message.type.rpartition(".")[2],
        )

    def _converter(self, requested: AskedConverter) -> PdfConverter:
        if requested not in self._converters:
            self._converters[requested] = self._make(requested)
        return self._converters[requested]


@contextmanager
def _known_errors(doc_id: str) -> Iterator[None]:
    """Raise what a converter raises as medkg's error, so that one PDF does not end the worker."""
    try:
        yield
    except MedkgError:
        raise
    except Exception as error:  # a converter may be a plugin
        raise StageFailedError(
            f"{doc_id}: the converter raised {type(error).__name__}: {error}. Report it to its author."
        ) from error


def _converter_of(content: bytes) -> str | None:
    """Name and version of the converter of a converted document; None for anything else."""
    try:
        document = ConvertedPdf.model_validate_json(content)
    except ValidationError:
        return None
    return f"{document.converter}/{document.converter_version}"
