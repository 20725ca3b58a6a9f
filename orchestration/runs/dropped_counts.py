"""Counts of what the extract stage of a window dropped, from the stage to the stage's report.

Input: counts by reason per document. Output: their sum, once the stage has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

__all__ = ["DroppedCounts"]


class DroppedCounts:
    """What was dropped of the documents of the stage that runs; a document that is tried again counts once.

    dropped.note("PMC1", Counter({"quote not in the text": 2}))
    dropped.take()  # {"quote not in the text": 2}; the next stage begins with nothing
    """

    def __init__(self) -> None:
        self._of_document: dict[str, Mapping[str, int]] = {}

    def note(self, doc_id: str, counts: Mapping[str, int]) -> None:
        """Log what was dropped of a document, in place of what an earlier attempt dropped."""
        in_order = dict(sorted(counts.items()))
        structlog.get_logger(__name__).warning("not grounded, dropped", doc_id=doc_id, dropped=in_order)
        self._of_document[doc_id] = in_order

    def take(self) -> dict[str, int]:
        """Return the sum over documents by reason, and forget it."""
        sums: Counter[str] = Counter()
        for counts in self._of_document.values():
            sums.update(counts)
        self._of_document.clear()
        return dict(sorted(sums.items()))
