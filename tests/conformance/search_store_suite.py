"""What every SearchStore promises: words find chunks, tenants are apart, writes are idempotent.

A test module subclasses SearchStoreSuite and gives it a `store` fixture.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contracts import Candidate, ChunkRef, Filters, Holding, SearchStore
from orchestration.records import Chunk, DocumentKey
from tests.builders import TENANT, chunks_of

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


class SearchStoreSuite:
    """Subclassed once an implementation."""

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
        assert found(store.bm25(TENANT, "sleep", 9, Filters(section="methods"), everything)) == ["2"]
        assert found(store.bm25(TENANT, "sleep", 9, Filters("pmc", "results"), everything)) == ["1"]
        assert store.bm25(TENANT, "sleep", 9, Filters(source="nowhere"), everything) == []

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
    @given(body=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
    def test_a_chunk_is_found_by_its_own_word(self, store: SearchStore, body: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of(body)), None)
        assert len(store.bm25(TENANT, body, 10, ANY, everything)) == 1

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
        assert [one.ref.intent_id for one in only_new] == ["i2"]
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
        store.mend(TENANT)

    # --- tenants ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("other", ["other", "default.", "../default", "a/../default", "DEFAULT", "."])
    def test_tenants_never_see_each_other(self, store: SearchStore, other: str) -> None:
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
        store.write(other, "i1", keyed(chunks_of("walking", tenant_id=other)), None)
        assert store.bm25(other, "sleep", 10, ANY, everything) == []
        assert store.bm25(TENANT, "walking", 10, ANY, everything) == []
        ref = store.bm25(TENANT, "sleep", 10, ANY, everything)[0].ref
        assert [chunk.body for chunk in store.chunks(other, [ref]) if chunk] == ["walking"]
        store.discard(other, "i1", None)
        assert len(list(store.holdings(TENANT))) == 1
