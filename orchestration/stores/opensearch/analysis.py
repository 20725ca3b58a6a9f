"""How words are indexed and asked for in OpenSearch.

Our words come ready-made (`orchestration.formats.words`), for texts and queries alike, and are split at
spaces and stemmed here (Porter). Synonyms, if the user has a file
(https://docs.opensearch.org/latest/analyzers/token-filters/synonym/), widen the query; their rules are
written in the same words.

Queries that others send to the index are analysed by a chain of the server's own that makes the same of
English: Greek letters are spelled out, a dosage is a number and a unit, a registry number is one word,
words are cut at signs and kept joined too (IL-6 is il, 6 and il6), case and accents make no difference.
`word_delimiter` keeps the parts alternatives; word_delimiter_graph would ask for all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestration.formats.words import STOP_WORDS, separate_words

__all__ = ["FOREIGN_ANALYZER", "SYNONYM_ANALYZER", "WORDS_ANALYZER", "analysis"]

WORDS_ANALYZER: Final = "medkg_words"
SYNONYM_ANALYZER: Final = "medkg_synonyms"
FOREIGN_ANALYZER: Final = "biomedical"
"""Of queries that others send."""

GREEK: Final = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho
    sigma sigma tau upsilon phi chi psi omega""".split()  # noqa: SIM905 - a list would be a line a word
"""By code point; sigma has a form for the end of a word."""

NUMBERS: Final = "\u00b9\u00b2\u00b3\u00bc\u00bd\u00be"
"""Numbers below code point 256 that word_delimiter takes for signs."""

MICROGRAM: Final = ("\u00b5g=>ug", "\u03bcg=>ug", "mcg=>ug")


def analysis(synonyms: Sequence[str]) -> dict[str, Any]:
    """The index setting `analysis`."""
    whole_words = {"type": "custom", "tokenizer": "whitespace"}
    foreign = {
        "type": "custom",
        "tokenizer": "whitespace",
        "char_filter": ["greek", "dosage", "registry_number"],
        "filter": ["parts", "lowercase", "asciifolding", "stop", "inflection"],
    }
    analyzers: dict[str, Any] = {
        WORDS_ANALYZER: {**whole_words, "filter": ["inflection"]},
        FOREIGN_ANALYZER: foreign,
    }
    added: dict[str, Any] = {}
    if rules := [rule for line in synonyms if (rule := _rule(line))]:
        added = {"synonyms": {"type": "synonym_graph", "synonyms": rules, "lenient": False}}
        analyzers[SYNONYM_ANALYZER] = {**whole_words, "filter": ["synonyms", "inflection"]}
    return {
        "char_filter": {
            "greek": {"type": "mapping", "mappings": [*MICROGRAM, *_greek()]},
            "dosage": {
                "type": "pattern_replace",
                "pattern": r"(?i)(\d)(mg|mcg|ng|kg|g|ml|dl|l|iu|mmol|nmol|mol)\b",
                "replacement": "$1 $2",
            },
            "registry_number": {
                "type": "pattern_replace",
                "pattern": r"(?i)\b(NCT)[\s-]+(\d{8})\b",
                "replacement": "$1$2",
            },
        },
        "filter": {
            "parts": {
                "type": "word_delimiter",
                "catenate_all": True,
                "split_on_case_change": False,
                "split_on_numerics": False,
                "stem_english_possessive": True,
                "type_table": [f"{number} => DIGIT" for number in NUMBERS],
            },
            "inflection": {"type": "stemmer", "language": "porter"},
            "stop": {"type": "stop", "stopwords": sorted(STOP_WORDS)},
            **added,
        },
        "analyzer": analyzers,
    }


def _rule(line: str) -> str:
    """A rule in our words; '' if a side of it has none."""
    sides = [
        ", ".join(filter(None, (separate_words(term) for term in side.split(","))))
        for side in line.split("=>")
    ]
    return " => ".join(sides) if all(sides) else ""


def _greek() -> list[str]:
    """A rule for each Greek letter, small and capital, and the micro sign."""
    letters = [(chr(0x03B1 + place), name) for place, name in enumerate(GREEK)]
    capitals = [(letter.upper(), name) for letter, name in letters if letter != "\u03c2"]
    return [f"{letter}=>{name}" for letter, name in (*letters, *capitals, ("\u00b5", "mu"))]
