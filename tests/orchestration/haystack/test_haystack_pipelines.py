"""Two pipelines with real models, kept as YAML: files to medkg's index, and questions to documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from haystack import Pipeline
from haystack.components.converters import TextFileToDocument
from haystack.components.preprocessors import DocumentSplitter
from haystack.document_stores.types import DuplicatePolicy

from gpu_actors.components.chunker import HaystackChunker
from gpu_actors.components.embedder import HaystackEmbedder
from gpu_actors.components.sparse_expander import HaystackSparseExpander
from orchestration.haystack import HaystackIndexWriter, HaystackRetriever
from tests.orchestration.command_line import Medkg

pytestmark = pytest.mark.plane

SPARSE_MODEL = "gpu_actors/shipped_models/splade-mini"

TEXTS = {
    "walking.txt": "Walking every evening made adults sleep longer. No adult was hurt by it.",
    "metformin.txt": "Metformin lowered blood sugar in people with diabetes. Some had nausea.",
}


def kept(pipeline: Pipeline) -> Pipeline:
    """The pipeline after a way through YAML, with the same components."""
    text = pipeline.dumps()
    loaded = Pipeline.loads(text, allowed_modules=["orchestration.*", "gpu_actors.*"])
    assert loaded.to_dict()["components"] == pipeline.to_dict()["components"]
    return loaded


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in TEXTS]


def indexing(data_dir: Path) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("converter", TextFileToDocument())
    pipeline.add_component("splitter", DocumentSplitter(split_by="period", split_length=1))
    pipeline.add_component("embedder", HaystackEmbedder())
    pipeline.add_component("sparse_embedder", HaystackSparseExpander())
    pipeline.add_component("writer", HaystackIndexWriter(data_dir=str(data_dir)))
    pipeline.connect("converter", "splitter")
    pipeline.connect("splitter", "embedder")
    pipeline.connect("embedder", "sparse_embedder")
    pipeline.connect("sparse_embedder", "writer")
    return kept(pipeline)


def retrieval(data_dir: Path, legs: list[str] | None = None) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("retriever", HaystackRetriever(data_dir=str(data_dir), legs=legs, top_k=1))
    return kept(pipeline)


def test_files_are_indexed_by_one_pipeline_and_found_by_another(files: list[Path], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    writing = indexing(data_dir)
    for _ in range(2):
        answer = writing.run({"converter": {"sources": files}})
        assert answer["writer"]["documents_written"] == 4
    writing.close()

    question = {"retriever": {"query": "Which drug is for high glucose?"}}
    answer = retrieval(data_dir).run(question)["retriever"]
    (document,) = answer["documents"]
    assert answer["degraded"] == []
    assert document.content == "Metformin lowered blood sugar in people with diabetes."
    assert document.meta["file_path"].endswith("metformin.txt")
    assert set(document.meta["legs"]) >= {"sparse", "dense"}

    medkg = Medkg(data_dir)
    assert medkg("verify")["consistent"]
    assert len(medkg("docs", "list", "--source", "haystack")["documents"]) == 4
    (hit,) = medkg("search", "glucose drug", "--legs", "dense", "--top", "1")["hits"]
    assert (hit["chunk_id"], hit["source"]) == (document.id, "haystack")


def test_parameters_of_components_outlive_yaml() -> None:
    parameters = {"profile": "cpu", "model": None, "engine": "torch", "vllm_command": None, "dimensions": 100}

    def embedder() -> HaystackEmbedder:
        return HaystackEmbedder(profile="cpu", engine="torch", dimensions=100)

    pipeline = Pipeline()
    pipeline.add_component("embedder", embedder())
    pipeline.add_component("sparse_embedder", HaystackSparseExpander(profile="cpu", model=SPARSE_MODEL))
    chunker = HaystackChunker("semantic", document_embedder=embedder())
    pipeline.add_component("chunker", chunker)
    components = kept(pipeline).to_dict()["components"]
    assert components["embedder"]["init_parameters"] == parameters
    assert components["sparse_embedder"]["init_parameters"] == {
        "profile": "cpu",
        "model": SPARSE_MODEL,
    }
    assert components["chunker"]["init_parameters"]["chunk_profile"] == "semantic"
    assert components["chunker"]["init_parameters"]["document_embedder"]["init_parameters"] == parameters


@pytest.mark.parametrize("leg", ["bm25", "sparse", "dense"])
async def test_each_leg_has_its_own_retriever(files: list[Path], tmp_path: Path, leg: str) -> None:
    data_dir = tmp_path / "data"
    pipeline = Pipeline()
    pipeline.add_component("converter", TextFileToDocument())
    pipeline.add_component("chunker", HaystackChunker())
    pipeline.add_component("writer", HaystackIndexWriter(data_dir=str(data_dir), policy=DuplicatePolicy.FAIL))
    pipeline.connect("converter", "chunker")
    pipeline.connect("chunker", "writer")
    writing = kept(pipeline)
    written = await writing.run_async({"converter": {"sources": files}})
    assert written["writer"]["documents_written"] == 2
    await writing.close_async()
    searching = retrieval(data_dir, [leg])
    answer = await searching.run_async({"retriever": {"query": "walking and sleep"}})
    (document,) = answer["retriever"]["documents"]
    assert document.meta["legs"] == {leg: 1}
    assert (
        document.content
        == TEXTS["walking.txt"][document.meta["split_idx_start"] : document.meta["split_idx_end"]]
    )
