"""Spans of commands and of the jobs that they follow.

Comes in: the command's name and, in TRACEPARENT, the trace of what called it. Leaves: the root of a trace.
Source: https://opentelemetry.io/docs/specs/otel/context/env-carriers/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import typer

from orchestration.contracts import DocumentCounts
from orchestration.errors import ExitCode
from orchestration.tracing import Span, SpanKind, configure_tracing, continued, flush, span

__all__ = ["command_span", "job_counts", "job_span"]

TRACED: Final = frozenset({"run", "submit", "search", "dlq", "docs", "gate", "graph", "eval", "reembed"})
"""Commands that are a piece of work. Those that show or keep something running have no span."""

COUNTS: Final = ("total", "committed", "failed", "skipped", "waiting", "pending")


@contextmanager
def command_span(command: str | None) -> Iterator[None]:
    """Trace a command to its end; what it sends is on its way when this returns."""
    if command not in TRACED:
        yield
        return
    configure_tracing("command")
    try:
        with (
            continued(os.environ.get("TRACEPARENT", "")),
            span(f"medkg {command}", {"process.command": command}) as traced,
        ):
            try:
                yield
            except typer.Exit as end:
                traced.set({"process.exit.code": end.exit_code})
                if end.exit_code not in (ExitCode.OK, ExitCode.SOME_FAILED, ExitCode.INTERRUPTED):
                    traced.fail(f"exit_{end.exit_code}")
                raise
    finally:
        flush()


def job_span(pipeline: str, kind: SpanKind = "internal") -> AbstractContextManager[Span]:
    """The span of a job; the windows of the job that is opened in it are its children."""
    return span("job", {"medkg.pipeline": pipeline}, kind)


def job_counts(documents: DocumentCounts) -> dict[str, int]:
    """The account of a job as attributes."""
    return {f"medkg.{name}": getattr(documents, name) for name in COUNTS}
