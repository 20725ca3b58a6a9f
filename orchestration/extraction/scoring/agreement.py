"""Agreement of two extractors over the same documents, where neither is gold.

Input: annotated documents of both. Output: F1 of mentions and relations, which needs no count of what neither
found (Hripcsak, Rothschild, JAMIA 2005, https://doi.org/10.1197/jamia.M1733), and Cohen's kappa over tokens
(Cohen 1960), each token with the kind of the mention that covers it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestration.extraction.scoring.scores import ALL, Estimate, paired, score
from orchestration.records import AnnotatedDocument

__all__ = ["Agreement", "agreement"]

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two extractors; None where neither found anything."""

    a: str
    b: str
    mentions_f1: Estimate | None
    relations_f1: Estimate | None
    kappa: float | None

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"a": self.a, "b": self.b}
        for name in ("mentions_f1", "relations_f1"):
            estimate: Estimate | None = getattr(self, name)
            value[name] = None if estimate is None else round(estimate.value, 4)
        return {**value, "kappa": None if self.kappa is None else round(self.kappa, 4)}


def agreement(
    a: str, of_a: Sequence[AnnotatedDocument], b: str, of_b: Sequence[AnnotatedDocument]
) -> Agreement:
    """Agreement of the extractors `a` and `b`; raises ValueError as `score` does."""
    f1 = {each.measure: each.f1 for each in score(of_a, of_b) if each.kind == ALL}
    return Agreement(a, b, f1.get("mentions"), f1.get("relations"), _kappa(of_a, of_b))


def _kappa(of_a: Sequence[AnnotatedDocument], of_b: Sequence[AnnotatedDocument]) -> float | None:
    both = Counter(
        labels
        for first, second in paired(of_a, of_b)
        for labels in zip(_labels(first), _labels(second), strict=True)
    )
    total = sum(both.values())
    of_first, of_second = Counter[str](), Counter[str]()
    for (first, second), count in both.items():
        of_first[first] += count
        of_second[second] += count
    expected = sum(of_first[label] * of_second[label] for label in of_first) / total**2 if total else 1.0
    if expected == 1.0:
        return None
    observed = sum(count for (first, second), count in both.items() if first == second) / total
    return (observed - expected) / (1.0 - expected)


def _labels(document: AnnotatedDocument) -> list[str]:
    """The kind at the first character of each token; '' where no mention covers it."""
    kinds = [""] * len(document.text)
    for mention in sorted(document.mentions, key=lambda each: (each.start_char - each.end_char, each.kind)):
        for place in range(mention.start_char, mention.end_char):
            kinds[place] = mention.kind
    return [kinds[match.start()] for match in _TOKEN.finditer(document.text)]
