"""Floors: the least that a figure may be, as a user writes them.

Input: `encoder:mentions.Drug.f1=0.84`, and scores by extractor. Output: each floor with its figure and
whether it is met. A floor of what is not measured raises UsageError, so that a mistyped one does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from orchestration.errors import UsageError
from orchestration.extraction.scoring.scores import ALL, FIGURES, Estimate, Score

__all__ = ["Floor", "FloorResult", "checked_floors", "parse_floor"]

_FLOOR: Final = re.compile(
    r"(?:(?P<extractor>[\w.-]+):)?(?P<measure>[a-z_]+)(?:\.(?P<kind>\w+))?\.(?P<figure>[a-z0-9]+)=(?P<least>[\d.]+)"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """`extractor` None: every extractor of which the measure is taken."""

    written: str
    extractor: str | None
    measure: str
    kind: str
    figure: str
    least: float


@dataclass(frozen=True, slots=True)
class FloorResult:
    """A floor of one extractor, with the figure that it is compared with."""

    floor: str
    extractor: str
    figure: float
    met: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def parse_floor(written: str) -> Floor:
    """A floor; raises UsageError for one that is not written as [extractor:]measure[.kind].figure=least."""
    match = _FLOOR.fullmatch(written.strip())
    figure, least = (match["figure"], match["least"]) if match else ("", "")
    if match is None or figure not in FIGURES or not _is_share(least):
        raise UsageError(
            f"floor {written!r} is not [EXTRACTOR:]MEASURE[.KIND].FIGURE=LEAST with a figure of "
            f"{', '.join(FIGURES)} and a least value of 0 to 1, e.g. mentions.f1=0.84."
        )
    return Floor(
        written.strip(), match["extractor"], match["measure"], match["kind"] or ALL, figure, float(least)
    )


def _is_share(written: str) -> bool:
    try:
        return 0 <= float(written) <= 1
    except ValueError:
        return False


def checked_floors(floors: Sequence[Floor], scores: Mapping[str, Sequence[Score]]) -> list[FloorResult]:
    """Each floor with the extractor that it names, or with each that its measure is taken of.

    Raises UsageError for a floor that nothing is measured of.
    """
    return [_checked(floor, name, scores) for floor in floors for name in _named(floor, scores)]


def _named(floor: Floor, scores: Mapping[str, Sequence[Score]]) -> list[str]:
    if floor.extractor is not None:
        return [floor.extractor]
    return [
        name for name, rows in scores.items() if any(each.measure == floor.measure for each in rows)
    ] or list(scores)[:1]


def _checked(floor: Floor, name: str, scores: Mapping[str, Sequence[Score]]) -> FloorResult:
    if name not in scores:
        raise UsageError(
            f"floor {floor.written!r} names {name!r}, which is not measured; measured: {', '.join(scores)}."
        )
    rows = {(each.measure, each.kind): each for each in scores[name]}
    row = rows.get((floor.measure, floor.kind))
    estimate: Estimate | None = getattr(row, floor.figure) if row is not None else None
    if estimate is None:
        measured = ", ".join(f"{measure}.{kind}" for measure, kind in rows)
        raise UsageError(
            f"floor {floor.written!r}: the gold has nothing to measure it with for {name}; measured: "
            f"{measured or 'nothing'}."
        )
    return FloorResult(floor.written, name, round(estimate.value, 4), estimate.value >= floor.least)
