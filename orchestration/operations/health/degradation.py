"""Degradation: one thing that does not work as it should, for a person.

Comes in: nothing. Leaves: records, and the advice that belongs to an error code.
"""

from __future__ import annotations

import inspect

from pydantic import Field

from orchestration.errors import errors_by_code
from orchestration.records import Record

__all__ = ["Degradation", "advice"]


class Degradation(Record):
    """One thing that does not work as it should."""

    subject: str = Field(description="What: `breaker auto/embed`, `reader kafka`, `gate pdf-two-phase/pdf`.")
    cause: str = Field(description="Why, as far as medkg knows.")
    next_step: str = Field(description="What to do.")
    code: str = Field(default="", description="Code of errors.py, where there is one.")
    since: float | None = Field(default=None, description="Seconds since the epoch, where known.")


def advice(code: str) -> str:
    """Cause and next step of an error code, as docs/reference/errors.md has them; '' for an unknown one."""
    kind = errors_by_code().get(code)
    return " ".join((inspect.getdoc(kind) or "").split()) if kind is not None else ""
