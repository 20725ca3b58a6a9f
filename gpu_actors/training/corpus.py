"""Documents as training sees them: windows, and what each document says of itself.

Input: a stream of Documents, of which one is held at a time. Output: a Corpus of bounded size, whatever
the number of documents; and its two parts, one to learn from and one that is held out.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.training.recipe import Progress, Recipe, Watch
from gpu_actors.training.windows import Window, windows_of
from orchestration.errors import UsageError
from orchestration.records import Document

__all__ = ["Corpus", "Subject", "content_words", "gather", "held_apart", "require_enough"]

LEAST_TOKENS: Final = 24
"""Shorter windows say too little to be found by."""

LEAST_DOCUMENTS: Final = 8

KEYWORDS: Final = ("keywords", "mesh", "conditions")
"""Fields of a document's metadata that name what it is about."""

COMMON_SHARE: Final = 0.1
LEAST_COMMON: Final = 5
"""A keyword of more than this share of the documents, and of more than so many, names none of them."""

_WORD: Final = re.compile(r"[^\W\d_][\w-]{3,}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document says of itself."""

    doc_id: str
    source: str
    title: str
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Windows in the order of documents and text, and the subjects of their documents by number."""

    subjects: Mapping[int, Subject]
    windows: tuple[Window, ...]

    def of(self, documents: Collection[int]) -> Corpus:
        """The part of these documents."""
        return Corpus(
            {number: self.subjects[number] for number in self.subjects if number in documents},
            tuple(window for window in self.windows if window.document in documents),
        )


def content_words(text: str) -> list[str]:
    """Its words of four letters and more in lower case, in order, with repetitions."""
    return _WORD.findall(text.lower())


def gather(documents: Iterable[Document], tokenizer: TextTokenizer, recipe: Recipe, watch: Watch) -> Corpus:
    """The corpus of all documents, read once; at most `recipe.most_windows` windows, drawn evenly."""
    subjects: dict[int, Subject] = {}

    def windows() -> Iterator[Window]:
        for number, document in enumerate(documents):
            subjects[number] = _subject(document)
            watch(Progress("reading", number + 1, None, "documents"))
            for window in windows_of(document, number, tokenizer, recipe.window_tokens):
                if window.tokens >= LEAST_TOKENS:
                    yield window

    chosen = _drawn(windows(), recipe.most_windows, random.Random(f"{recipe.seed} windows"))
    named = {window.document for window in chosen}
    return Corpus(
        _distinctive({number: subject for number, subject in subjects.items() if number in named}),
        tuple(chosen),
    )


def held_apart(corpus: Corpus, share: float, seed: int) -> tuple[Corpus, Corpus]:
    """(what is learnt from, what is held out): whole documents, at least one held out unless share is 0."""
    numbers = sorted(corpus.subjects)
    count = max(1, round(share * len(numbers))) if share and len(numbers) > 1 else 0
    held = set(random.Random(f"{seed} held out").sample(numbers, count))
    return corpus.of(set(numbers) - held), corpus.of(held)


def require_enough(corpus: Corpus) -> None:
    """Raise UsageError unless there is enough text to learn from."""
    documents = len(corpus.subjects)
    if documents < LEAST_DOCUMENTS:
        raise UsageError(
            f"too little text: {documents} documents with a paragraph of {LEAST_TOKENS} tokens are left to "
            f"learn from, and at least {LEAST_DOCUMENTS} are needed; a useful model needs hundreds. Name "
            "more with --path, or raise --limit."
        )


def _subject(document: Document) -> Subject:
    listed = [document.metadata.get(field) for field in KEYWORDS]
    words = [str(word) for values in listed if isinstance(values, list | tuple) for word in values]
    return Subject(document.doc_id, document.source, document.title, tuple(dict.fromkeys(words)))


def _drawn(windows: Iterable[Window], most: int, random_: random.Random) -> list[Window]:
    """At most `most` windows of a stream, each with the same probability, in order.

    Algorithm R of Vitter, Random Sampling with a Reservoir, https://doi.org/10.1145/3147.3165.
    """
    sample: list[tuple[int, Window]] = []
    for number, window in enumerate(windows):
        if number < most:
            sample.append((number, window))
        elif (place := random_.randrange(number + 1)) < most:
            sample[place] = number, window
    return [window for _, window in sorted(sample, key=lambda pair: pair[0])]


def _distinctive(subjects: Mapping[int, Subject]) -> dict[int, Subject]:
    """The subjects without keywords that most documents share, such as "Humans"."""
    counts = Counter(word for subject in subjects.values() for word in subject.keywords)
    most = max(LEAST_COMMON, COMMON_SHARE * len(subjects))
    return {
        number: replace(subject, keywords=tuple(word for word in subject.keywords if counts[word] <= most))
        for number, subject in subjects.items()
    }
