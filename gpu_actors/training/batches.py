"""Batches of pairs for the sparse training: neighbours together, so that in-batch negatives are hard.

Input: a corpus, its queries, the teacher's vectors. Output: an endless stream of batches, the same for
the same seed. A query loses some words now and then and its window the sentence that it is, so that the
model cannot live on copying.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpu_actors.training.corpus import Corpus
from gpu_actors.training.pairs import Kind, Query
from gpu_actors.training.recipe import Recipe
from orchestration.records import Float32Matrix

__all__ = ["Batch", "Pairing"]

SHARES: Final[dict[Kind, float]] = {
    "sentence": 0.45,
    "neighbour": 0.25,
    "title": 0.3,
    "keywords": 0.3,
    "heading": 0.15,
}
"""How likely a window is asked for with what, among what it has."""

CLUSTER: Final = 8
"""Windows of a batch that are near one another."""
NEAREST: Final = 32
MOST_OF_A_DOCUMENT: Final = 3
ROWS: Final = 1024
THINNED: Final = 0.6
"""Chance that words are dropped from a sentence, each then with the next chance."""
DROPPED: Final = 0.3
CUT_OUT: Final = 0.6
"""Chance that the sentence is taken out of its window."""
ASKED: Final = 0.2
"""Chance that a query is put as a question."""
OPENINGS: Final = ("Is", "Are", "Does", "Do", "Can", "Has", "What is", "How does", "Why does")


@dataclass(frozen=True, slots=True)
class Batch:
    """Queries and windows, one to one; the teacher's cosines between all of them."""

    queries: list[str]
    windows: list[str]
    teacher: Tensor
    """float32 [queries, windows]."""
    answers_too: Tensor
    """bool [queries, windows]: other windows that answer the query as well, which are no negatives."""


class Pairing:
    """Draws batches."""

    def __init__(
        self,
        corpus: Corpus,
        queries: Sequence[Query],
        query_vectors: Float32Matrix,
        window_vectors: Float32Matrix,
        recipe: Recipe,
    ) -> None:
        self._corpus = corpus
        self._queries_of: dict[int, dict[Kind, list[Query]]] = defaultdict(lambda: defaultdict(list))
        for query in queries:
            self._queries_of[query.window][query.kind].append(query)
        self._asked = sorted(self._queries_of)
        self._query_vectors = torch.from_numpy(query_vectors)
        self._window_vectors = torch.from_numpy(window_vectors)
        self._near = _nearest(self._window_vectors)
        self._size = min(recipe.batch, len(self._asked))
        self._drawn = np.random.default_rng([recipe.seed, 2])

    def batch(self) -> Batch:
        """The next batch."""
        positions = self._positions()
        chosen = [self._query(position) for position in positions]
        pairs = [self._worded(query) for query in chosen]
        cosines = self._query_vectors[[query.vector for query in chosen]] @ self._window_vectors[positions].T
        documents = torch.tensor([self._corpus.windows[position].document for position in positions])
        same = (documents[:, None] == documents) & ~torch.eye(len(positions), dtype=torch.bool)
        vague = torch.tensor([query.vague for query in chosen])
        return Batch([pair[0] for pair in pairs], [pair[1] for pair in pairs], cosines, same & vague[:, None])

    def _positions(self) -> list[int]:
        """Clusters of windows, few of one document; filled up from anywhere where that leaves too few."""
        chosen: dict[int, None] = {}
        of_document: Counter[int] = Counter()
        for position in self._candidates():
            document = self._corpus.windows[position].document
            if position not in chosen and of_document[document] < MOST_OF_A_DOCUMENT:
                chosen[position] = None
                of_document[document] += 1
            if len(chosen) == self._size:
                return list(chosen)
        rest = [position for position in self._asked if position not in chosen]
        return [*chosen, *rest[: self._size - len(chosen)]]

    def _candidates(self) -> Iterator[int]:
        """Yield a window and some similar ones, repeatedly, more often than needed."""
        for first in self._drawn.choice(self._asked, size=4 * self._size):
            yield int(first)
            near = self._drawn.permutation(self._near[first])
            candidates = (int(position) for position in near if int(position) in self._queries_of)
            for _, position in zip(range(CLUSTER - 1), candidates, strict=False):
                yield position

    def _query(self, position: int) -> Query:
        by_kind = self._queries_of[position]
        kinds = list(by_kind)
        shares = np.array([SHARES[kind] for kind in kinds])
        kind = kinds[int(self._drawn.choice(len(kinds), p=shares / shares.sum()))]
        return by_kind[kind][int(self._drawn.integers(len(by_kind[kind])))]

    def _worded(self, query: Query) -> tuple[str, str]:
        """(query, window) as they are in this batch."""
        text, window = query.text, self._corpus.windows[query.window]
        if query.kind in ("sentence", "neighbour") and self._drawn.random() < THINNED:
            words = text.split()
            retained = self._drawn.random(len(words)) >= DROPPED
            text = " ".join(word for word, keep in zip(words, retained, strict=True) if keep) or text
        if self._drawn.random() < ASKED:
            text = f"{self._drawn.choice(OPENINGS)} {text.rstrip('.')}?"
        if query.sentence is not None and self._drawn.random() < CUT_OUT:
            return text, window.without(query.sentence)
        return text, window.text


def _nearest(vectors: Tensor) -> npt.NDArray[np.int64]:
    """The windows nearest to each window, int64 [windows, up to NEAREST], itself left out."""
    count = min(NEAREST + 1, len(vectors))
    parts = [(part @ vectors.T).topk(count, dim=1).indices for part in torch.split(vectors, ROWS)]
    nearest: npt.NDArray[np.int64] = torch.cat(parts)[:, 1:].numpy()
    return nearest
