"""HaystackRetriever works in a Haystack pipeline and keeps what makes a hit citable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from haystack import Document, Pipeline, component
from haystack.errors import FilterError

from orchestration.retrieval.haystack_retriever import HaystackRetriever
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.stores.data_folder import DataFolder

MakeSearch = Callable[..., HybridSearch]


@component
class Citations:
    """A component behind the retriever: what a prompt would quote."""

    @component.output_types(citations=list[str])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        return {
            "citations": [
                f"{document.meta['doc_id']} {document.meta['start_char']}-{document.meta['end_char']}"
                for document in documents
            ]
        }


@pytest.fixture
def retriever(data: DataFolder, make_search: MakeSearch) -> HaystackRetriever:
    data.ingest({"1": "walking", "2": "sleeping"})
    return HaystackRetriever(make_search(), top_k=2)


def where(field: str, value: object, operator: str = "==") -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


def test_it_feeds_other_components_of_a_pipeline(retriever: HaystackRetriever) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", retriever)
    pipeline.add_component("citations", Citations())
    pipeline.connect("retriever.documents", "citations.documents")
    answer = pipeline.run({"retriever": {"query": "walking"}}, include_outputs_from={"retriever"})
    assert answer["citations"]["citations"] == ["1 0-7", "1 8-21"]
    assert answer["retriever"]["degraded"] == []


def test_its_documents_are_citable(retriever: HaystackRetriever) -> None:
    (document,) = retriever.run("walking", top_k=1)["documents"]
    assert document.content == "walking"
    assert document.id == f"files:1:{'1' * 12}:0"
    assert document.score is not None
    assert document.meta["source"] == "files"
    assert document.meta["legs"] == {"bm25": 1, "sparse": 1, "dense": 1}
    assert document.meta["version"] == "1" * 64


def test_filters_in_haystacks_syntax_hold(retriever: HaystackRetriever) -> None:
    both = {"operator": "AND", "conditions": [where("meta.source", "files"), where("section", "")]}
    either, since = where("meta.source", ["pmc", "files"], "in"), where("meta.date", "2019", ">=")
    for filters, count in (
        (None, 2),
        ({}, 2),
        (both, 2),
        (either, 2),
        (since, 0),
        (where("meta.source", "pmc"), 0),
    ):
        assert len(retriever.run("walking", filters=filters)["documents"]) == count


@pytest.mark.parametrize(
    "filters",
    [
        where("meta.year", "2020"),
        where("meta.source", "pmc", "!="),
        where("meta.source", ["pmc", 3], "in"),
        where("meta.date", "2019", "=="),
        where("meta.source", 3),
        {"operator": "OR", "conditions": [where("meta.source", "pmc")]},
        {"operator": "AND", "conditions": [where("source", "pmc"), where("meta.source", "files")]},
    ],
)
def test_a_filter_it_cannot_keep_is_refused(retriever: HaystackRetriever, filters: dict[str, object]) -> None:
    with pytest.raises(FilterError, match="source"):
        retriever.run("walking", filters=filters)
