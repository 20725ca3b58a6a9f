"""Degradation: one thing that does not work as it should, for a person.

Comes in: nothing. Leaves: records, and the advice that belongs to an error code.
"""

from __future__ import annotations

import inspect
from functools import cache

from pydantic import Field

from orchestration.errors import MedkgError
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
    return _advice().get(code, "")


@cache
def _advice() -> dict[str, str]:
    kinds: list[type[MedkgError]] = [MedkgError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    texts = {kind.code: inspect.getdoc(kind) or "" for kind in reversed(kinds)}
    return {code: " ".join(text.split()) for code, text in texts.items()}
