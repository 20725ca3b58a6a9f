"""How words of biomedical English are indexed and asked for in OpenSearch.

One chain for both sides, so that a query and a text that say the same meet:
- Greek letters are spelled out: TNF-\u03b1, TNF\u03b1 and TNF-alpha are one.
- A dosage is a number and a unit: 5mg is 5 mg; \u00b5g is mcg.
- A registry number is one word: NCT 01234567 is NCT01234567.
- Words are cut at what is neither letter nor number and kept joined too: IL-6 is il, 6 and il6, which IL6
  finds.
- Case and accents make no difference; Porter's stemmer takes inflection off.
Words that were cut stay alternatives in a query: word_delimiter's kin that makes graphs would ask for all
parts together. Words that say nothing are dropped from queries, unless there are no others. Synonyms, if the
user has a file (https://docs.opensearch.org/latest/analyzers/token-filters/synonym/), widen the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestration.formats.query_words import STOP_WORDS

__all__ = ["ANALYZER", "QUERY_ANALYZER", "SYNONYM_ANALYZER", "analysis"]

ANALYZER: Final = "biomedical"
QUERY_ANALYZER: Final = "biomedical_query"
SYNONYM_ANALYZER: Final = "biomedical_synonyms"

GREEK: Final = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho
    sigma sigma tau upsilon phi chi psi omega""".split()  # noqa: SIM905 - a list would be a line a word
"""By code point; sigma has a form for the end of a word."""

NUMBERS: Final = "\u00b9\u00b2\u00b3\u00bc\u00bd\u00be"
"""Numbers below code point 256 that word_delimiter takes for signs."""

MICROGRAM: Final = ("\u00b5g=>mcg", "\u03bcg=>mcg")


def analysis(synonyms: Sequence[str]) -> dict[str, Any]:
    """The index setting `analysis`."""
    filters = ["parts", "lowercase", "asciifolding", "inflection"]
    common = {"tokenizer": "whitespace", "char_filter": ["greek", "dosage", "registry_number"]}
    analyzers: dict[str, Any] = {
        ANALYZER: {"type": "custom", **common, "filter": filters},
        QUERY_ANALYZER: {"type": "custom", **common, "filter": [*filters[:-1], "stop", "inflection"]},
    }
    added: dict[str, Any] = {}
    if synonyms:
        added = {"synonyms": {"type": "synonym_graph", "synonyms": list(synonyms), "lenient": False}}
        analyzers[SYNONYM_ANALYZER] = {
            **analyzers[ANALYZER],
            "tokenizer": "standard",  # a word that is cut cannot be part of a synonym
            "filter": ["lowercase", "asciifolding", "synonyms", "inflection"],
        }
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


def _greek() -> list[str]:
    """A rule for each Greek letter, small and capital, and the micro sign."""
    letters = [(chr(0x03B1 + place), name) for place, name in enumerate(GREEK)]
    capitals = [(letter.upper(), name) for letter, name in letters if letter != "\u03c2"]
    return [f"{letter}=>{name}" for letter, name in (*letters, *capitals, ("\u00b5", "mu"))]
