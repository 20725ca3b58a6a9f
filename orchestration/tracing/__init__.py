"""Traces: spans of what a process does, in one trace over processes, as OpenTelemetry.

Comes in: names and attributes of pieces of work. Leaves: spans at an OTLP collector, and the W3C trace
context that messages to other processes carry. Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set: then nothing of
OpenTelemetry is imported and a span costs a function call. A span stands for a batch, never for a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from orchestration.tracing.environment import tracing_problem, wants_traces
from orchestration.tracing.places import (
    NO_SPAN,
    NOTHING,
    PLACE,
    TRACEPARENT,
    Attributes,
    Place,
    Span,
    SpanKind,
)

if TYPE_CHECKING:
    from orchestration.tracing.export import Exporting

__all__ = [
    "Attributes",
    "Span",
    "SpanKind",
    "configure_tracing",
    "continued",
    "current_span",
    "flush",
    "is_tracing",
    "span",
    "trace_ids",
    "traceparent",
    "tracing_problem",
    "wants_traces",
]

_NO_CONTEXT: Final = nullcontext()
_exporting: Exporting | None = None


def span(
    name: str, attributes: Attributes = NOTHING, kind: SpanKind = "internal"
) -> AbstractContextManager[Span]:
    """A span around a block, the child of the one that is current; an error that leaves it fails it.

    Names are few (`stage parse`); what identifies the work goes into attributes: `medkg.*`, or the names of
    https://opentelemetry.io/docs/specs/semconv/. No attribute holds text of a document.
    """
    if _exporting is None:
        return NO_SPAN
    return _exporting.span(name, attributes, kind)


def current_span() -> Span:
    """The span that is current here, for further attributes and events."""
    return PLACE.get().span


def traceparent() -> str:
    """The W3C trace context of the current span, for a message to another process; '' without one."""
    return PLACE.get().traceparent


def trace_ids() -> tuple[str, str] | None:
    """(trace id, span id) of the current span in hexadecimal; None without one."""
    context = PLACE.get().traceparent
    return (context[3:35], context[36:52]) if context else None


def continued(traceparent: str) -> AbstractContextManager[None]:
    """Go on in the trace of a message or of another thread; '' or what is no trace context: as before."""
    return _continued(traceparent) if TRACEPARENT.fullmatch(traceparent) else _NO_CONTEXT


@contextmanager
def _continued(traceparent: str) -> Iterator[None]:
    token = PLACE.set(Place(traceparent, NO_SPAN))
    try:
        yield
    finally:
        PLACE.reset(token)


def is_tracing() -> bool:
    """Whether this process records spans."""
    return _exporting is not None


def configure_tracing(process: str) -> None:
    """Record spans of this process if the environment asks for it; called once by each process' entry.

    `process`: what it is, e.g. `host`, a part of the service's name. Where the exporter is not installed this
    logs a warning and traces stay off (`tracing_problem`).
    """
    global _exporting  # noqa: PLW0603 - as logging, it is a state of the process
    if _exporting is not None or not wants_traces():
        return
    problem = tracing_problem()
    if problem is not None:
        import structlog

        structlog.get_logger(__name__).warning("no traces", message=problem)
        return
    from orchestration.tracing.export import Exporting

    _exporting = Exporting(process)


def flush(seconds: float = 1.0) -> None:
    """Send the spans that have ended; for the end of a process. Does not wait for a collector that fails.

    At most `seconds` where the collector accepts the connection and does not answer.
    """
    if _exporting is not None:
        _exporting.flush(seconds)
