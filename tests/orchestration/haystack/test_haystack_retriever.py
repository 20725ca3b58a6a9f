"""HaystackRetriever works in a Haystack pipeline and keeps what makes a hit citable."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline, component
from haystack.core.errors import SerializationError
from haystack.errors import FilterError

from orchestration.errors import ConfigurationError, IndexMissingError, UsageError
from orchestration.haystack import HaystackRetriever
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.stores.data_folder import DataFolder
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
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


def any_of(*conditions: dict[str, object]) -> dict[str, object]:
    return {"operator": "OR", "conditions": list(conditions)}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (where("meta.source", "files", "!="), []),
        (where("meta.source", "pmc", "!="), ["1 again", "1", "2 again", "2"]),
        (where("meta.source", ["pmc", 3], "in"), []),
        (where("meta.source", [], "in"), []),
        (where("meta.start_char", 0, ">"), ["1 again", "2 again"]),
        (any_of(where("meta.doc_id", "2"), where("meta.ordinal", 1)), ["1 again", "2 again", "2"]),
        ({"operator": "NOT", "conditions": [where("meta.doc_id", "1")]}, ["2 again", "2"]),
        ({"operator": "AND", "conditions": [where("meta.doc_id", "1"), where("meta.doc_id", "2")]}, []),
    ],
)
@pytest.mark.parametrize("leg", ["bm25", "sparse", "dense"])
def test_any_other_filter_holds_by_haystacks_rules_in_every_leg(
    data: DataFolder, make_search: MakeSearch, leg: str, filters: dict[str, object], expected: list[str]
) -> None:
    data.ingest({"1": "walking", "2": "walking home"})
    documents = HaystackRetriever(make_search(), legs=[leg]).run("walking", filters=filters)["documents"]
    names = [f"{document.meta['doc_id']}{' again' * document.meta['ordinal']}" for document in documents]
    assert sorted(names) == sorted(expected)


def test_legs_look_on_until_enough_documents_match(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({str(number): "walking" for number in range(300)})
    retriever = HaystackRetriever(make_search())
    rare = where("meta.doc_id", ["7", "77", "177", "277"], "in")
    documents = retriever.run("walking", filters=rare)["documents"]
    assert sorted(document.meta["doc_id"] for document in documents) == sorted(2 * ["7", "77", "177", "277"])


@pytest.mark.parametrize(
    "filters",
    [
        {"conditions": []},
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": ["meta.source"]},
        {"operator": "AND", "conditions": [{}]},
        {"operator": "OR", "conditions": [where("meta.source", "files"), {"field": "meta.date"}]},
        where("meta.source", "files", "like"),
        where("meta.source", "files", "in"),
        where("embedding", [0.5]),
    ],
)
def test_what_is_no_filter_is_refused(retriever: HaystackRetriever, filters: dict[str, object]) -> None:
    with pytest.raises(FilterError):
        retriever.run("walking", filters=filters)


async def test_it_runs_in_an_asynchronous_pipeline(retriever: HaystackRetriever) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", retriever)
    answer = await pipeline.run_async({"retriever": {"query": "walking", "top_k": 1}})
    assert [document.content for document in answer["retriever"]["documents"]] == ["walking"]


# --- opened from settings, and kept -----------------------------------------------------------------


def test_a_pipeline_with_it_is_kept_as_yaml_and_loaded_in_another_process(
    data: DataFolder, tmp_path: Path
) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    pipeline = Pipeline()
    retriever = HaystackRetriever(data_dir=str(tmp_path), legs=["bm25"], fusion="rrf", top_k=3, group=True)
    pipeline.add_component("retriever", retriever)
    (tmp_path / "pipeline.yaml").write_text(pipeline.dumps())
    program = (
        "import sys\n"
        "from haystack import Pipeline\n"
        "with open(sys.argv[1]) as file:\n"
        "    pipeline = Pipeline.load(file, allowed_modules=['orchestration.*'])\n"
        "found = pipeline.run({'retriever': {'query': 'walks'}})['retriever']\n"
        "texts = [(one.content, one.meta['further_chunks']) for one in found['documents']]\n"
        "print(texts, found['degraded'])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "pipeline.yaml")]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert answer.stdout.strip() == "[('walking', 1)] []", answer.stderr


def test_it_opens_what_it_needs_when_it_is_first_used_and_again_after_it_was_closed(
    data: DataFolder, tmp_path: Path
) -> None:
    retriever = HaystackRetriever(data_dir=str(tmp_path), legs=["bm25"])
    serialized = retriever.to_dict()
    retriever.warm_up()
    assert retriever.to_dict() == serialized
    with pytest.raises(IndexMissingError, match="'default'"):
        retriever.run("walking")
    data.ingest({"1": "walking"})
    assert len(retriever.run("walking")["documents"]) == 2
    retriever.close()
    retriever.close()
    assert len(retriever.run("walking")["documents"]) == 2
    retriever.close()


def test_every_parameter_outlives_a_round_trip() -> None:
    parameters = {
        "tenant_id": "oncology",
        "top_k": 3,
        "data_dir": "/data",
        "profile": "gpu",
        "legs": ["bm25", "dense"],
        "fusion": "weighted-rrf:dense=2",
        "group": True,
        "rerank": True,
    }
    serialized = HaystackRetriever(**parameters).to_dict()  # type: ignore[arg-type]
    assert serialized["init_parameters"] == parameters
    assert HaystackRetriever.from_dict(serialized).to_dict() == serialized
    assert (
        HaystackRetriever.from_dict(HaystackRetriever().to_dict()).to_dict() == HaystackRetriever().to_dict()
    )


def test_one_that_was_given_a_search_says_why_it_cannot_be_kept(retriever: HaystackRetriever) -> None:
    with pytest.raises(SerializationError, match="data_dir"):
        retriever.to_dict()
    retriever.close()
    assert len(retriever.run("walking")["documents"]) == 2


def test_wrong_settings_are_reported(make_search: MakeSearch) -> None:
    with pytest.raises(UsageError, match="not both"):
        HaystackRetriever(make_search(), data_dir="/data")
    with pytest.raises(UsageError, match="no fusion 'best'"):
        HaystackRetriever(fusion="best")
    with pytest.raises(ConfigurationError, match="MEDKG_PROFILE"):
        HaystackRetriever(profile="abacus").warm_up()
