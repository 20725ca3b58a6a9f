"""Term weights: ranked by inner product, each model's apart, read again as they are kept."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite.builders import (
    ANY,
    a_key,
    everything,
    found,
    keyed,
    reordered,
    terms,
    terms_read,
)
from orchestration.contracts import ChunkRef, Filters, SearchStore, SparseVectors

WEIGHTS = st.dictionaries(st.integers(0, 15), st.floats(0.0625, 8.0, width=16), max_size=6)


class TermWeightSuite:
    """Promises of `sparse`, `sparse_vectors` and `sparse_models`; part of SearchStoreSuite."""

    sparse_tolerance = 2e-3
    """How far a sparse score may be off, relatively: what the store's rounding of weights does."""

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
