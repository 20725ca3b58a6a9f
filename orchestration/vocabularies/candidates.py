"""Candidates: the concepts that a mention may be of, and what speaks for each.

Comes in: the names that a document has for a mention. Leaves: candidates, each with one number per feature.
Names with the same words, joined words or bag of words are looked up first, abbreviations only as they are
written; and only where there are none, names with similar letters that say the same or are broader.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from orchestration.vocabularies.curies import prefix_of
from orchestration.vocabularies.index import IndexedName, VocabularyIndex
from orchestration.vocabularies.names import name_keys, written_alike
from orchestration.vocabularies.similarity import letters_in_common, word_weights, words_in_common
from orchestration.vocabularies.wording import (
    is_narrower,
    is_short_form,
    is_strict,
    is_symbol,
    is_written_as,
    letter_count,
    one_explains,
    says_the_same,
)

__all__ = ["FEATURES", "Candidate", "Candidates", "Query", "features_of"]

_SIMILAR: Final = 30
"""Similar names that are looked at, per vocabulary."""
_REMEMBERED: Final = 2048
"""Names and words whose look-up is kept in memory."""

_USED: Final = {1: 2, 2: 2, 3: 3}
"""Least documents in which annotators use a name of so many letters by itself."""

_OWN: Final = (
    *(
        "written_alike",
        "same_words",
        "same_joined",
        "same_bag",
        "letters",
        "recall",
        "precision",
        "last_word",
    ),
    *(
        "preferred_name",
        "other_scope",
        "seen_name",
        "seen_share",
        "seen_for_others",
        "seen_concept",
        "rivals",
    ),
    *("long_form", "by_initials", "short", "all_words"),
)
"""Features of a candidate by itself."""
FEATURES: Final = (
    *_OWN,
    *("overlap", "overlap_to_best", "letters_to_best", "seen_to_best", "elsewhere", "is_drug", "candidates"),
    *("words", "whole_name", "whole_mention"),
)
"""What the numbers of a candidate are, in their order; `to_best`: less that of the best candidate."""


class Query(NamedTuple):
    """A name by which the concept of a mention is looked up."""

    text: str
    way: Literal["written", "defined", "initials"] = "written"
    """As the mention is written; the long form that the document defines for it; another mention of the
    document that it may abbreviate."""
    long_form: str = ""
    """What the document defines the text as: only concepts that fit it are taken."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept that a mention may be of."""

    curie: str
    name: str
    values: Mapping[str, float]
    """By feature of _OWN."""
    has_spelling: bool = False
    """A name of it has the same letters in the same case as the mention."""

    @property
    def is_exact(self) -> bool:
        """A name of it has the same words as the mention, joined or in any order."""
        return self.values["same_bag"] > 0

    def is_known_by(self, name: str, has_symbols: bool) -> bool:
        """A short name, as it is written, is one of this concept alone.

        Longer than three letters it is enough that a vocabulary has it. Of two and three annotators use it by
        itself, since SNP, BMD and MP are other things in most documents; and two are a symbol as of chemical
        elements. One letter is a symbol beside others. `has_symbols`: the document has others.
        """
        values, letters = self.values, letter_count(name)
        is_alone = values["seen_for_others"] == 0 and values["rivals"] == 0 and self.has_spelling
        if not is_alone or letters > 3:
            return is_alone
        is_used = values["seen_name"] >= math.log1p(_USED[letters])
        return is_used and (letters == 3 or is_symbol(name) or (letters == 1 and has_symbols))

    @property
    def overlap(self) -> float:
        """Harmonic mean of the shares of words in common."""
        recall, precision = self.values["recall"], self.values["precision"]
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def features_of(
    candidates: Sequence[Candidate], elsewhere: Mapping[str, int], kind: str, text: str
) -> list[tuple[float, ...]]:
    """All FEATURES of each candidate of one mention, in their order.

    `elsewhere`: other mentions of the document per concept.
    """
    best_overlap = max((each.overlap for each in candidates), default=0.0)
    best_letters = max((each.values["letters"] for each in candidates), default=0.0)
    best_seen = max((each.values["seen_concept"] for each in candidates), default=0.0)
    return [
        (
            *(each.values[name] for name in _OWN),
            each.overlap,
            each.overlap - best_overlap,
            each.values["letters"] - best_letters,
            each.values["seen_concept"] - best_seen,
            float(min(elsewhere.get(each.curie, 0), 3)),
            float(kind == "Drug"),
            math.log1p(len(candidates)),
            float(len(text.split())),
            float(each.values["precision"] > 0.999),
            float(each.values["recall"] > 0.999),
        )
        for each in candidates
    ]


