"""Numbers of registered trials in texts: the link between a publication and its trial.

Input: a text. Output: each number with its place and the key of its trial. A number is taken in the forms
that the registries use; a blank behind the name of the registry is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestration.records import Span

__all__ = ["TRIAL_REGISTRIES", "trial_numbers"]

TRIAL_REGISTRIES: Final = frozenset(
    {"ACTRN", "CHICTR", "CRIS", "CTRI", "DRKS", "EUCTR", "IRCT", "ISRCTN", "NCT", "NTR", "PACTR", "REBEC",
     "RPCEC", "SLCTR", "TCTR", "UMIN"}
)  # fmt: skip
"""Prefixes of the keys of trials."""

_NUMBER: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?P<NCT>NCT[ \u00a0]?\d{8})"
    r"|(?P<ISRCTN>ISRCTN[ \u00a0]?\d{8})"
    r"|(?P<ACTRN>ACTRN[ \u00a0]?\d{14})"
    r"|(?P<DRKS>DRKS[ \u00a0]?\d{8})"
    r"|(?P<UMIN>UMIN[ \u00a0]?\d{9})"
    r"|(?P<CHICTR>ChiCTR[ \u00a0]?\d{10})"
    r"|(?P<EUCTR>(?:EudraCT(?:[ \u00a0](?:number|no\.?))?[:\u00a0 ]*|EUCTR)20\d\d-\d{6}-\d\d)"
    r")(?![0-9A-Za-z])",
    re.IGNORECASE,
)


def trial_numbers(text: str) -> Iterator[tuple[Span, str]]:
    """Places of numbers and the keys of their trials, in order."""
    for match in _NUMBER.finditer(text):
        registry = str(match.lastgroup)
        number = re.sub(r"\s", "", match[0])
        span = Span(start_char=match.start(), end_char=match.end())
        yield span, f"{registry}:{_written(registry, number)}"


def _written(registry: str, number: str) -> str:
    """The number as its registry writes it: in capitals, without what stands before EudraCT's digits."""
    if registry == "EUCTR":
        return re.sub(r"^\D+(?=20\d\d-)", "", number)
    return f"ChiCTR{number[6:]}" if registry == "CHICTR" else number.upper()
