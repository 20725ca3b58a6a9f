"""What every VectorStore promises: the nearest visible chunks of one model, tenants and models apart.

A test module subclasses VectorStoreSuite and gives it a `store` fixture and `reopen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT
from medkg.testing.facets import FACETS, FILTERS
from orchestration.contracts import Candidate, ChunkRef, Filters, Holding, VectorRow, VectorStore
from orchestration.errors import DocumentsRefusedError, StageContractError
from orchestration.records import DocumentKey, Float32Matrix

ANY = Filters()
MODEL = "minilm@1/bf16"


def everything(ref: ChunkRef) -> bool:
    return True


def a_row(doc_id: str = "1", ordinal: int = 0, section: str = "", source: str = "files") -> VectorRow:
    key = DocumentKey(tenant_id=TENANT, source=source, doc_id=doc_id)
    facets = {"source": (source,), "section": (section,)}
    return VectorRow(key, f"{source}:{doc_id}:v:{ordinal}", facets)


def unit(*rows: npt.ArrayLike) -> Float32Matrix:
    """Rows as unit vectors."""
    matrix = np.array(rows, dtype=np.float32)
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), dtype=np.float32)


EAST, NORTH, NORTH_EAST = unit([1, 0], [0, 1], [1, 1])


def found(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.ref.key.doc_id for candidate in candidates]


class VectorStoreSuite:
    """Subclassed once an implementation; `reopen` gives the same store as another process sees it."""

    # --- finding ------------------------------------------------------------------------------------

    def test_the_nearest_come_first_with_their_cosine(self, store: VectorStore) -> None:
        rows = [a_row("east"), a_row("north"), a_row("between")]
        store.write(TENANT, MODEL, "i1", rows, np.stack([EAST, NORTH, NORTH_EAST]))
        candidates = store.search(TENANT, MODEL, EAST, 10, ANY, everything)
        assert found(candidates) == ["east", "between", "north"]
        assert [candidate.score for candidate in candidates] == pytest.approx([1.0, 0.7071, 0.0], abs=1e-4)
        assert candidates[0].ref == ChunkRef(rows[0].key, "i1", rows[0].chunk_id)

    def test_the_search_is_exact(self, store: VectorStore) -> None:
        random = np.random.default_rng(0)
        dense = unit(*random.normal(size=(500, 16)))
        for part in range(5):
            rows = [a_row(str(number)) for number in range(part * 100, part * 100 + 100)]
            store.write(TENANT, MODEL, f"i{part}", rows, dense[part * 100 : part * 100 + 100])
        query = unit(random.normal(size=16))[0]
        expected = [str(number) for number in np.argsort(-dense @ query)[:20]]
        assert found(store.search(TENANT, MODEL, query, 20, ANY, everything)) == expected

    def test_the_limit_counts_visible_chunks_only(self, store: VectorStore) -> None:
        store.write(TENANT, MODEL, "old", [a_row(str(n)) for n in range(400)], np.tile(EAST, (400, 1)))
        store.write(TENANT, MODEL, "new", [a_row("7")], NORTH[None])
        candidates = store.search(TENANT, MODEL, EAST, 5, ANY, lambda ref: ref.intent_id == "new")
        assert found(candidates) == ["7"]
        assert len(store.search(TENANT, MODEL, EAST, 5, ANY, everything)) == 5
        assert store.search(TENANT, MODEL, EAST, 0, ANY, everything) == []

    def test_filters_leave_the_matching_chunks(self, store: VectorStore) -> None:
        rows = [
            a_row("1", section="results", source="pmc"),
            a_row("2", section="methods", source="pmc"),
            a_row("3", section="results"),
        ]
        store.write(TENANT, MODEL, "i1", rows, np.stack([EAST, NORTH, NORTH_EAST]))
        assert found(store.search(TENANT, MODEL, EAST, 9, Filters(section=("results",)), everything)) == [
            "1",
            "3",
        ]
        assert found(
            store.search(TENANT, MODEL, EAST, 9, Filters(source=("pmc",), section=("methods",)), everything)
        ) == ["2"]
        assert store.search(TENANT, MODEL, EAST, 9, Filters(source=("nowhere",)), everything) == []

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents=st.lists(FACETS, min_size=1, max_size=6), filters=FILTERS)
    def test_filters_mean_what_they_say(
        self, store: VectorStore, documents: list[dict[str, list[str]]], filters: Filters
    ) -> None:
        rows = []
        for number, facets in enumerate(documents):
            row = a_row(str(number), section=("results", "methods", "")[number % 3])
            values_by_facet = {name: tuple(values) for name, values in facets.items()}
            rows.append(replace(row, facets={**row.facets, **values_by_facet}))
        store.write(TENANT, MODEL, "i1", rows, np.stack([EAST] * len(rows)))
        expected = {row.key.doc_id for row in rows if filters.matches(row.facets)}
        assert set(found(store.search(TENANT, MODEL, EAST, 9, filters, everything))) == expected

    def test_what_another_process_writes_is_found_at_the_next_search(
        self, store: VectorStore, reopen: Callable[[], VectorStore]
    ) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
        reader = reopen()
        assert found(reader.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1"]
        store.write(TENANT, MODEL, "i2", [a_row("2"), a_row("3")], np.stack([NORTH, NORTH_EAST]))
        assert found(reader.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1", "3", "2"]
        store.discard(TENANT, "i1")
        assert found(reader.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["3", "2"]
        store.discard(TENANT, "i2", [a_row("3").key])
        assert found(reader.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["2"]
        store.write(TENANT, MODEL, "i2", [a_row("4")], EAST[None])
        assert found(reader.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["4"]

    # --- keeping ------------------------------------------------------------------------------------

    def test_writing_an_intent_again_replaces_what_it_wrote(self, store: VectorStore) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1"), a_row("2")], np.stack([EAST, NORTH]))
        for _ in range(2):
            store.write(TENANT, MODEL, "i1", [a_row("3")], EAST[None])
        assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["3"]
        assert list(store.holdings(TENANT)) == [Holding(a_row("3").key, "i1", 1)]

    def test_holdings_count_the_chunks_of_each_document(self, store: VectorStore) -> None:
        rows = [a_row("1", 0), a_row("1", 1), a_row("2")]
        store.write(TENANT, MODEL, "i1", rows, np.stack([EAST, NORTH, EAST]))
        store.write(TENANT, "other-model", "i2", [a_row("1")], EAST[None])
        first, second = a_row("1").key, a_row("2").key
        assert set(store.holdings(TENANT)) == {
            Holding(first, "i1", 2),
            Holding(second, "i1", 1),
            Holding(first, "i2", 1),
        }
        assert list(store.holdings(TENANT, "i2")) == [Holding(first, "i2", 1)]
        assert store.damaged(TENANT) == {}

    def test_vectors_are_counted_by_intent_under_one_model(self, store: VectorStore) -> None:
        assert store.chunk_counts(TENANT, MODEL) == {}
        rows = [a_row("1", 0), a_row("1", 1), a_row("2")]
        store.write(TENANT, MODEL, "i1", rows, np.stack([EAST, NORTH, EAST]))
        store.write(TENANT, MODEL, "i2", [a_row("1")], EAST[None])
        store.write(TENANT, "other-model", "i1", [a_row("1")], EAST[None])
        store.write("other", MODEL, "i3", [a_row("1")], EAST[None])
        assert store.chunk_counts(TENANT, MODEL) == {"i1": 3, "i2": 1}
        assert store.chunk_counts(TENANT, "other-model") == {"i1": 1}
        assert store.chunk_counts("other", MODEL) == {"i3": 1}
        store.discard(TENANT, "i1", [a_row("1").key])
        store.discard(TENANT, "i2")
        assert store.chunk_counts(TENANT, MODEL) == {"i1": 1}

    def test_discarded_documents_are_neither_found_nor_held(self, store: VectorStore) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1"), a_row("2")], np.stack([EAST, NORTH]))
        for _ in range(2):
            store.discard(TENANT, "i1", [a_row("1").key, a_row("unknown").key])
        assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["2"]
        store.discard(TENANT, "i1", [a_row("2").key])
        assert list(store.holdings(TENANT)) == []
        store.discard(TENANT, "i1")

    def test_vectors_come_back_bit_by_bit(self, store: VectorStore) -> None:
        random = np.random.default_rng(1)
        dense = unit(*random.normal(size=(1_100, 8)))
        dense[0, :3] = np.array([1e-40, np.finfo(np.float32).tiny, -0.0], dtype=np.float32)
        rows = [a_row(str(number // 2), number % 2) for number in range(len(dense))]
        store.write(TENANT, MODEL, "i1", rows, dense)
        refs, read = store.vectors(TENANT, MODEL, "i1")
        assert read.dtype == np.float32
        assert {ref.intent_id for ref in refs} == {"i1"}
        assert {
            (ref.key, ref.chunk_id): vector.tobytes() for ref, vector in zip(refs, read, strict=True)
        } == {(row.key, row.chunk_id): vector.tobytes() for row, vector in zip(rows, dense, strict=True)}

    def test_vectors_are_read_of_one_intent_and_model_and_of_what_it_still_holds(
        self, store: VectorStore
    ) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1"), a_row("2")], np.stack([EAST, NORTH]))
        store.write(TENANT, MODEL, "i2", [a_row("1")], NORTH_EAST[None])
        store.discard(TENANT, "i1", [a_row("1").key])
        refs, read = store.vectors(TENANT, MODEL, "i1")
        assert [ref.key.doc_id for ref in refs] == ["2"] and read.tolist() == [NORTH.tolist()]
        for nothing in (
            store.vectors(TENANT, MODEL, "never"),
            store.vectors(TENANT, "never-used", "i1"),
            store.vectors("other", MODEL, "i1"),
        ):
            assert nothing[0] == [] and len(nothing[1]) == 0

    def test_an_intent_without_chunks_holds_nothing(self, store: VectorStore) -> None:
        store.write(TENANT, MODEL, "i1", [], np.zeros((0, 2), np.float32))
        assert list(store.holdings(TENANT)) == []
        assert store.search(TENANT, MODEL, EAST, 9, ANY, everything) == []

    def test_a_document_with_a_facet_that_no_store_takes_is_refused_by_name(self, store: VectorStore) -> None:
        long = replace(a_row("long"), facets={"mesh": ("m" * 40_000,)})
        rows = [a_row("1"), long, a_row("i" * 600)]
        with pytest.raises(DocumentsRefusedError, match=r"a value of mesh .* has 40000 bytes") as caught:
            store.write(TENANT, MODEL, "i1", rows, np.stack([EAST, EAST, NORTH]))
        assert list(caught.value.reasons) == [long.key]
        store.write(TENANT, MODEL, "i1", [rows[0], rows[2]], np.stack([EAST, NORTH]))
        assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1", "i" * 600]
        assert {holding.key.doc_id for holding in store.holdings(TENANT)} == {"1", "i" * 600}

    def test_vectors_that_are_no_numbers_or_too_few_are_refused(self, store: VectorStore) -> None:
        rows = [a_row("bad"), a_row("good")]
        with pytest.raises(DocumentsRefusedError, match="not finite") as caught:
            store.write(TENANT, MODEL, "i1", rows, np.array([[np.nan, 1.0], [0.0, 1.0]], np.float32))
        assert list(caught.value.reasons) == [rows[0].key]
        store.write(TENANT, MODEL, "i1", rows[1:], NORTH[None])
        assert found(store.search(TENANT, MODEL, NORTH, 9, ANY, everything)) == ["good"]
        with pytest.raises(StageContractError, match="2 chunks with 1 vectors"):
            store.write(TENANT, MODEL, "i2", [a_row("1"), a_row("2")], EAST[None])
        assert [holding.intent_id for holding in store.holdings(TENANT)] == ["i1"]

    # --- tenants and models -------------------------------------------------------------------------

    @pytest.mark.parametrize("other", ["minilm@1_bf16", "minilm@2/bf16", "../minilm@1/bf16", "m" * 400])
    def test_vectors_of_two_models_never_mix(self, store: VectorStore, other: str) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
        store.write(TENANT, other, "i2", [a_row("2")], unit([0, 0, 1]))
        assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1"]
        assert found(store.search(TENANT, other, unit([1, 0, 1])[0], 9, ANY, everything)) == ["2"]
        assert store.search(TENANT, "never-used", EAST, 9, ANY, everything) == []

    def test_an_intent_may_hold_vectors_of_several_models(self, store: VectorStore) -> None:
        first, second = a_row("1"), a_row("2")
        store.write(TENANT, MODEL, "i1", [first, second], np.stack([EAST, NORTH]))
        store.write(TENANT, "other", "i1", [first, second], unit([0, 0, 1], [1, 0, 1]))
        held = {Holding(first.key, "i1", 1), Holding(second.key, "i1", 1)}
        assert set(store.holdings(TENANT, namespace=MODEL)) == held
        assert set(store.holdings(TENANT, "i1", "other")) == held
        assert len(list(store.holdings(TENANT))) == 4
        assert list(store.holdings(TENANT, namespace="never-used")) == []
        store.discard(TENANT, "i1", [first.key])
        assert list(store.holdings(TENANT, namespace=MODEL)) == [Holding(second.key, "i1", 1)]
        assert list(store.holdings(TENANT, namespace="other")) == [Holding(second.key, "i1", 1)]

    def test_a_model_that_is_given_up_leaves_the_others(self, store: VectorStore) -> None:
        neighbour = "neighbour"
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
        store.write(TENANT, "other/1", "i1", [a_row("1")], unit([0, 0, 1]))
        store.write(neighbour, MODEL, "i1", [a_row("1")], EAST[None])
        for _ in range(2):
            store.discard_other_models(TENANT, ["other/1", "never-used"])
        assert store.search(TENANT, MODEL, EAST, 9, ANY, everything) == []
        assert found(store.search(TENANT, "other/1", unit([0, 0, 1])[0], 9, ANY, everything)) == ["1"]
        assert found(store.search(neighbour, MODEL, EAST, 9, ANY, everything)) == ["1"]
        store.write(TENANT, MODEL, "i2", [a_row("2")], unit([0, 0, 1]))
        assert found(store.search(TENANT, MODEL, unit([0, 0, 1])[0], 9, ANY, everything)) == ["2"]

    def test_models_are_listed_while_they_have_vectors(self, store: VectorStore) -> None:
        assert store.models(TENANT) == []
        for model in ("Org/Model_v2@ab", MODEL):
            store.write(TENANT, model, "i1", [a_row("1")], EAST[None])
        store.write("neighbour", "other/1", "i1", [a_row("1")], EAST[None])
        assert store.models(TENANT) == ["Org/Model_v2@ab", MODEL]
        store.discard_other_models(TENANT, [MODEL])
        assert store.models(TENANT) == [MODEL]

    @pytest.mark.parametrize("other", ["other", "default.", "../default", "a/../default", ".."])
    def test_tenants_never_see_each_other(self, store: VectorStore, other: str) -> None:
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
        store.write(other, MODEL, "i1", [a_row("2")], EAST[None])
        assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1"]
        assert found(store.search(other, MODEL, EAST, 9, ANY, everything)) == ["2"]
        assert {holding.key.tenant_id for holding in store.holdings(other)} == {other}
        store.discard(other, "i1")
        assert len(list(store.holdings(TENANT))) == 1
