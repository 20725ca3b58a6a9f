"""Entries: found by identifier, kept as written, replaced, discarded, refused by name, apart by tenant."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite.builders import ANY, a_key, everything, found, keyed, terms
from orchestration.contracts import ChunkRef, Filters, Holding, SearchStore
from orchestration.errors import DocumentsRefusedError


class EntrySuite:
    """Promises on what is written and removed; part of SearchStoreSuite."""

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

    def test_chunks_are_counted_by_intent(self, store: SearchStore) -> None:
        first, second = chunks_of("a", "b", doc_id="1"), chunks_of("b", doc_id="2")
        assert store.chunk_counts(TENANT) == {}
        store.write(TENANT, "i1", keyed(first, second), None)
        store.write(TENANT, "i2", keyed(first), None)
        store.write("other", "i3", keyed(second), None)
        assert store.chunk_counts(TENANT) == {"i1": 3, "i2": 2}
        assert store.chunk_counts("other") == {"i3": 1}
        store.discard(TENANT, "i1", [a_key("1")])
        store.discard(TENANT, "i2", None)
        assert store.chunk_counts(TENANT) == {"i1": 1}

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
