"""Where in a trace the code of a thread or task runs, and what a span is; knows nothing of OpenTelemetry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Final, Literal, NamedTuple, Protocol, Self, TypeAlias

__all__ = ["NOTHING", "NO_SPAN", "PLACE", "TRACEPARENT", "Attributes", "Place", "Span", "SpanKind"]

Value: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = Mapping[str, Value]
NOTHING: Final[Attributes] = MappingProxyType({})
SpanKind: TypeAlias = Literal["internal", "client", "server", "producer", "consumer"]

TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
"""https://www.w3.org/TR/trace-context/#traceparent-header"""


class Span(Protocol):
    """A piece of work that is being done."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def event(self, name: str, attributes: Attributes = NOTHING) -> None:
        """Add something that happened at this moment."""
        ...

    def fail(self, error_type: str) -> None:
        """Mark the work as failed; `error_type` is an error code or the name of a class, never a message."""
        ...


class _NoSpan:
    """A span while tracing is off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        return None

    def set(self, attributes: Attributes) -> None:
        """Nothing is recorded."""

    def event(self, name: str, attributes: Attributes = NOTHING) -> None:
        """Nothing is recorded."""

    def fail(self, error_type: str) -> None:
        """Nothing is recorded."""


class Place(NamedTuple):
    """Where in a trace the code of this context runs."""

    traceparent: str
    span: Span


NO_SPAN: Final = _NoSpan()
_NOWHERE: Final = Place("", NO_SPAN)
PLACE: Final[ContextVar[Place]] = ContextVar("medkg_trace", default=_NOWHERE)
"""Of this thread or task. Threads started by hand do not inherit it: see `continued`."""
