"""How well extraction does: scores of predictions against gold, and agreement of extractors.

Input: annotated documents of both sides (`predictions` makes them from what an extractor found). Output: per
measure and kind how much is right, precision, recall and F1 with 95 % intervals over documents. Pure: the
same documents give the same scores in any order.
"""

from orchestration.extraction.scoring.agreement import Agreement, agreement
from orchestration.extraction.scoring.floors import Floor, FloorResult, checked_floors, parse_floor
from orchestration.extraction.scoring.predictions import aligned, annotated, on_gold_mentions
from orchestration.extraction.scoring.scores import ALL, MACRO, Estimate, Score, score

__all__ = [
    "ALL",
    "MACRO",
    "Agreement",
    "Estimate",
    "Floor",
    "FloorResult",
    "Score",
    "agreement",
    "aligned",
    "annotated",
    "checked_floors",
    "on_gold_mentions",
    "parse_floor",
    "score",
]
