"""Re-embedding: vectors of a second model beside the first, then a switch that readers see as one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from gpu_actors.plane import LocalModels
from gpu_actors.profiles import chosen_profile, find_model
from medkg.testing.builders import TENANT, a_context, a_shallower_model, an_abstract, json_lines
from orchestration.contracts import Filters, TextModels
from orchestration.errors import DagsterPipelineConfigError, EmbeddingInputTooLongError, UsageError
from orchestration.operations.parts import Parts, Stores
from orchestration.operations.reembedding import Reembedded, exclusive, reembed
from orchestration.records import DocumentKey, Fingerprints, Float32Matrix
from orchestration.settings import Settings
from orchestration.stores.faiss.segments import read_segment
from tests.orchestration.command_line import Medkg
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import MODEL, WORDS, DataFolder, Pairing, encode, opened
from tests.waiting import PATIENCE

NEW_MODEL = "backwards@2"


def a_key(doc_id: str) -> DocumentKey:
    return a_context(doc_id, source="files").key


class Backwards:
    """Vectors of another width, of texts that hold no "endless"; `before` is called with each request."""

    def __init__(self, before: Callable[[Sequence[str]], None] = lambda texts: None) -> None:
        self.before = before
        self.embedded: list[str] = []

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        self.before(texts)
        if any("endless" in text for text in texts):
            raise EmbeddingInputTooLongError("a text does not fit the model")
        self.embedded += texts
        return np.ascontiguousarray(np.pad(encode(texts)[:, ::-1], ((0, 0), (0, 4)))), NEW_MODEL


@dataclass
class FolderParts:
    """The parts of a data folder that re-embedding asks for."""

    settings: Settings
    data: DataFolder
    sparse: str = WORDS
    pipelines: tuple[str, ...] = ("auto",)
    messages: list[str] = field(default_factory=list)

    @property
    def ledger(self) -> Any:
        return self.data.ledger

    @property
    def stores(self) -> Stores:
        return Stores(self.data.search, self.data.vectors, self.data.documents)

    @property
    def index(self) -> Any:
        return self.data.index

    def model_ids(self) -> Mapping[str, str]:
        return {"dense": NEW_MODEL, "sparse": self.sparse}

    def fingerprints(self, pipeline: str, dense_model: str) -> Mapping[str, Fingerprints]:
        if pipeline not in self.pipelines:
            raise DagsterPipelineConfigError(f"no pipeline {pipeline}")
        return {"text": Fingerprints("p" * 64, {MODEL: "f" * 64, NEW_MODEL: "b" * 64}[dense_model])}

    def reembed(self, models: Backwards, *, drop_former: bool = False) -> Reembedded:
        return reembed(
            cast(Parts, self), lambda: cast(TextModels, models), self.messages.append, drop_former=drop_former
        )

    def found(self, query: str) -> list[str]:
        """Documents that the new model finds, best first."""
        commits = {commit.key: commit.intent_id for commit in self.data.log.committed(TENANT)}
        vector = Backwards().embed_texts([query])[0][0]
        candidates = self.data.vectors.search(
            TENANT, NEW_MODEL, vector, 100, Filters(), lambda ref: commits.get(ref.key) == ref.intent_id
        )
        return list(dict.fromkeys(candidate.ref.key.doc_id for candidate in candidates))


@pytest.fixture(
    params=["sqlite+faiss", pytest.param("opensearch", marks=pytest.mark.needs_service("opensearch"))]
)
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderParts]:
    with ExitStack() as stack:
        pairing = Pairing()
        if request.param == "opensearch":
            prefix = stack.enter_context(own_prefix(stack.enter_context(connected())))
            pairing = Pairing("opensearch", "opensearch", SERVER, prefix)
        data = stack.enter_context(opened(tmp_path, pairing=pairing))
        data.ingest({"1": "walking", "2": "sleeping"})
        data.ingest({"3": "running", "4": "swimming"})
        yield FolderParts(Settings(data_dir=tmp_path), data)


def test_documents_are_found_by_the_new_model_and_count_as_made_with_it(parts: FolderParts) -> None:
    visible = parts.data.visible("walking")

    done = parts.reembed(Backwards())

    assert (done.model, done.documents, done.switched, done.left) == (NEW_MODEL, 4, 4, {})
    assert parts.found("walking")[0] == "1" and sorted(parts.found("walking")) == ["1", "2", "3", "4"]
    assert parts.data.visible("walking") == visible  # by the previous model, for those that still ask it
    commits = list(parts.data.log.committed(TENANT))
    assert {commit.namespace for commit in commits} == {NEW_MODEL}
    assert {commit.fingerprint for commit in commits} == {"b" * 64}
    assert parts.data.differences() == []
    held = {fingerprint for _, _, fingerprint in parts.data.documents.held(TENANT)}
    assert held == {"b" * 64}


def test_a_second_time_there_is_nothing_to_do(parts: FolderParts) -> None:
    parts.reembed(Backwards())
    models = Backwards()
    done = parts.reembed(models)
    assert (done.documents, done.switched, models.embedded) == (0, 0, [])


def test_vectors_of_the_previous_model_go_when_they_are_to(parts: FolderParts) -> None:
    assert parts.reembed(Backwards(), drop_former=True).switched == 4
    assert list(parts.data.vectors.holdings(TENANT, namespace=MODEL)) == []
    assert len(parts.found("walking")) == 4
    assert parts.data.differences() == []


def test_interrupted_it_has_changed_nothing_for_readers_and_goes_on_where_it_was(parts: FolderParts) -> None:
    models = Backwards()

    def interrupt(texts: Sequence[str]) -> None:
        if models.embedded:
            raise KeyboardInterrupt

    models.before = interrupt
    visible = parts.data.visible("walking")
    with pytest.raises(KeyboardInterrupt):
        parts.reembed(models)
    assert len(models.embedded) == 4
    assert parts.data.visible("walking") == visible
    assert parts.data.log.namespaces(TENANT) == {MODEL: 4}
    assert parts.data.differences() == []

    again = Backwards()
    assert parts.reembed(again).switched == 4
    assert len(again.embedded) == 4 and not set(again.embedded) & set(models.embedded)


def test_a_document_that_is_replaced_meanwhile_is_caught_up_with(parts: FolderParts) -> None:
    def replace(texts: Sequence[str]) -> None:
        if "walking" in texts and not parts.messages[1:]:
            parts.data.ingest({"1": "walking home", "9": "waking"}, version="2")
            parts.messages.append("replaced")

    done = parts.reembed(Backwards(replace))

    assert done.switched == 5
    assert sorted(parts.found("walking")) == ["1", "2", "3", "4", "9"]
    assert parts.data.differences() == []


def test_a_document_that_is_deleted_meanwhile_leaves_no_vectors(parts: FolderParts) -> None:
    def delete(texts: Sequence[str]) -> None:
        parts.data.index.clean(parts.data.ledger.documents.delete([a_key("1")]))

    assert parts.reembed(Backwards(delete)).switched == 3
    assert {holding.key.doc_id for holding in parts.data.vectors.holdings(TENANT)} == {"2", "3", "4"}
    assert parts.data.differences() == []


def test_a_document_that_the_model_cannot_take_stays_as_it_is_and_is_named(parts: FolderParts) -> None:
    parts.data.ingest({"5": "endless", "6": "short"})
    done = parts.reembed(Backwards(), drop_former=True)
    assert done.left == {"5": "a text does not fit the model"}
    assert done.switched == 5
    assert parts.data.log.namespaces(TENANT) == {MODEL: 1, NEW_MODEL: 5}
    left = parts.data.log.find(a_key("5"))
    assert left is not None and left.fingerprint == "f" * 64  # its source's next run makes it again
    assert "5" in {holding.key.doc_id for holding in parts.data.vectors.holdings(TENANT, namespace=MODEL)}
    assert parts.data.differences() == []


def test_documents_of_a_pipeline_that_is_gone_keep_their_fingerprint(parts: FolderParts) -> None:
    parts.pipelines = ()
    assert parts.reembed(Backwards()).switched == 4
    commits = list(parts.data.log.committed(TENANT))
    assert {(commit.namespace, commit.fingerprint) for commit in commits} == {(NEW_MODEL, "f" * 64)}
    assert parts.data.differences() == []


def test_another_sparse_model_is_refused_before_anything_is_made(parts: FolderParts) -> None:
    parts.sparse = "splade@9"
    models = Backwards()
    with pytest.raises(UsageError, match=r"beginnings.*splade@9.*MEDKG_SPARSE_MODEL"):
        parts.reembed(models)
    assert models.embedded == []


def test_two_at_once_are_refused(parts: FolderParts) -> None:
    with exclusive(parts.settings), pytest.raises(UsageError, match="another process re-embeds or erases"):
        parts.reembed(Backwards())
    parts.reembed(Backwards())


# --- with real models, a running plane and searches that go on ------------------------------------------

DOCUMENTS = 60


@pytest.fixture
def medkg(tmp_path: Path) -> Iterator[Medkg]:
    command = Medkg(tmp_path / "data")
    command("up")
    yield command
    command("down")


@pytest.mark.plane
def test_searches_find_everything_before_during_and_after_the_switch(
    medkg: Medkg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_shallower_model(find_model("all-MiniLM-L6-v2").files, tmp_path / "shallow")
    source = tmp_path / "abstracts.jsonl"
    source.write_bytes(json_lines([an_abstract(str(number)) for number in range(DOCUMENTS)]))
    medkg("run", "auto", "--path", str(source))
    ended = threading.Event()
    answers: list[tuple[int, list[str]]] = []

    def search_on() -> None:
        while not ended.is_set():
            stdout, _ = medkg.process(
                "search", "walk", "--legs", "dense", "--top", "100", "--json"
            ).communicate(timeout=PATIENCE)
            answer = json.loads(stdout)
            answers.append((len({hit["doc_id"] for hit in answer["hits"]}), answer["degraded"]))

    searches = threading.Thread(target=search_on)
    searches.start()
    monkeypatch.setenv("MEDKG_EMBEDDING_MODEL", str(other))
    done = medkg("reembed", "--drop-former")
    ended.set()
    searches.join()

    assert done["documents"] == done["switched"] == DOCUMENTS and done["model"].startswith("shallow@")
    assert answers and all(answer == (DOCUMENTS, []) for answer in answers)
    status = medkg("status")
    assert status["host"]["models"]["dense"] == done["model"]
    assert status["vectors"] == {done["model"]: DOCUMENTS}
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}
    again = medkg("run", "auto", "--path", str(source))["documents"]
    assert (again["skipped"], again["committed"]) == (DOCUMENTS, 0)
    body = medkg("docs", "show", "7")["chunks"][0]["body"]
    expected = LocalModels(chosen_profile("cpu", str(other))).embed_texts([body])[0]
    segments = [read_segment(path) for path in (medkg.data_dir / "vectors").rglob("*.segment")]
    assert max(float((segment.dense @ expected).max()) for segment in segments) > 0.99
    assert sum(len(segment.rows) for segment in segments) == DOCUMENTS
