"""What every SearchStore promises: words find chunks, tenants are apart, writes are idempotent.

A test module subclasses SearchStoreSuite and gives it a `store` fixture.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.facets import FACETS, FILTERS
from orchestration.contracts import (
    Candidate,
    ChunkRef,
    Filters,
    Holding,
    SearchStore,
    SparseVectors,
    chunk_facets,
)
from orchestration.errors import DocumentsRefusedError
from orchestration.records import Chunk, DocumentKey, SparseMatrix

ANY = Filters()


def everything(ref: ChunkRef) -> bool:
    return True


def a_key(doc_id: str = "doc-1", source: str = "files", tenant_id: str = TENANT) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)


def keyed(*documents: Sequence[Chunk], source: str = "files") -> list[tuple[DocumentKey, Chunk]]:
    """The chunks of documents with their keys, as an intent writes them."""
    return [(a_key(chunk.doc_id, source, chunk.tenant_id), chunk) for chunks in documents for chunk in chunks]


def found(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.ref.key.doc_id for candidate in candidates]


def terms(*rows: Mapping[int, float], model_id: str = "letters@1") -> SparseVectors:
    """Rows of term weights."""
    parts = [
        (np.array(sorted(row), np.int32), np.array([row[term] for term in sorted(row)], np.float32))
        for row in rows
    ]
    return SparseVectors(model_id, SparseMatrix.of_rows(parts, 64))


WEIGHTS = st.dictionaries(st.integers(0, 15), st.floats(0.0625, 8.0, width=16), max_size=6)


def terms_read(read: tuple[list[ChunkRef], SparseVectors] | None) -> dict[str, dict[int, float]]:
    """Weights by term, by document, as a store gives them back."""
    assert read is not None
    refs, vectors = read
    rows = [vectors.rows.row(number) for number in range(len(vectors.rows))]
    for indices, _ in rows:
        assert indices.tolist() == sorted(set(indices.tolist()))
        assert not len(indices) or indices[-1] < vectors.rows.vocabulary
    return {
        ref.key.doc_id: dict(zip(indices.tolist(), weights.tolist(), strict=True))
        for ref, (indices, weights) in zip(refs, rows, strict=True)
    }


def reordered(
    chunks: Sequence[tuple[DocumentKey, Chunk]], refs: Sequence[ChunkRef], vectors: SparseVectors
) -> SparseMatrix:
    """The rows in the order of the chunks."""
    place = {ref.key: number for number, ref in enumerate(refs)}
    return SparseMatrix.of_rows([vectors.rows.row(place[key]) for key, _ in chunks], vectors.rows.vocabulary)


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


class SearchStoreSuite:
    """Subclassed once an implementation."""

    sparse_tolerance = 2e-3
    """How far a sparse score may be off, relatively: what the store's rounding of weights does."""

    # --- finding ------------------------------------------------------------------------------------

    def test_the_chunk_that_says_it_best_comes_first(self, store: SearchStore) -> None:
        often = chunks_of("aspirin and more aspirin", doc_id="often")
        once = chunks_of("aspirin among many other words of little interest to anyone", doc_id="once")
        never = chunks_of("statins lower cholesterol", doc_id="never")
        store.write(TENANT, "i1", keyed(once, never, often), None)
        candidates = store.bm25(TENANT, "aspirin", 10, ANY, everything)
        assert found(candidates) == ["often", "once"]
        assert candidates[0].score > candidates[1].score > 0
        assert candidates[0].ref == ChunkRef(a_key("often"), "i1", often[0].chunk_id)

    def test_any_word_of_the_query_is_enough_and_a_rare_one_counts_most(self, store: SearchStore) -> None:
        common = [chunks_of("patients slept well", doc_id=f"common-{number}") for number in range(5)]
        store.write(TENANT, "i1", keyed(*common, chunks_of("warfarin for patients", doc_id="rare")), None)
        candidates = store.bm25(TENANT, "How did patients on warfarin fare?", 10, ANY, everything)
        assert found(candidates)[0] == "rare"
        assert len(candidates) == 6

    def test_words_are_found_in_other_forms(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("Randomised Trials of naïve β-blockers")), None)
        for query in ("trial", "randomised", "NAIVE", "β", "blocker", "na\u0131ve naïve"):
            assert len(store.bm25(TENANT, query, 10, ANY, everything)) == 1, query

    def test_a_document_is_found_by_its_title(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("It helped.", title="Walking and sleep")), None)
        assert len(store.bm25(TENANT, "sleep", 10, ANY, everything)) == 1

    def test_a_query_of_common_words_alone_still_finds_them(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("to be or not to be")), None)
        assert len(store.bm25(TENANT, "to be or not to be", 10, ANY, everything)) == 1

    def test_no_more_than_the_limit_is_given(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(*(chunks_of("sleep", doc_id=str(n)) for n in range(20))), None)
        assert len(store.bm25(TENANT, "sleep", 7, ANY, everything)) == 7
        assert store.bm25(TENANT, "sleep", 0, ANY, everything) == []

    def test_the_limit_counts_visible_chunks_only(self, store: SearchStore) -> None:
        store.write(TENANT, "old", keyed(*(chunks_of("sleep", doc_id=str(n)) for n in range(300))), None)
        store.write(TENANT, "new", keyed(chunks_of("sleep among other long words", doc_id="7")), None)
        candidates = store.bm25(TENANT, "sleep", 5, ANY, lambda ref: ref.intent_id == "new")
        assert found(candidates) == ["7"]

    def test_filters_leave_the_matching_chunks(self, store: SearchStore) -> None:
        results = chunks_of("sleep", doc_id="1", section="results")
        methods = chunks_of("sleep", doc_id="2", section="methods")
        store.write(TENANT, "i1", keyed(results, methods, source="pmc"), None)
        store.write(TENANT, "i2", keyed(chunks_of("sleep", doc_id="3", section="results")), None)
        assert found(store.bm25(TENANT, "sleep", 9, Filters(section=("methods",)), everything)) == ["2"]
        assert found(
            store.bm25(TENANT, "sleep", 9, Filters(source=("pmc",), section=("results",)), everything)
        ) == ["1"]
        assert store.bm25(TENANT, "sleep", 9, Filters(source=("nowhere",)), everything) == []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents=st.lists(FACETS, min_size=1, max_size=6), filters=FILTERS)
    def test_filters_mean_what_they_say(
        self, store: SearchStore, documents: list[dict[str, list[str]]], filters: Filters
    ) -> None:
        written = []
        for number, facets in enumerate(documents):
            section = ("results", "methods", "")[number % 3]
            chunks = chunks_of("sleep", doc_id=str(number), section=section)
            written += keyed([chunk.model_copy(update={"metadata": facets}) for chunk in chunks])
        store.write(TENANT, "i1", written, terms(*({1: 1.0} for _ in written)))
        expected = {key.doc_id for key, chunk in written if filters.matches(chunk_facets(key, chunk))}
        assert set(found(store.bm25(TENANT, "sleep", 9, filters, everything))) == expected
        assert set(found(store.sparse(TENANT, terms({1: 1.0}), 9, filters, everything))) == expected

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

    # --- by identifier ------------------------------------------------------------------------------

    def test_a_document_is_found_by_the_identifiers_of_its_id_and_metadata(self, store: SearchStore) -> None:
        trial = chunks_of("no number here", "nor here", doc_id="NCT01234567")
        article = [
            chunk.model_copy(update={"metadata": {"identifier": ["pmid:123", "doi:10.1000/x(1)"]}})
            for chunk in chunks_of("an extension of NCT01234567", doc_id="PMC77")
        ]
        store.write(TENANT, "i1", keyed(trial, source="clinicaltrials"), None)
        store.write(TENANT, "i2", keyed(article, source="pmc"), None)

        def identified(*identifiers: str, filters: Filters = ANY, limit: int = 9) -> list[str]:
            refs = store.identified(TENANT, identifiers, limit, filters, everything)
            return [ref.chunk_id for ref in refs]

        of_trial = [chunk.chunk_id for chunk in trial]
        assert identified("nct:nct01234567") == of_trial
        assert (
            identified("doi:10.1000/x(1)") == identified("pmid:123", "pmcid:pmc77") == [article[0].chunk_id]
        )
        assert identified("pmid:123", "nct:nct01234567") == [article[0].chunk_id, *of_trial]
        assert identified("nct:nct01234567", filters=Filters(source=("pmc",))) == []
        assert identified("nct:nct01234567", limit=1) == of_trial[:1]
        assert identified("pmid:7") == identified() == []
        hidden = store.identified(TENANT, ["nct:nct01234567"], 9, ANY, lambda ref: ref.intent_id == "i2")
        assert hidden == store.identified("other", ["pmid:123"], 9, ANY, everything) == []
        store.discard(TENANT, "i1", None)
        assert identified("nct:nct01234567") == []

    # --- what stores cannot take --------------------------------------------------------------------

    def test_words_titles_ids_and_metadata_of_any_length_are_taken(self, store: SearchStore) -> None:
        long_word = chunks_of("sleep " + "q" * 40_000, "w" * 40_000, doc_id="word", title="q" * 49_000)
        long_id = chunks_of("sleep", doc_id="\u6587" * 400)
        keys = {f"key {number}": f"value {number}" for number in range(5_000)}
        deep: object = "end"
        for _ in range(100):
            deep = {"deeper": deep}
        many = [
            chunk.model_copy(update={"metadata": {**keys, "deep": deep}})
            for chunk in chunks_of("sleep", doc_id="metadata")
        ]
        store.write(TENANT, "i1", keyed(long_word, long_id, many), None)
        hits = store.bm25(TENANT, "sleep", 10, ANY, everything)
        assert set(found(hits)) == {"word", "\u6587" * 400, "metadata"}
        assert set(found(store.bm25(TENANT, "q" * 40_000, 10, ANY, everything))) == {"word"}
        assert store.document_chunks(a_key("metadata"), "i1") == many

    def test_a_document_that_no_store_takes_is_refused_by_name_and_costs_no_other(
        self, store: SearchStore
    ) -> None:
        good, bad = chunks_of("sleep", doc_id="good"), chunks_of("sleep", "again", doc_id="bad")
        bad[1] = bad[1].model_copy(update={"metadata": {"mesh": ["M" * 40_000, "sleep"]}})
        nameless = chunks_of("sleep", doc_id="n" * 33_000)
        written = keyed(good, bad, nameless)
        with pytest.raises(DocumentsRefusedError, match="bytes") as caught:
            store.write(TENANT, "i1", written, terms(*({1: 1.0} for _ in written)))
        assert set(caught.value.reasons) == {a_key("bad"), a_key("n" * 33_000)}
        assert "a value of mesh (mmm" in caught.value.reasons[a_key("bad")]
        store.write(TENANT, "i1", keyed(good), terms({1: 1.0}))
        assert found(store.bm25(TENANT, "sleep", 10, ANY, everything)) == ["good"]
        assert list(store.holdings(TENANT)) == [Holding(a_key("good"), "i1", 1)]

    # --- by terms -----------------------------------------------------------------------------------

    def test_the_chunk_with_the_largest_inner_product_comes_first(self, store: SearchStore) -> None:
        documents = [chunks_of(f"text {number}", doc_id=str(number)) for number in range(4)]
        weights = terms({1: 1.0, 2: 2.0}, {1: 3.0}, {9: 5.0}, {2: 0.5})
        store.write(TENANT, "i1", keyed(*documents), weights)
        candidates = store.sparse(TENANT, terms({1: 1.0, 2: 2.0}), 10, ANY, everything)
        assert found(candidates) == ["0", "1", "3"]
        assert [candidate.score for candidate in candidates] == [5.0, 3.0, 1.0]
        assert candidates[0].ref == ChunkRef(a_key("0"), "i1", documents[0][0].chunk_id)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=st.lists(WEIGHTS, min_size=1, max_size=12), query=WEIGHTS, windows=st.integers(1, 4))
    def test_scores_are_those_of_the_matrices(
        self, store: SearchStore, rows: list[dict[int, float]], query: dict[int, float], windows: int
    ) -> None:
        for window in range(4):
            store.discard(TENANT, f"i{window}", None)
            mine = [number for number in range(len(rows)) if number % windows == window]
            if mine:
                chunks = keyed(*(chunks_of(f"text {number}", doc_id=str(number)) for number in mine))
                store.write(TENANT, f"i{window}", chunks, terms(*(rows[number] for number in mine)))
        candidates = store.sparse(TENANT, terms(query), 100, ANY, everything)
        expected = {
            str(number): score
            for number, row in enumerate(rows)
            if (score := sum(query[term] * weight for term, weight in row.items() if term in query)) > 0
        }
        assert {candidate.ref.key.doc_id: candidate.score for candidate in candidates} == pytest.approx(
            expected, rel=self.sparse_tolerance
        )
        assert [candidate.score for candidate in candidates] == sorted(
            (candidate.score for candidate in candidates), reverse=True
        )

    def test_terms_of_two_models_never_meet(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep", doc_id="1")), terms({1: 1.0}))
        store.write(TENANT, "i2", keyed(chunks_of("sleep", doc_id="2")), terms({1: 9.0}, model_id="other@1"))
        assert found(store.sparse(TENANT, terms({1: 1.0}), 10, ANY, everything)) == ["1"]
        assert found(store.sparse(TENANT, terms({1: 1.0}, model_id="other@1"), 10, ANY, everything)) == ["2"]

    def test_terms_obey_limit_filters_and_visibility(self, store: SearchStore) -> None:
        results = [chunks_of("sleep", doc_id=str(number), section="results") for number in range(9)]
        methods = [chunks_of("sleep", doc_id="m", section="methods")]
        weights = terms(*({1: 1.0 + number} for number in range(10)))
        store.write(TENANT, "i1", keyed(*results, *methods), weights)
        query = terms({1: 1.0})
        assert found(store.sparse(TENANT, query, 2, ANY, everything)) == ["m", "8"]
        assert found(store.sparse(TENANT, query, 2, Filters(section=("results",)), everything)) == ["8", "7"]
        assert store.sparse(TENANT, query, 2, Filters(source=("nowhere",)), everything) == []
        hidden = store.sparse(TENANT, query, 2, ANY, lambda ref: ref.key.doc_id in ("0", "1"))
        assert found(hidden) == ["1", "0"]
        assert store.sparse(TENANT, query, 0, ANY, everything) == []

    def test_discarded_and_replaced_documents_are_not_found_by_their_terms(self, store: SearchStore) -> None:
        first, second = chunks_of("sleep", "again", doc_id="1"), chunks_of("sleep", doc_id="2")
        store.write(TENANT, "i1", keyed(first, second), terms({1: 1.0}, {2: 1.0}, {1: 2.0}))
        store.discard(TENANT, "i1", [a_key("1")])
        assert found(store.sparse(TENANT, terms({1: 1.0, 2: 1.0}), 10, ANY, everything)) == ["2"]
        store.write(TENANT, "i1", keyed(first), terms({3: 1.0}, {}))
        assert found(store.sparse(TENANT, terms({1: 1.0, 3: 1.0}), 10, ANY, everything)) == ["1"]
        store.discard(TENANT, "i1", None)
        assert store.sparse(TENANT, terms({1: 1.0, 3: 1.0}), 10, ANY, everything) == []

    def test_chunks_without_terms_are_not_found_by_terms(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
        assert store.sparse(TENANT, terms({1: 1.0}), 10, ANY, everything) == []
        assert store.sparse(TENANT, terms({}), 10, ANY, everything) == []

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(WEIGHTS, min_size=1, max_size=5))
    def test_terms_come_back_as_they_are_kept(self, store: SearchStore, rows: list[dict[int, float]]) -> None:
        chunks = keyed(*(chunks_of("sleep", doc_id=str(number)) for number in range(len(rows))))
        store.write(TENANT, "i1", chunks, terms(*rows))
        read = store.sparse_vectors(TENANT, "i1")
        assert read is not None and read[1].model_id == "letters@1"
        assert terms_read(read) == {str(number): row for number, row in enumerate(rows)}
        store.write(TENANT, "i1", chunks, SparseVectors("letters@1", reordered(chunks, *read)))
        assert terms_read(store.sparse_vectors(TENANT, "i1")) == terms_read(read)

    def test_terms_read_again_have_lost_no_more(self, store: SearchStore) -> None:
        given_rows = ({3: 0.1, 5: 1 / 3, 60: 7e-9}, {2: 2.0001})
        chunks = keyed(chunks_of("a", doc_id="0"), chunks_of("b", doc_id="1"))
        store.write(TENANT, "i1", chunks, terms(*given_rows))
        once = store.sparse_vectors(TENANT, "i1")
        assert once is not None and terms_read(once)["0"][3] == pytest.approx(0.1, rel=1e-3)
        store.write(TENANT, "i1", chunks, SparseVectors("letters@1", reordered(chunks, *once)))
        assert terms_read(store.sparse_vectors(TENANT, "i1")) == terms_read(once)

    def test_terms_are_read_of_one_intent_and_of_what_it_still_holds(self, store: SearchStore) -> None:
        first, second = chunks_of("a", doc_id="1"), chunks_of("b", doc_id="2")
        store.write(TENANT, "i1", keyed(first, second), terms({1: 1.0}, {1: 2.0, 2: 1.0}))
        store.write(TENANT, "i2", keyed(first), terms({7: 1.0}, model_id="other@1"))
        store.write(TENANT, "i3", keyed(first), None)
        store.discard(TENANT, "i1", [a_key("1")])
        assert terms_read(store.sparse_vectors(TENANT, "i1")) == {"2": {1: 2.0, 2: 1.0}}
        other = store.sparse_vectors(TENANT, "i2")
        assert other is not None and other[1].model_id == "other@1"
        assert store.sparse_vectors(TENANT, "i3") is None
        assert store.sparse_vectors(TENANT, "never") is None
        assert store.sparse_vectors("other", "i1") is None

    def test_the_model_of_the_terms_is_known_by_intent(self, store: SearchStore) -> None:
        first, second = chunks_of("a", "b", doc_id="1"), chunks_of("b", doc_id="2")
        assert store.sparse_models(TENANT) == {}
        store.write(TENANT, "i1", keyed(first, second), terms({1: 1.0}, {}, {1: 2.0}))
        store.write(TENANT, "i2", keyed(first), terms({7: 1.0}, {2: 1.0}, model_id="other@1"))
        store.write(TENANT, "i3", keyed(first), None)
        store.write("other", "i4", keyed(second), terms({7: 1.0}))
        assert store.sparse_models(TENANT) == {"i1": "letters@1", "i2": "other@1"}
        assert store.sparse_models("other") == {"i4": "letters@1"}
        store.write(TENANT, "i2", keyed(first), terms({7: 1.0}, {2: 1.0}))
        store.discard(TENANT, "i1", None)
        assert store.sparse_models(TENANT) == {"i2": "letters@1"}

    def test_terms_of_tenants_are_apart(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), terms({1: 1.0}))
        assert store.sparse("other", terms({1: 1.0}), 10, ANY, everything) == []

    # --- keeping ------------------------------------------------------------------------------------

    def test_chunks_come_back_as_they_were(self, store: SearchStore) -> None:
        chunks = chunks_of("first: ä\n\t'\"", "second 𝛽", title="A title")
        chunks[1] = chunks[1].model_copy(
            update={"metadata": {"phase": ["2", "3"], "n": 4}, "page_no": 3, "block_ids": ("b1", "b2")}
        )
        store.write(TENANT, "i1", keyed(chunks), None)
        refs = [ChunkRef(a_key(), "i1", chunk.chunk_id) for chunk in reversed(chunks)]
        lost = ChunkRef(a_key(), "i1", "files:doc-1:x:9")
        assert store.chunks(TENANT, [*refs, lost]) == [*reversed(chunks), None]
        assert store.document_chunks(a_key(), "i1") == chunks
        assert store.document_chunks(a_key(), "i2") == []

    def test_writing_an_intent_again_replaces_what_it_wrote(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep", "walking")), None)
        for _ in range(2):
            store.write(TENANT, "i1", keyed(chunks_of("running")), None)
        assert store.bm25(TENANT, "sleep", 10, ANY, everything) == []
        assert len(store.bm25(TENANT, "running", 10, ANY, everything)) == 1
        assert list(store.holdings(TENANT)) == [Holding(a_key(), "i1", 1)]

    def test_two_intents_hold_their_own_version_of_a_document(self, store: SearchStore) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep", version="a" * 64)), None)
        store.write(TENANT, "i2", keyed(chunks_of("sleep", version="b" * 64)), None)
        only_new = store.bm25(TENANT, "sleep", 10, ANY, lambda ref: ref.intent_id == "i2")
        assert [candidate.ref.intent_id for candidate in only_new] == ["i2"]
        assert store.document_chunks(a_key(), "i1")[0].version == "a" * 64

    def test_discarded_documents_are_neither_found_nor_held(self, store: SearchStore) -> None:
        first, second = chunks_of("sleep", doc_id="1"), chunks_of("sleep", doc_id="2")
        store.write(TENANT, "i1", keyed(first, second), None)
        store.write(TENANT, "i2", keyed(first), None)
        for _ in range(2):
            store.discard(TENANT, "i1", [a_key("1")])
        assert set(store.holdings(TENANT)) == {Holding(a_key("2"), "i1", 1), Holding(a_key("1"), "i2", 1)}
        assert list(store.holdings(TENANT, "i2")) == [Holding(a_key("1"), "i2", 1)]
        store.discard(TENANT, "i1", None)
        assert found(store.bm25(TENANT, "sleep", 10, ANY, everything)) == ["1"]
        assert list(store.holdings(TENANT, "i1")) == []

    def test_a_new_store_holds_nothing_and_is_sound(self, store: SearchStore) -> None:
        assert store.bm25(TENANT, "sleep", 10, ANY, everything) == []
        assert list(store.holdings(TENANT)) == []
        assert store.chunks(TENANT, []) == []
        assert store.damage(TENANT) is None
        store.discard(TENANT, "i1", None)
        assert store.is_empty(TENANT)
        assert not store.repair_deletes(TENANT)
        store.repair(TENANT)

    # --- tenants ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("other", ["other", "default.", "../default", "a/../default", "DEFAULT", "."])
    def test_tenants_never_see_each_other(self, store: SearchStore, other: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
        store.write(other, "i1", keyed(chunks_of("walking", tenant_id=other)), None)
        assert store.bm25(other, "sleep", 10, ANY, everything) == []
        assert store.bm25(TENANT, "walking", 10, ANY, everything) == []
        ref = store.bm25(TENANT, "sleep", 10, ANY, everything)[0].ref
        assert [chunk.body for chunk in store.chunks(other, [ref]) if chunk] == ["walking"]
        assert not store.is_empty(other)
        store.discard(other, "i1", None)
        assert store.is_empty(other)
        assert len(list(store.holdings(TENANT))) == 1
