"""Spans of the plane's calls, the parents of their micro-batches in the actors.

Input: what a call is given, and its outcome. Output: a span with their sizes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from orchestration.tracing import Span, span

if TYPE_CHECKING:
    from gpu_actors.pools.rows import RowsOutcome

__all__ = ["plane_span", "set_cost"]


def plane_span(call: str, items: int) -> AbstractContextManager[Span]:
    """The span of a call."""
    return span(f"plane {call}", {"medkg.items": items}, kind="client")


def set_cost(call: Span, outcome: RowsOutcome) -> None:
    """Set the attributes of a call that has encoded rows."""
    call.set({"gen_ai.usage.input_tokens": outcome.tokens, "medkg.failed": len(outcome.errors)})
