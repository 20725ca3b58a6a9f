"""A tagged text: its windows with the states of their tokens, mentions as characters, and relations.

Input: reading windows, and for each the mentions and states that a tagger returned. Output: what
orchestration.contracts.TaggedText promises. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.reading_windows import ReadingWindow
from gpu_actors.encoders.extractor_files import ExtractorFiles, RelationConfiguration, Weights
from gpu_actors.encoders.relation_scoring import PieceRange, RelationScorer
from gpu_actors.encoders.tag_decoding import MentionRows
from orchestration.contracts import CharRange, ConceptSpans, ScoredRelation, TaggedSpan

__all__ = ["ReadWindow", "RelationHead", "TextOfWindows"]


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """A window as the model read it."""

    window: ReadingWindow
    mentions: MentionRows
    """Of this window alone; the row in `places` is of no account."""
    states: npt.NDArray[np.float16]
    """Last hidden states, float16 [tokens, width]."""


class RelationHead:
    """The relation model of an extractor, with its labels and threshold."""

    def __init__(self, relation: RelationConfiguration, weights: Weights) -> None:
        self.subject, self.object, self.predicate = relation.subject, relation.object, relation.predicate
        self.threshold = relation.threshold
        self.scorer = RelationScorer(weights, relation.heads)

    @classmethod
    def of(cls, files: ExtractorFiles) -> Self | None:
        """That of a model; None if it has none."""
        relation = files.configuration.relation
        return cls(relation, files.heads) if relation is not None else None


class TextOfWindows:
    """orchestration.contracts.TaggedText over windows."""

    def __init__(
        self, windows: Sequence[ReadWindow], labels: Sequence[str], head: RelationHead | None
    ) -> None:
        """`labels`: of mentions, by their numbers."""
        self._windows = windows
        self._head = head
        self.spans: Sequence[TaggedSpan] = _spans(windows, labels)
        """Mentions in order of the text; of two that overlap the longer one."""

    def relations(self, concepts: Sequence[ConceptSpans]) -> list[ScoredRelation]:
        """Every subject with every object of a window, each pair once: as its best window has it."""
        head = self._head
        if head is None:
            return []
        best: dict[tuple[int, int], ScoredRelation] = {}
        for read in self._windows:
            places = _places(read.window, concepts)
            subjects = [at for at in places if concepts[at].label == head.subject]
            objects = [at for at in places if concepts[at].label == head.object]
            if not subjects or not objects:
                continue
            logits = head.scorer.logits(
                read.states.astype(np.float32),
                [places[at] for at in subjects],
                [places[at] for at in objects],
            )
            for (row, subject), (column, object_) in product(enumerate(subjects), enumerate(objects)):
                margin = float(logits[row, column]) - head.threshold
                known = best.get((subject, object_))
                if known is None or known.margin < margin:
                    best[subject, object_] = ScoredRelation(
                        subject, object_, head.predicate, margin, read.window.chars
                    )
        return [best[pair] for pair in sorted(best)]


def _spans(windows: Sequence[ReadWindow], labels: Sequence[str]) -> list[TaggedSpan]:
    spans: list[TaggedSpan] = []
    for read in windows:
        starts, ends = read.window.starts, read.window.ends
        for (_, first, end, label), confidence in zip(
            read.mentions.places.tolist(), read.mentions.confidences.tolist(), strict=True
        ):
            spans.append(TaggedSpan(int(starts[first]), int(ends[end - 1]), labels[label], confidence))
    spans.sort(key=lambda each: (each.start_char - each.end_char, each.start_char))
    chosen: list[TaggedSpan] = []
    taken: set[int] = set()
    for span in spans:  # windows of one sentence overlap
        characters = range(span.start_char, span.end_char)
        if taken.isdisjoint(characters):
            taken.update(characters)
            chosen.append(span)
    return sorted(chosen)


def _places(window: ReadingWindow, concepts: Sequence[ConceptSpans]) -> dict[int, list[PieceRange]]:
    """The pieces of each concept's mentions in the window; concepts without any are left out."""
    places: dict[int, list[PieceRange]] = {}
    for number, concept in enumerate(concepts):
        inside = [pieces for span in concept.spans if (pieces := _pieces(window, span)) is not None]
        if inside:
            places[number] = inside
    return places


def _pieces(window: ReadingWindow, span: CharRange) -> PieceRange | None:
    """The pieces of these characters; None if the window does not read them all."""
    start, end = window.chars
    if span[0] < start or span[1] > end:
        return None
    starts, ends = window.starts[1:-1], window.ends[1:-1]
    first = int(np.searchsorted(ends, span[0], side="right"))
    last = int(np.searchsorted(starts, span[1], side="left"))
    return (first + 1, last + 1) if first < last else None
