"""Spans through the SDK of OpenTelemetry to a collector; the only importer of opentelemetry.

Comes in: pieces of work. Leaves: OTLP over HTTP, in batches, from a thread. The sampler and the exporter
obey the standard variables. A collector that does not answer keeps nothing back: at most QUEUE spans wait,
further ones are dropped, and the log says it once.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Any, Final

import requests
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from orchestration.errors import MedkgError
from orchestration.tracing.places import NOTHING, PLACE, TRACEPARENT, Attributes, Place, SpanKind

__all__ = ["Exporting"]

QUEUE: Final = 4096
"""Spans that wait for the collector; a window of 500 documents makes some 60."""

BATCH: Final = 512
DELAY_MILLISECONDS: Final = 500
"""Spans wait so long for others; short, since processes of the plane can be ended by kill."""

TIMEOUT_SECONDS: Final = 5.0
"""Of one delivery with its repetitions, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise."""

SILENCED: Final = (
    "opentelemetry.exporter.otlp",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
)
"""Loggers that repeat for each batch what `_Delivery` logs once."""

KINDS: Final = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
    "server": trace.SpanKind.SERVER,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}


class Exporting:
    """The tracer of this process; thread-safe. A forked child goes on with an empty queue."""

    def __init__(self, process: str) -> None:
        for name in SILENCED:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._delivery = _Delivery()
        self._processor = BatchSpanProcessor(
            self._delivery,
            max_queue_size=_number("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE),
            max_export_batch_size=_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH),
            schedule_delay_millis=_number("OTEL_BSP_SCHEDULE_DELAY", DELAY_MILLISECONDS),
        )
        named = os.environ.get("OTEL_SERVICE_NAME")
        provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.namespace": "medkg",
                    "service.name": named or f"medkg-{process}",
                    "medkg.process": process,
                    "process.pid": os.getpid(),
                }
            ),
            shutdown_on_exit=False,  # it would wait for the collector; see flush
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("medkg")

    def span(self, name: str, attributes: Attributes, kind: SpanKind) -> _OpenSpan:
        """A span that starts when it is entered."""
        return _OpenSpan(self._tracer, name, attributes, kind)

    def flush(self, seconds: float) -> None:
        """Send what has ended; see tracing.flush."""
        if self._delivery.fails:
            return
        settled = threading.Event()

        def send() -> None:
            with suppress(Exception):
                self._processor.force_flush()
            settled.set()

        self._delivery.on_failure = settled.set
        threading.Thread(target=send, name="traces-flush", daemon=True).start()
        settled.wait(seconds)


class _OpenSpan:
    """A span as a context manager; used by one thread or task, events may come from others."""

    def __init__(self, tracer: trace.Tracer, name: str, attributes: Attributes, kind: SpanKind) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Token[Place] | None = None

    def __enter__(self) -> _OpenSpan:
        parent = _parent(PLACE.get().traceparent)
        self._span = self._tracer.start_span(
            self._name, context=parent, kind=KINDS[self._kind], attributes=self._attributes
        )
        self._token = PLACE.set(Place(_traceparent(self._span.get_span_context()), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._token is not None
        PLACE.reset(self._token)
        if isinstance(error, Exception):
            self.fail(error.code if isinstance(error, MedkgError) else type(error).__name__)
        elif error is not None:  # Ctrl-C, a cancelled task
            self._span.set_attribute("medkg.interrupted", True)
        self._span.end()

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def event(self, name: str, attributes: Attributes = NOTHING) -> None:
        self._span.add_event(name, dict(attributes))

    def fail(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR, error_type))


class _Delivery(SpanExporter):
    """The exporter, which logs once that the collector fails, and once that it takes spans again."""

    def __init__(self) -> None:
        self._session = _Session(self)
        timeout = any(
            os.environ.get(name)
            for name in ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
        )
        self._exporter = OTLPSpanExporter(session=self._session, timeout=None if timeout else TIMEOUT_SECONDS)
        self._log = structlog.get_logger(__name__)
        self.fails = False
        """Whether the last request failed."""
        self.on_failure: Callable[[], object] = lambda: None

    def failed(self, reason: str) -> None:
        """A request failed; the exporter may repeat it."""
        if not self.fails:
            self.fails = True
            self._log.warning(
                "traces are not delivered",
                reason=reason,
                next_step="see OTEL_EXPORTER_OTLP_ENDPOINT and its collector; ingestion does not wait for it",
            )
        self.on_failure()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS and self.fails:
            self.fails = False
            self._log.warning("traces are delivered again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class _Session(requests.Session):
    """Requests to the collector; reports each that failed, before the exporter waits to repeat it."""

    def __init__(self, delivery: _Delivery) -> None:
        super().__init__()
        self._delivery = delivery

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self._delivery.failed(type(error).__name__)  # its message has the address, maybe with a key
            raise
        if not response.ok:
            self._delivery.failed(f"status {response.status_code}")
        return response


def _parent(traceparent: str) -> Context:
    """The context with that parent; without one the span is a root."""
    if not traceparent:
        return Context()
    fields = TRACEPARENT.fullmatch(traceparent)
    assert fields is not None
    parent = SpanContext(
        int(fields.group(1), 16),
        int(fields.group(2), 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[-2:], 16)),
    )
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


def _number(name: str, default: int) -> int:
    """A number of the environment; the default where it is none."""
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() and int(value) > 0 else default
