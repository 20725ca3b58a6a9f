"""Pairs of a query and the window that answers it, neighbours from the documents alone.

Input: a Corpus. Output: queries, each with the window it belongs to: a sentence of the window (inverse
cloze task: Lee et al., arXiv:1906.00300), the document's title, a heading, its keywords. With the teacher's
vectors a sentence is also paired with the nearest other window of its document. The same corpus and seed
give the same queries.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gpu_actors.training.corpus import Corpus, Subject, content_words
from gpu_actors.training.windows import Window
from orchestration.records import Float32Matrix

__all__ = ["Kind", "Query", "queries_of", "with_neighbours"]

Kind = Literal["sentence", "neighbour", "title", "heading", "keywords"]

SENTENCES_A_WINDOW: Final = 2
LEAST_WORDS: Final = 4
"""Content words of a sentence that can be asked for."""
LEAST_NAMED: Final = 2
"""Content words of a title or heading that can be."""
QUERY_WORDS: Final = 26
FIRST_WINDOWS: Final = 3
"""Windows of a document that its title and keywords always describe; later ones now and then."""
MOST_CHARACTERS: Final = 300
"""Of a query; no more tokens either."""
LATER_SHARE: Final = 0.3
MOST_KEYWORDS: Final = 5
LEAST_COSINE: Final = 0.6
"""Between a sentence and the window that says the same in other words."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a window is asked for with."""

    kind: Kind
    text: str
    window: int
    """Position in the corpus's windows."""
    sentence: int | None
    """Which of the window's sentences it is; None: none of them."""
    vector: int
    """Row of its teacher vector."""

    @property
    def vague(self) -> bool:
        """Whether other windows of the document answer it as well."""
        return self.kind in ("title", "keywords")


def queries_of(corpus: Corpus, seed: int) -> list[Query]:
    """The queries of all windows, in order; `vector` counts them."""
    drawn = random.Random(f"{seed} queries")
    queries: list[Query] = []
    counts: dict[int, int] = defaultdict(int)
    for position, window in enumerate(corpus.windows):
        early = counts[window.document] < FIRST_WINDOWS
        counts[window.document] += 1
        of_window = _of_window(window, corpus.subjects[window.document], early, drawn)
        for kind, text, sentence in of_window:
            queries.append(Query(kind, text[:MOST_CHARACTERS], position, sentence, len(queries)))
    return queries


def with_neighbours(
    queries: Sequence[Query], corpus: Corpus, query_vectors: Float32Matrix, window_vectors: Float32Matrix
) -> list[Query]:
    """The queries, and each sentence again with the window of its document that is nearest to it.

    Unit vectors, float32 [queries, d] and [windows, d].
    """
    places = _places(corpus)
    neighbours: list[Query] = []
    for query in queries:
        first, end = places[corpus.windows[query.window].document]
        if query.kind != "sentence" or end - first == 1:
            continue
        cosines = window_vectors[first:end] @ query_vectors[query.vector]
        cosines[query.window - first] = -1
        if cosines.max() > LEAST_COSINE:
            neighbours.append(
                Query("neighbour", query.text, first + int(cosines.argmax()), None, query.vector)
            )
    return [*queries, *neighbours]


def _places(corpus: Corpus) -> dict[int, tuple[int, int]]:
    """Where each document's windows begin and end among all."""
    places: dict[int, tuple[int, int]] = {}
    for position, window in enumerate(corpus.windows):
        first, _ = places.get(window.document, (position, position))
        places[window.document] = first, position + 1
    return places


def _of_window(
    window: Window, subject: Subject, early: bool, drawn: random.Random
) -> Iterator[tuple[Kind, str, int | None]]:
    numbers = range(len(window.sentences))
    for number in sorted(drawn.sample(numbers, min(SENTENCES_A_WINDOW, len(numbers)))):
        sentence = window.sentences[number]
        if len(content_words(sentence)) >= LEAST_WORDS:
            yield "sentence", _stretch(sentence, drawn), number
    described = early or drawn.random() < LATER_SHARE
    if described and len(content_words(subject.title)) >= LEAST_NAMED:
        yield "title", subject.title, None
    if len(content_words(window.heading)) >= LEAST_NAMED:
        yield "heading", window.heading, None
    if described and subject.keywords:
        count = min(len(subject.keywords), drawn.randint(2, MOST_KEYWORDS))
        yield "keywords", ", ".join(drawn.sample(subject.keywords, count)), None


def _stretch(sentence: str, drawn: random.Random) -> str:
    """Consecutive words of a sentence, as many as a long query has."""
    words = sentence.split()
    start = drawn.randrange(max(1, len(words) - QUERY_WORDS + 1))
    return " ".join(words[start : start + QUERY_WORDS])
