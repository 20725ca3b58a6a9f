"""What is written through Haystack is what a run would have left: for ledger, searches and commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.core.errors import SerializationError
from haystack.dataclasses import SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from medkg.testing.builders import TENANT, a_context, a_document
from orchestration.contracts import Filters, JobState
from orchestration.errors import (
    EmbeddingInputTooLongError,
    LeaseLostError,
    MalformedDocumentError,
    MedkgError,
    StoreCorruptError,
    UsageError,
)
from orchestration.haystack import HaystackIndexWriter, HaystackRetriever, MedkgDocumentStore
from orchestration.processes.child_process import own_identity
from orchestration.records import DocumentKey
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.command_line import Medkg
from tests.orchestration.haystack.collection import ROOM, CountedLetters, a_collection
from tests.orchestration.stores.data_folder import MODEL, DataFolder, die, expand, opened
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
OVERWRITE = DuplicatePolicy.OVERWRITE


@pytest.fixture
def store(data: DataFolder) -> MedkgDocumentStore:
    return MedkgDocumentStore(collection=a_collection(data))


def ids(store: MedkgDocumentStore, filters: dict[str, Any] | None = None) -> list[str]:
    return sorted(document.id for document in store.filter_documents(filters))


def run(data: DataFolder, bodies: dict[str, str], version: str = "1") -> None:
    """Documents of two chunks each, as a run leaves them, with the texts that their chunks point into."""
    data.ingest(bodies, version)
    for doc_id, body in bodies.items():
        ctx = a_context(doc_id, source="files", version=version * 64)
        parsed = a_document(doc_id, version=ctx.version, title=body)
        text = {"text": f"{body} {body} again", "sections": ()}
        data.documents.put([(ctx, parsed.model_copy(update=text))])


def where(field: str, value: object, operator: str = "==") -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


# --- like a run -------------------------------------------------------------------------------------


def test_commands_see_what_was_written(data: DataFolder, store: MedkgDocumentStore, tmp_path: Path) -> None:
    meta = {"title": "Walking", "status": "draft"}
    store.write_documents([Document(id="w", content="walking home", meta=meta), Document(content="asleep")])
    medkg = Medkg(tmp_path)
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}
    listed = {row["doc_id"]: row for row in medkg("docs", "list")["documents"]}
    assert (listed["w"]["source"], listed["w"]["title"], listed["w"]["status"]) == (
        "haystack",
        "Walking",
        "committed",
    )
    shown = medkg("docs", "show", "w")
    assert (shown["text"], shown["pipeline"]) == ("walking home", "haystack")
    assert [(chunk["chunk_id"], chunk["start_char"], chunk["end_char"]) for chunk in shown["chunks"]] == [
        ("w", 0, 12)
    ]
    (hit,) = medkg("search", "walks", "--legs", "bm25", "--status", "draft")["hits"]
    assert (hit["doc_id"], hit["source"], hit["title"]) == ("w", "haystack", "Walking")
    (job,) = medkg("status")["jobs"]
    assert (job["pipeline"], job["state"], job["in"], job["committed"]) == ("haystack@1", "done", 2, 2)
    assert medkg("docs", "delete", "w")["deleted"] == [{"doc_id": "w", "source": "haystack"}]
    assert store.count_documents() == 1


def test_every_leg_finds_what_was_written(
    data: DataFolder, store: MedkgDocumentStore, make_search: Callable[..., HybridSearch]
) -> None:
    meta = {"source": "a book", "page": 3}
    store.write_documents([Document(id="w", content="walking", meta=meta)])
    (document,) = HaystackRetriever(make_search()).run("walking")["documents"]
    assert (document.id, document.content) == ("w", "walking")
    assert document.meta["legs"] == {"bm25": 1, "sparse": 1, "dense": 1}
    assert (document.meta["page"], document.meta["source"], document.meta["doc_id"]) == (3, "haystack", "w")


def test_what_is_written_again_unchanged_costs_nothing(data: DataFolder) -> None:
    models = CountedLetters()
    store = MedkgDocumentStore(collection=a_collection(data, models))
    documents = [Document(content="walking"), Document(content="sleeping")]
    assert store.write_documents(documents) == 2
    embedded, (jobs, _) = models.embedded, data.log.changes(TENANT, 0)
    assert store.write_documents(documents, OVERWRITE) == 2
    assert (models.embedded, data.log.changes(TENANT, 0)[0]) == (embedded, jobs)


def test_a_changed_document_replaces_its_previous_version_everywhere(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    store.write_documents([Document(id="w", content="walking")])
    store.write_documents([Document(id="w", content="sleeping")], OVERWRITE)
    assert data.visible("walking") == ([], ["sleeping"])
    assert data.visible("sleeping") == (["sleeping"], ["sleeping"])
    assert data.differences() == []


def test_more_documents_than_a_window_takes_are_all_written(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    store.write_documents([Document(content=f"walking {number}") for number in range(1_001)])
    assert store.count_documents() == 1_001
    assert data.differences() == []
    (job,) = data.ledger.jobs.find(TENANT, [JobState.DONE])
    assert job.documents.committed == 1_001
    store.delete_all_documents()
    assert store.count_documents() == 0
    assert data.differences() == []


def test_tenants_do_not_see_each_other(data: DataFolder, store: MedkgDocumentStore) -> None:
    other = MedkgDocumentStore(collection=a_collection(data, tenant_id="oncology"))
    store.write_documents([Document(id="w", content="walking")])
    assert other.count_documents() == 0
    other.write_documents([Document(id="w", content="sleeping")])
    other.delete_all_documents()
    assert [document.content for document in store.filter_documents()] == ["walking"]


# --- vectors ----------------------------------------------------------------------------------------


def test_given_vectors_are_kept_at_unit_length_and_missing_ones_made(data: DataFolder) -> None:
    models = CountedLetters()
    store = MedkgDocumentStore(collection=a_collection(data, models))
    like_zebras = models.embed_texts(["zebra"])[0][0]
    terms = SparseEmbedding([ord("z") * 128 + ord("e"), 3], [2.0, 1.0])
    document = Document(
        id="given", content="walking", embedding=(7 * like_zebras).tolist(), sparse_embedding=terms
    )
    store.write_documents([document, Document(id="made", content="zebras")])
    by_meaning = data.vectors.search(TENANT, MODEL, like_zebras, 2, Filters(), lambda ref: True)
    by_terms = data.search.sparse(TENANT, expand(["zebra"]), 2, Filters(), lambda ref: True)
    assert [(candidate.ref.chunk_id, candidate.score) for candidate in by_terms] == [
        ("given", 2.0),
        ("made", 1.0),
    ]
    assert [candidate.ref.chunk_id for candidate in by_meaning] == ["given", "made"]
    assert by_meaning[0].score == pytest.approx(1.0)
    assert data.differences() == []


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"embedding": [0.5] * 27}, "embedding of bad has 27 dimensions"),
        ({"embedding": [0.0] * 26}, "length 0"),
        ({"embedding": [float("inf")] * 26}, "length inf"),
        ({"sparse_embedding": SparseEmbedding([1, 1], [0.5, 0.5])}, "sparse embedding of bad is none"),
        ({"sparse_embedding": SparseEmbedding([20_000], [0.5])}, "sparse embedding of bad is none"),
        ({"sparse_embedding": SparseEmbedding([1], [float("nan")])}, "sparse embedding of bad is none"),
    ],
)
def test_vectors_of_another_model_are_refused_and_nothing_is_written(
    store: MedkgDocumentStore, vectors: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedDocumentError, match=message):
        store.write_documents([Document(content="walking"), Document(id="bad", content="walking", **vectors)])
    assert store.count_documents() == 0


def test_a_sparse_embedding_without_a_sparse_leg_is_refused(data: DataFolder) -> None:
    store = MedkgDocumentStore(collection=a_collection(data, sparse_off="none was chosen"))
    with pytest.raises(MalformedDocumentError, match=r"bad has a sparse embedding.*none was chosen"):
        store.write_documents([Document(id="bad", content="a", sparse_embedding=SparseEmbedding([1], [0.5]))])
    assert store.write_documents([Document(content="walking")]) == 1


def test_a_text_too_long_for_the_model_is_named_and_nothing_is_written(store: MedkgDocumentStore) -> None:
    documents = [Document(content=f"walking {number}") for number in range(3)]
    with pytest.raises(EmbeddingInputTooLongError, match=r"^endless: "):
        store.write_documents([*documents, Document(id="endless", content="walk " * (ROOM + 1))])
    assert store.count_documents() == 0


# --- policies ---------------------------------------------------------------------------------------


def test_repeats_within_a_write_follow_the_policy(store: MedkgDocumentStore) -> None:
    repeats = [Document(id="w", content="first"), Document(id="w", content="last")]
    with pytest.raises(DuplicateDocumentError, match="w already"):
        store.write_documents(repeats)
    assert store.count_documents() == 0
    assert store.write_documents(repeats, DuplicatePolicy.SKIP) == 1
    assert [document.content for document in store.filter_documents()] == ["first"]
    assert store.write_documents(repeats, OVERWRITE) == 2
    assert [document.content for document in store.filter_documents()] == ["last"]


# --- chunks of documents that were run --------------------------------------------------------------


def test_documents_that_were_run_are_read_with_their_places(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    run(data, {"1": "walking", "2": "sleeping"})
    assert store.count_documents() == 4
    (document,) = store.filter_documents(
        {"operator": "AND", "conditions": [where("meta.doc_id", "1"), where("meta.ordinal", 1)]}
    )
    assert (document.id, document.content) == (f"files:1:{'1' * 12}:1", "walking again")
    place = {name: document.meta[name] for name in ("source", "doc_id", "version", "start_char", "end_char")}
    assert place == {"source": "files", "doc_id": "1", "version": "1" * 64, "start_char": 8, "end_char": 21}


def test_chunks_keep_their_places_in_another_folder_whatever_the_order(
    data: DataFolder, store: MedkgDocumentStore, tmp_path: Path
) -> None:
    run(data, {"1": "walking", "2": "sleeping"})
    read = sorted(store.filter_documents(), key=lambda document: document.id)
    with opened(tmp_path / "other") as folder:
        other = MedkgDocumentStore(collection=a_collection(folder))
        other.write_documents([read[1], read[2]])
        other.write_documents([read[3], read[0]])
        assert sorted(other.filter_documents(), key=lambda document: document.id) == read
        assert folder.differences() == []
    shown = Medkg(tmp_path / "other")("docs", "show", "1")
    chunk = shown["chunks"][1]
    assert shown["source"] == "files"
    assert shown["text"][chunk["start_char"] : chunk["end_char"]] == "walking again"


def test_a_document_loses_a_chunk_and_keeps_the_others(data: DataFolder, store: MedkgDocumentStore) -> None:
    run(data, {"1": "walking", "2": "sleeping"})
    store.delete_documents([f"files:1:{'1' * 12}:0", "files:1:nothing:0", "nothing"])
    assert data.visible("walking")[0] == ["walking again"]
    assert store.count_documents() == 3
    assert store.delete_by_filter(where("meta.doc_id", "1")) == 1
    assert data.log.find(DocumentKey(tenant_id=TENANT, source="files", doc_id="1")) is None
    assert data.differences() == []


def test_meta_of_a_chunk_is_updated_but_for_its_place(data: DataFolder, store: MedkgDocumentStore) -> None:
    run(data, {"1": "walking"})
    assert store.update_by_filter(where("meta.ordinal", 1), {"note": "seen"}) == 1
    assert ids(store, where("meta.note", "seen")) == [f"files:1:{'1' * 12}:1"]
    assert data.differences() == []
    with pytest.raises(UsageError, match=r"ordinal, source of document files:1:"):
        store.update_by_filter(where("meta.ordinal", 1), {"source": "pmc", "ordinal": 2})


def test_a_new_version_replaces_all_chunks_of_the_previous(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    run(data, {"1": "walking"})
    previous = store.filter_documents()
    run(data, {"1": "running"}, version="2")
    assert store.write_documents(previous[:1]) == 1
    assert ids(store) == [previous[0].id]
    both = [
        previous[0],
        Document(
            id=f"files:1:{'2' * 12}:1",
            content=previous[1].content,
            meta={**previous[1].meta, "version": "2" * 64},
        ),
    ]
    with pytest.raises(MalformedDocumentError, match="two versions of 1"):
        store.write_documents(both, OVERWRITE)


def test_an_id_of_another_documents_chunk_is_refused(data: DataFolder, store: MedkgDocumentStore) -> None:
    run(data, {"1": "walking"})
    (first, _) = ids(store)
    with pytest.raises(MalformedDocumentError, match=r"id of a chunk of files 1"):
        store.write_documents([Document(id=first, content="walking")], OVERWRITE)


def test_chunks_that_contradict_their_document_are_refused(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    store.write_documents([Document(content="something else")])
    run(data, {"1": "walking"})
    read = sorted(store.filter_documents(where("meta.doc_id", "1")), key=lambda document: document.id)
    moved = Document(
        id=read[1].id, content=read[1].content, meta={**read[1].meta, "start_char": 3, "end_char": 16}
    )
    with pytest.raises(MalformedDocumentError, match=r"is not what stands at characters"):
        store.write_documents([moved], OVERWRITE)
    assert data.visible("walking")[0] == ["walking", "walking again"]


# --- several at once, and failures ------------------------------------------------------------------


def test_threads_write_and_delete_at_once(data: DataFolder, store: MedkgDocumentStore) -> None:
    def work(number: int) -> None:
        documents = [Document(id=f"{number}-{part}", content=f"walking {number} {part}") for part in range(5)]
        store.write_documents(documents)
        store.write_documents([Document(id="shared", content=f"shared {number}")], OVERWRITE)
        store.delete_documents([documents[0].id])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert store.count_documents() == 8 * 4 + 1
    assert data.differences() == []


def test_a_document_in_the_hands_of_another_writer_is_reported(
    data: DataFolder, store: MedkgDocumentStore, tmp_path: Path
) -> None:
    document = Document(content="walking")
    held: list[str] = []
    with opened(tmp_path) as others:
        claim = others.ledger.windows.claim

        def held_back(job_id: str, limit: int, reserved_by: str | None = None) -> str | None:
            held.append(claim(job_id, limit, own_identity()) or "")
            raise KeyboardInterrupt

        others.ledger.windows.claim = held_back  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            MedkgDocumentStore(collection=a_collection(others)).write_documents([document])
    with pytest.raises(LeaseLostError, match="1 of 1 documents are in the hands of another"):
        store.write_documents([document])
    data.ledger.windows.release(held[0], "it gave up")
    assert store.write_documents([document]) == 1


@pytest.mark.parametrize("store_name", ["_search", "_vectors"])
def test_a_write_that_fails_leaves_the_previous_version_and_is_repeated_whole(
    data: DataFolder, store: MedkgDocumentStore, monkeypatch: pytest.MonkeyPatch, store_name: str
) -> None:
    store.write_documents([Document(id="w", content="walking")])
    changed = [Document(id="w", content="running"), Document(id="new", content="sleeping")]

    def full(*_: object) -> None:
        raise MedkgError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(getattr(data.index, store_name), "write", full)
        with pytest.raises(MedkgError, match="full"):
            store.write_documents(changed, OVERWRITE)
    assert [document.content for document in store.filter_documents()] == ["walking"]
    store.write_documents(changed, OVERWRITE)
    assert sorted(str(document.content) for document in store.filter_documents()) == [
        "running",
        "sleeping",
    ]
    data.index.recover(lambda owner: False)
    assert data.differences() == []


@pytest.mark.parametrize("boundary", ["search", "vectors", "commit", "clean"])
def test_a_writer_killed_at_any_boundary_leaves_one_version_whole_and_the_next_write_cleans_up(
    data: DataFolder, store: MedkgDocumentStore, tmp_path: Path, boundary: str
) -> None:
    run(data, {"1": "walking", "2": "sleeping"})
    command = [sys.executable, __file__, str(tmp_path), boundary]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    dead = subprocess.run(command, cwd=ROOT, env=environment, timeout=PATIENCE, check=False)
    assert dead.returncode == -signal.SIGKILL
    new = {"w", "v"} if boundary == "clean" else set[str]()
    assert {document.id for document in store.filter_documents(where("meta.source", "files", "!="))} == new
    store.write_documents([Document(id="w", content="walking"), Document(id="x", content="lying")], OVERWRITE)
    assert data.differences() == []
    assert {document.id for document in store.filter_documents(where("id", ["w", "x"], "in"))} == {"w", "x"}


def test_a_chunk_that_the_search_store_lost_is_reported(data: DataFolder, store: MedkgDocumentStore) -> None:
    run(data, {"1": "walking"})
    (commit,) = data.log.committed(TENANT)
    data.search.discard(TENANT, commit.intent_id, None)
    with pytest.raises(StoreCorruptError, match=r"0 of the 2 chunks of 1.*--repair"):
        store.filter_documents()


def test_a_filter_of_what_documents_are_read_without_is_refused(store: MedkgDocumentStore) -> None:
    with pytest.raises(FilterError, match="without embedding"):
        store.filter_documents(where("embedding", None, "!="))


# --- kept as YAML -----------------------------------------------------------------------------------


def test_every_parameter_outlives_a_round_trip() -> None:
    parameters = {"data_dir": "/data", "tenant_id": "oncology", "profile": "gpu"}
    serialized = MedkgDocumentStore(**parameters).to_dict()  # type: ignore[arg-type]
    assert serialized["init_parameters"] == parameters
    assert MedkgDocumentStore.from_dict(serialized).to_dict() == serialized
    own = HaystackIndexWriter(**parameters, policy=DuplicatePolicy.SKIP).to_dict()  # type: ignore[arg-type]
    assert own["init_parameters"] == {**parameters, "policy": "SKIP"}
    assert HaystackIndexWriter.from_dict(own).to_dict() == own
    pipeline = Pipeline()
    writer = HaystackIndexWriter(document_store=MedkgDocumentStore(**parameters))  # type: ignore[arg-type]
    pipeline.add_component("writer", writer)
    assert writer.to_dict()["init_parameters"]["document_store"] == serialized
    text = pipeline.dumps()
    assert Pipeline.loads(text, allowed_modules=["orchestration.*"]).dumps() == text


def test_one_that_was_given_a_collection_says_why_it_cannot_be_kept(store: MedkgDocumentStore) -> None:
    with pytest.raises(SerializationError, match="data_dir"):
        store.to_dict()


def test_what_opens_a_folder_and_what_is_open_do_not_go_together(store: MedkgDocumentStore) -> None:
    with pytest.raises(UsageError, match="not both"):
        MedkgDocumentStore(data_dir="/data", collection=store.collection)
    with pytest.raises(UsageError, match="not both"):
        HaystackIndexWriter(tenant_id="oncology", document_store=store)


# --- dying ------------------------------------------------------------------------------------------


def write_and_die(folder: Path, boundary: str) -> None:
    with opened(folder) as data:
        index: Any = data.index
        if boundary == "search":
            index._search.write = lambda *_: die()
        elif boundary == "vectors":
            index._vectors.write = lambda *_: die()
        elif boundary == "commit":
            data.ledger.outcomes.finish = lambda *_: die()  # type: ignore[method-assign, assignment]
        else:
            index.clean = lambda *_: die()
        store = MedkgDocumentStore(collection=a_collection(data))
        store.write_documents([Document(id="w", content="walking fast"), Document(id="v", content="flying")])


if __name__ == "__main__":
    write_and_die(Path(sys.argv[1]), sys.argv[2])
