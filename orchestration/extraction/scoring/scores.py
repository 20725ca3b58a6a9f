"""Scores: precision, recall and F1 of predictions against gold, by measure and kind, with intervals.

Input: annotated documents of both sides, paired by id. Output: a Score per measure and kind, and per measure
over all kinds (micro). Intervals are of resampled documents, so mentions of one document stay together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.extraction.scoring.counting import ALL, Row, Tally, tally
from orchestration.intervals import bootstrap_intervals
from orchestration.records import AnnotatedDocument

__all__ = ["ALL", "FIGURES", "MACRO", "MEASURES", "Estimate", "Score", "paired", "score"]

MACRO: Final = "macro"
"""Kind of the row with the mean over the directions of claims, as published figures have it."""
FIGURES: Final = ("precision", "recall", "f1")
MEASURES: Final = (
    "mentions",
    "mentions_overlap",
    "links",
    "relations",
    "relation_pairs",
    "negations",
    "directions",
    "relation_evidence",
    "claims",
    "evidence",
    "evidence_characters",
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share between 0 and 1, with its 95 % interval; None ends: of fewer than two documents."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of a measure and kind; None: of nothing."""

    measure: str
    kind: str
    right: int
    predicted: int
    gold: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None

    def as_json(self) -> dict[str, Any]:
        """Counts, and each figure with the ends of its interval, rounded to 4 digits."""
        value: dict[str, Any] = {
            "measure": self.measure,
            "kind": self.kind,
            "right": self.right,
            "predicted": self.predicted,
            "gold": self.gold,
        }
        for name in FIGURES:
            estimate: Estimate | None = getattr(self, name)
            ends = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
            for suffix, number in zip(("", "_low", "_high"), ends, strict=True):
                value[name + suffix] = None if number is None else round(number, 4)
        return value


def score(
    gold: Sequence[AnnotatedDocument], predicted: Sequence[AnnotatedDocument], *, intervals: bool = True
) -> list[Score]:
    """Scores in the order of MEASURES, a row over all kinds first; the order of documents has no effect.

    Raises ValueError where both sides are not the same documents with the same texts.
    """
    pairs = paired(gold, predicted)
    undirected = {
        relation.predicate
        for pair in pairs
        for document in pair
        for relation in document.relations
        if not relation.directed
    }
    tallies = [tally(*pair, undirected) for pair in pairs]
    rows = sorted({row for each in tallies for row in each}, key=_place)
    counts = _counts(tallies, rows)
    if not rows:
        return []
    groups = _groups(rows)
    values = _figures(counts.sum(axis=0), groups)
    low = high = np.full_like(values, np.nan)
    if intervals and len(pairs) > 1:
        low, high = bootstrap_intervals(
            len(pairs), lambda positions: _figures(_resampled(counts, positions), groups)
        )
        low, high = np.fmin(low, values), np.fmax(high, values)
    whole = counts.sum(axis=0)
    return [
        _score(row, whole[members].sum(axis=0), values[number], low[number], high[number])
        for number, (row, members) in enumerate(groups)
    ]


def paired(
    gold: Sequence[AnnotatedDocument], predicted: Sequence[AnnotatedDocument]
) -> list[tuple[AnnotatedDocument, AnnotatedDocument]]:
    """The documents of both sides by id, in the order of ids; raises ValueError where they differ."""
    ours = {document.doc_id: document for document in gold}
    theirs = {document.doc_id: document for document in predicted}
    if len(ours) != len(gold) or len(theirs) != len(predicted):
        raise ValueError("a document id is repeated")
    if differing := sorted(ours.keys() ^ theirs.keys()):
        raise ValueError(f"only one side has the documents {', '.join(differing[:5])}")
    if differing := sorted(doc_id for doc_id in ours if ours[doc_id].text != theirs[doc_id].text):
        raise ValueError(f"both sides have other texts of the documents {', '.join(differing[:5])}")
    return [(ours[doc_id], theirs[doc_id]) for doc_id in sorted(ours)]


def _place(row: Row) -> tuple[int, bool, str]:
    return MEASURES.index(row.measure), row.kind != ALL, row.kind


def _counts(tallies: Sequence[Tally], rows: Sequence[Row]) -> Floats:
    """[documents, rows, (right, predicted, gold)]."""
    nothing = np.zeros(3, np.int64)
    return np.array([[each.get(row, nothing) for row in rows] for each in tallies], np.float64)


def _groups(rows: Sequence[Row]) -> list[tuple[Row, list[int]]]:
    """The rows with their positions, and a macro row with those of the directions of claims."""
    groups = [(row, [position]) for position, row in enumerate(rows)]
    directions = [
        position for position, row in enumerate(rows) if row.measure == "claims" and row.kind != ALL
    ]
    if directions:
        groups.insert(directions[0], (Row("claims", MACRO), directions))
    return groups


def _resampled(counts: Floats, positions: npt.NDArray[np.intp]) -> Floats:
    """Sums of the counts of resampled documents: [resamples, rows, 3]."""
    resamples, items = positions.shape
    flat = (positions + items * np.arange(resamples)[:, None]).ravel()
    weights = np.bincount(flat, minlength=resamples * items).reshape(resamples, items).astype(np.float64)
    return (weights @ counts.reshape(items, -1)).reshape(resamples, *counts.shape[1:])


def _figures(sums: Floats, groups: Sequence[tuple[Row, list[int]]]) -> Floats:
    """(precision, recall, F1) of sums [..., rows, 3]: [groups, 3, ...]; NaN of nothing."""
    right, predicted, gold = sums[..., 0], sums[..., 1], sums[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = np.stack([right / predicted, right / gold, 2 * right / (predicted + gold)])
    grouped = []
    for _, members in groups:
        parts = figures[..., members]
        if len(members) > 1:  # a class that is never predicted has precision 0, as in sklearn
            parts = np.where(np.isnan(parts), 0.0, parts)
        grouped.append(parts.mean(axis=-1))
    return np.stack(grouped)


def _score(row: Row, counts: Floats, values: Floats, low: Floats, high: Floats) -> Score:
    right, predicted, gold = (int(count) for count in counts)
    estimates = [_estimate(*ends) for ends in zip(values, low, high, strict=True)]
    return Score(row.measure, row.kind, right, predicted, gold, *estimates)


def _estimate(value: float, low: float, high: float) -> Estimate | None:
    if np.isnan(value):
        return None
    if np.isnan(low):
        return Estimate(float(value))
    return Estimate(float(value), float(low), float(high))