class Candidates:
    """Looks up candidates in vocabularies and a lexicon. Thread-safe."""

    def __init__(self, indexes: Sequence[VocabularyIndex], lexicon: VocabularyIndex) -> None:
        """`lexicon`: names with the number of documents that use each for its concept."""
        self._indexes = [lexicon, *indexes]
        self._names = sum(index.about.names for index in self._indexes)
        self._seen = lexicon.documents()
        self._named = lru_cache(maxsize=_REMEMBERED)(self._look_up)
        self._count = lru_cache(maxsize=_REMEMBERED)(self._counted)

    def of(self, queries: Sequence[Query], kinds: frozenset[str]) -> list[Candidate]:
        """Candidates of these kinds by CURIE, each with the query that speaks most for it."""
        best: dict[str, Candidate] = {}
        for query in queries:
            for candidate in self._of_query(query, kinds):
                if query.long_form and not self._fits(candidate.curie, query.long_form):
                    continue
                present = best.get(candidate.curie)
                if present is None or _strength(candidate) > _strength(present):
                    best[candidate.curie] = candidate
        return [best[curie] for curie in sorted(best)]

    def _look_up(self, text: str) -> tuple[IndexedName, ...]:
        keys = name_keys(text)
        names = [
            name
            for index in self._indexes
            for name in index.named([keys])
            if not is_strict(name.text) or is_written_as(text, name.text)
        ]
        if not (names or is_short_form(text)):
            names = [
                name
                for index in self._indexes
                for name in index.similar(keys.words, _SIMILAR)
                if not is_short_form(name.text)
                and (says_the_same(keys.words, name.keys.words) or is_narrower(keys.words, name.keys.words))
            ]
        return tuple(dict.fromkeys(names))

    def _fits(self, curie: str, long_form: str) -> bool:
        """Whether a longer name of a concept has all content words of a long form, or the reverse."""
        words = name_keys(long_form).words
        concepts = (index.concept(curie) for index in self._indexes)
        names = (name for concept in concepts if concept for name in concept.names)
        return any(one_explains(words, name_keys(name).words) for name in names if not is_short_form(name))

    def _counted(self, word: str) -> int:
        return sum(index.word_counts([word]).get(word, 0) for index in self._indexes)

    def _of_query(self, query: Query, kinds: frozenset[str]) -> list[Candidate]:
        names: dict[str, list[IndexedName]] = defaultdict(list)
        for name in self._named(query.text):
            if kinds.intersection(name.kinds):
                names[name.curie].append(name)
        words = name_keys(query.text).words
        uses = {
            curie: max((each.documents for each in of_concept if each.keys.words == words), default=0)
            for curie, of_concept in names.items()
        }
        levels = {
            curie: max(_level(query.text, each) for each in of_concept) for curie, of_concept in names.items()
        }
        return [self._candidate(query, curie, names[curie], uses, levels) for curie in names]

    def _candidate(
        self,
        query: Query,
        curie: str,
        names: Sequence[IndexedName],
        uses: Mapping[str, int],
        levels: Mapping[str, int],
    ) -> Candidate:
        keys = name_keys(query.text)
        words = keys.words.split()
        shares = [(self._shares(words, each.keys.words.split()), each) for each in names]
        (recall, precision), nearest = max(
            shares, key=lambda pair: (sum(pair[0]), pair[1].documents, pair[1].text)
        )
        level = levels[curie]
        all_seen = sum(uses.values())
        prefix = prefix_of(curie)
        rivals = sum(
            other >= level > 0 and prefix_of(rival) == prefix
            for rival, other in levels.items()
            if rival != curie
        )
        values = (
            level >= 4,
            level >= 3,
            level >= 2,
            level >= 1,
            max(letters_in_common(keys.words, each.keys.words) for each in names),
            recall,
            precision,
            bool(words) and words[-1] in nearest.keys.words.split(),
            name_keys(nearest.concept_name).bag == keys.bag,
            all(each.scope in ("related", "narrow", "broad") for each in names),
            math.log1p(uses[curie]),
            uses[curie] / all_seen if all_seen else 0.0,
            (all_seen - uses[curie]) / all_seen if all_seen else 0.0,
            math.log1p(self._seen.get(curie, 0)),
            math.log1p(rivals),
            query.way == "defined",
            query.way == "initials",
            len(keys.joined) <= 5 and query.text.upper() == query.text,
            level > 0 or any(says_the_same(keys.words, each.keys.words) for each in names),
        )
        by_name = dict(zip(_OWN, map(float, values), strict=True))
        has_spelling = any(is_written_as(query.text, each.text) for each in names)
        return Candidate(curie, nearest.concept_name, by_name, has_spelling)

    def _shares(self, words: Sequence[str], others: Sequence[str]) -> tuple[float, float]:
        counts = {word: self._count(word) for word in {*words, *others}}
        return words_in_common(words, others, word_weights(list(counts), counts, self._names))


def _level(text: str, name: IndexedName) -> int:
    """4: written alike, 3: the same words, 2: the same joined, 1: the same bag of words, 0: similar."""
    if written_alike(text) == written_alike(name.text):
        return 4
    keys = name_keys(text)
    if keys.words == name.keys.words:
        return 3
    return 2 if keys.joined == name.keys.joined else int(keys.bag == name.keys.bag)


def _strength(candidate: Candidate) -> tuple[float, ...]:
    values = candidate.values
    return values["same_bag"], values["seen_name"], values["recall"] + values["precision"]
