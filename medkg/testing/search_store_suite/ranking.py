"""Ranking by words: the best first, within limit, filters and what is visible."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.facets import FACETS, FILTERS
from medkg.testing.search_store_suite.builders import ANY, a_key, everything, found, keyed, terms
from orchestration.contracts import ChunkRef, Filters, SearchStore, chunk_facets


class RankingSuite:
    """Promises of `bm25` on order, limits and filters; part of SearchStoreSuite."""

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
