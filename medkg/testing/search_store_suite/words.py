"""Words of any language and spelling: what is one thing is found, what is two things is not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite.builders import ANY, everything, found, keyed
from orchestration.contracts import SearchStore

LETTERS = st.characters(categories=["L", "N"]).filter(
    lambda letter: unicodedata.ucd_3_2_0.category(letter) != "Cn"
)
"""Letters and numbers that every store's Unicode tables know; SQLite's are those of Unicode 6.1."""


ONE_THING = [
    # Greek letters
    ("TNF-\u03b1 rose", "TNF\u03b1"),
    ("TNF\u03b1 rose", "TNF-alpha"),
    ("TNF alpha rose", "TNF-\u03b1"),
    ("TNFalpha rose", "TNF-\u03b1"),
    ("TGF-\u00df1", "TGF-\u03b21"),
    ("\u0392-blockers", "beta blocker"),
    ("interferon-\u03b12b", "interferon alfa-2b"),
    ("\u2206F508", "delta F508"),
    ("NF-\u03baB", "NF-kappaB"),
    ("TGF-\U0001d6fd", "TGF beta"),
    ("\u03bd\u03cc\u03c3\u03bf\u03c2", "\u039d\u039f\u03a3\u039f\u03a3"),
    # compatibility forms
    ("PaO\u2082 fell", "PaO2"),
    ("CO\u2082", "co2"),
    ("10\u2079/L platelets", "10^9/L"),
    ("Na\u207a channel", "Na+"),
    ("\ufb01brosis", "fibrosis"),
    ("e\ufb03cacy", "efficacy"),
    ("\uff21\uff29\uff24\uff33\u3000\uff11\uff12", "AIDS"),
    ("stage \u2162 disease", "stage III"),
    ("5\u338e", "5 mg"),
    ("Humira\u2122", "humira"),
    ("\U0001d5db\U0001d5dc\U0001d5e9", "HIV"),
    # invisible characters
    ("glomer\u00aduli", "glomeruli"),
    ("in\u00adflam\u00adma\u00adtion", "inflam\u200bmation"),
    ("\ufeffaspirin\u200e", "aspirin"),
    ("meta\u2060static", "metastatic"),
    # dashes, quotes, decimal points
    ("COVID\u201119", "COVID-19"),
    ("COVID\u201319", "covid19"),
    ("SARS\u2010CoV\u20102", "SARS-CoV-2"),
    ("Crohn\u2019s disease", "Crohn's"),
    ("Crohn\u00b4s disease", "Crohn"),
    ("3\u2032 UTR", "3' UTR"),
    ("ratio 0\u00b761", "0.61"),
    ("p=.034", "0.034"),
    ("1,250 patients", "1250"),
    # names, numbers and units
    ("IL-6 fell", "IL6"),
    ("aspirin 75mg daily", "75 mg"),
    ("25\u00b5g of vitamin D", "25 mcg"),
    ("25 \u03bcg of vitamin D", "25 ug"),
    ("see NCT01234567.", "NCT 01234567"),
    ("see NCT-01234567.", "nct01234567"),
    ("Alzheimer's disease", "alzheimer"),
    ("HER2/neu positive", "her2"),
    ("p53-mutated tumours", "p53"),
    ("na\u00efve patients", "naive"),
    ("S\u00f8rensen", "sorensen"),
    ("5-fluorouracil", "fluorouracil"),
    # other scripts
    ("\u0645\u0631\u0636\u0649 \u0627\u0644\u0633\u0643\u0631\u064a", "\u0633\u0643\u0631\u064a"),
    ("\u0627\u0644\u0633\u064f\u0643\u0651\u064e\u0631\u064a", "\u0627\u0644\u0633\u0643\u0631\u064a"),
    ("\u0623\u062f\u0648\u064a\u0629", "\u0627\u062f\u0648\u064a\u0647"),
    ("\u0665 mg", "5 mg"),
    ("\u4e8c\u578b\u7cd6\u5c3f\u75c5\u60a3\u8005", "\u7cd6\u5c3f\u75c5"),
    ("\u9ad8\u8840\u5727\u75c7\u306e\u60a3\u8005", "\u9ad8\u8840\u5727"),
    ("\uff71\uff7d\uff8b\uff9f\uff98\uff9d", "\u30a2\u30b9\u30d4\u30ea\u30f3"),
    ("\ub2f9\ub1e8\ubcd1\uc5d0 \ub300\ud55c", "\ub2f9\ub1e8\ubcd1"),
    ("\u1103\u1161\u11bc\u1102\u116d", "\ub2f9\ub1e8"),
    (
        "\u0e42\u0e23\u0e04\u0e40\u0e1a\u0e32\u0e2b\u0e27\u0e32\u0e19",
        "\u0e40\u0e1a\u0e32\u0e2b\u0e27\u0e32\u0e19",
    ),
    ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
]
"""What is written in two ways and is one thing; each finds the other."""

TWO_THINGS = [
    ("1.25 mg", "125"),
    ("IL-6", "IL16"),
    ("2019-001", "2019001"),
    ("Stra\u00dfe", "beta"),
    ("\u03bd\u03cc\u03c3\u03bf\u03c2", "nu"),
]


class WordSuite:
    """Promises of `bm25` on queries and texts; part of SearchStoreSuite."""

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "   ",
            "?!",
            '"',
            '""" OR',
            "AND OR NOT NEAR",
            "NEAR(a b, 2)",
            "body:sleep",
            "{titles body}: sleep",
            "-sleep",
            "^sleep*",
            "sleep) OR (1=1",
            "'; DROP TABLE chunks; --",
            "_ __ ²",
            "\x00sleep\x00",
            "日本 हिन्दी",
            "e\u0301",
            "\ud800 sleep",
            "sleep " * 5000,
            "sleep" + "x" * 100_000 + " sleep",
            "a-" * 50_000 + " sleep",
            "?" * 100_000,
            "\U0001f600\u200d\u2764\ufe0f",
            "\U0001f600 sleep \udcff\x00\x1b[2J",
            "sleep\u202e\u0000\ufeff",
            "\u4e8c" * 30_000,
        ],
    )
    def test_nothing_a_person_types_is_syntax(self, store: SearchStore, query: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
        candidates = store.bm25(TENANT, query, 10, ANY, everything)
        assert len(candidates) == ("sleep" in query)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(query=st.text(max_size=60))
    def test_any_text_is_a_query(self, store: SearchStore, query: str) -> None:
        store.bm25(TENANT, query, 10, ANY, everything)

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=st.text(LETTERS, min_size=1, max_size=20))
    def test_a_chunk_is_found_by_its_own_word(self, store: SearchStore, body: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of(body)), None)
        assert len(store.bm25(TENANT, body, 10, ANY, everything)) == 1

    @pytest.mark.parametrize(("text", "query"), ONE_THING)
    def test_two_ways_to_write_one_thing_meet(self, store: SearchStore, text: str, query: str) -> None:
        other = chunks_of("walking improved sleep", doc_id="other")
        store.write(TENANT, "i1", keyed(chunks_of(text, doc_id="meant"), other), None)
        assert found(store.bm25(TENANT, query, 10, ANY, everything)) == ["meant"]
        store.write(TENANT, "i1", keyed(chunks_of(query, doc_id="meant"), other), None)
        assert found(store.bm25(TENANT, text, 10, ANY, everything)) == ["meant"]

    @pytest.mark.parametrize(("text", "query"), TWO_THINGS)
    def test_two_things_do_not_meet(self, store: SearchStore, text: str, query: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of(text, doc_id="meant")), None)
        assert store.bm25(TENANT, query, 10, ANY, everything) == []

    def test_words_are_found_in_scripts_without_spaces_best_match_first(self, store: SearchStore) -> None:
        documents = [
            chunks_of("\u4e8c\u578b\u7cd6\u5c3f\u75c5\u60a3\u8005", doc_id="diabetes"),
            chunks_of("\u5c3f\u75c5\u5b66\u7684\u7814\u7a76\u4e2d\u5fc3", doc_id="half"),
            chunks_of("\u9ad8\u8840\u5727\u75c7\u306e\u60a3\u8005", doc_id="pressure"),
        ]
        store.write(TENANT, "i1", keyed(*documents), None)
        assert found(store.bm25(TENANT, "\u7cd6\u5c3f\u75c5", 10, ANY, everything)) == ["diabetes", "half"]
        assert found(store.bm25(TENANT, "\u75c7", 10, ANY, everything)) == ["pressure"]

    def test_words_that_say_nothing_are_dropped_from_queries(self, store: SearchStore) -> None:
        chatty = chunks_of("what is it that they have been doing with the", doc_id="chatty")
        store.write(TENANT, "i1", keyed(chatty, chunks_of("aspirin", doc_id="meant")), None)
        assert found(store.bm25(TENANT, "What is the use of aspirin?", 10, ANY, everything)) == ["meant"]
        assert found(store.bm25(TENANT, "what is it?", 10, ANY, everything)) == ["chatty"]
        assert found(store.bm25(TENANT, "W\u0125\u00e1t", 10, ANY, everything)) == ["chatty"]
