"""Documents of other encoders and lost vectors are reported by search, status and doctor, with what to do.

The models of the folder are the configured ones in name only: no model is loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from orchestration.assembly import Assembly, open_data_folder
from orchestration.contracts import Filters
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.orchestration.haystack.collection import CountedLetters
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import MODEL, WORDS, DataFolder, Pairing, opened

OTHER = "another-encoder@2"


@dataclass
class Folder:
    """A data folder with four documents of two intents."""

    path: Path
    pairing: Pairing
    models: dict[str, str]
    """Those that are configured; the loaded ones, too, but for `loaded`."""
    loaded: dict[str, str] = field(default_factory=dict)

    def opened(self) -> Any:
        return opened(self.path, pairing=self.pairing)

    def search(self, *legs: str) -> list[str]:
        """What a search reports when it is opened."""
        lines: list[str] = []
        with open_data_folder(load_settings(data_dir=self.path, tenant=TENANT)) as data_folder:
            data_folder.searches.search("walking", 5, Filters(), legs or None, lines.append)
        return lines

    def status(self) -> list[str]:
        return list(Medkg(self.path, TENANT)("status")["problems"])

    def doctor(self, check: str) -> tuple[bool, str]:
        with open_data_folder(load_settings(data_dir=self.path, tenant=TENANT)) as data_folder:
            (row,) = [row for row in data_folder.doctor()["checks"] if row["check"] == check]
        return row["ok"], row["detail"]


class NamedModels(CountedLetters):
    """Models that count letters, under any names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def model_ids(self) -> Mapping[str, str]:
        return self._names


@pytest.fixture(
    params=["sqlite+faiss", pytest.param("opensearch", marks=pytest.mark.needs_service("opensearch"))]
)
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Folder]:
    with ExitStack() as stack:
        pairing = Pairing()
        if request.param == "opensearch":
            prefix = stack.enter_context(own_prefix(stack.enter_context(connected())))
            pairing = Pairing("opensearch", "opensearch", SERVER, prefix)
            monkeypatch.setenv("MEDKG_OPENSEARCH_URL", SERVER)
            monkeypatch.setenv("MEDKG_OPENSEARCH_PREFIX", prefix)
            monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
            monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
        with opened(tmp_path, pairing=pairing) as data:
            data.ingest({"1": "walking", "2": "sleeping", "3": "running"})
            data.ingest({"4": "swimming"})
        folder = Folder(tmp_path, pairing, {"dense": MODEL, "sparse": WORDS})
        monkeypatch.setattr(Assembly, "model_ids", lambda assembly: folder.models)
        monkeypatch.setattr(Assembly, "sparse_off", lambda assembly: None)
        monkeypatch.setattr(
            Assembly, "models", lambda assembly, legs, say: NamedModels(folder.loaded or folder.models)
        )
        yield folder


ENCODERS = "documents are of these models"
CHUNKS = "chunks are whole"
WHOLE = "vectors are whole"


def test_an_index_of_the_configured_models_has_no_problems(folder: Folder) -> None:
    assert folder.search() == folder.status() == []
    assert folder.doctor(ENCODERS) == folder.doctor(CHUNKS) == folder.doctor(WHOLE) == (True, "4 documents")


def test_an_empty_folder_has_no_problems(tmp_path: Path) -> None:
    assert Medkg(tmp_path / "new", TENANT)("status")["problems"] == []


@pytest.mark.parametrize(
    ("changed", "legs", "lines"),
    [
        (
            {"dense": OTHER},
            ("dense",),
            [
                f"4 of 4 documents were embedded by another model than {OTHER}, so the dense leg may miss "
                "them: `medkg reembed` embeds them by this one"
            ],
        ),
        (
            {"sparse": OTHER},
            ("sparse",),
            [
                f"4 of 4 documents have no term weights of {OTHER}, so the sparse leg misses them: run their "
                "sources again, or set MEDKG_SPARSE_MODEL as it was"
            ],
        ),
        (
            {"dense": OTHER, "sparse": OTHER},
            ("dense", "sparse"),
            [
                f"4 of 4 documents were embedded by another model than {OTHER}, so the dense leg may miss "
                "them: run their sources again, which embeds them by this one",
                f"4 of 4 documents have no term weights of {OTHER}, so the sparse leg misses them: run their "
                "sources again, or set MEDKG_SPARSE_MODEL as it was",
            ],
        ),
    ],
    ids=["dense", "sparse", "both"],
)
def test_documents_of_another_encoder_are_counted_with_the_next_step(
    folder: Folder, changed: dict[str, str], legs: tuple[str, ...], lines: list[str]
) -> None:
    folder.models |= changed
    assert folder.search() == folder.status() == lines
    assert folder.search("bm25") == []
    for other in {"dense", "sparse"}.difference(legs):
        assert folder.search("bm25", other) == []
    assert folder.doctor(ENCODERS) == (False, ". ".join(lines) + ".")
    assert Medkg(folder.path, TENANT)("doctor", expect=2)["healthy"] is False


def test_documents_without_term_weights_are_counted_once_there_is_a_sparse_model(folder: Folder) -> None:
    del folder.models["sparse"]
    assert folder.status() == []
    with folder.opened() as data:
        data.search.write(TENANT, intent_of(data, "4"), chunks_of_intent(data, "4"), None)
    assert folder.status() == []
    folder.models["sparse"] = WORDS
    assert folder.status() == [
        f"1 of 4 documents have no term weights of {WORDS}, so the sparse leg misses them: run their sources "
        "again, or set MEDKG_SPARSE_MODEL as it was"
    ]


def test_a_plane_of_the_previous_model_is_reported(folder: Folder) -> None:
    folder.loaded = dict(folder.models)
    folder.models["dense"] = OTHER
    assert folder.search() == [
        f"the plane searches by {MODEL}, and {OTHER} is configured: `medkg reembed` embeds the documents by "
        "it and switches the plane"
    ]


@pytest.mark.parametrize("lost", ["1", "4"])
def test_a_lost_segment_is_reported_without_verify(folder: Folder, lost: str) -> None:
    with folder.opened() as data:
        data.vectors.discard(TENANT, intent_of(data, lost))
    count = {"1": 3, "4": 1}[lost]
    line = (
        f"vectors of up to {count} of 4 documents are lost, so the dense leg misses them: `medkg verify "
        "--repair` makes them again"
    )
    assert folder.search() == folder.search("dense") == folder.status() == [line]
    assert folder.search("bm25", "sparse") == []
    assert folder.doctor(WHOLE) == (False, f"{line}.")
    with folder.opened() as data:
        assert data.repair().restored == {"vectors": count}
    assert folder.search() == folder.status() == []


@pytest.mark.parametrize(("lost", "count"), [("1", 3), ("4", 1)])
def test_chunks_lost_from_the_search_store_are_reported_without_verify(
    folder: Folder, lost: str, count: int
) -> None:
    with folder.opened() as data:
        (key,) = {commit.key for commit in data.log.committed(TENANT) if commit.key.doc_id == lost}
        data.search.discard(TENANT, intent_of(data, lost), [key])
    line = (
        f"chunks of up to {count} of 4 documents are lost, so words and terms miss them: `medkg verify "
        "--repair` makes them again"
    )
    assert line in folder.search() and line in folder.status()
    assert folder.search("bm25") == [line]
    assert line not in folder.search("dense")
    assert folder.doctor(CHUNKS) == (False, f"{line}.")
    with folder.opened() as data:
        assert data.repair().restored == {"search": 1}
    assert folder.search() == folder.status() == []


def test_a_lost_index_of_vectors_is_reported(folder: Folder) -> None:
    if folder.pairing.vectors == "faiss":
        shutil.rmtree(folder.path / "vectors")
    else:
        with connected() as connection:
            for index in connection.client.indices.get(index=f"{folder.pairing.prefix}-vectors.*"):
                connection.client.indices.delete(index=index)
    (line,) = folder.status()
    assert line.startswith("vectors of up to 4 of 4 documents are lost")
    assert folder.search() == [line]


@pytest.mark.parametrize("bytes_left", [0, 30, 400, -1])
@pytest.mark.parametrize("folder", ["sqlite+faiss"], indirect=True)
def test_a_segment_that_was_cut_off_is_lost(folder: Folder, bytes_left: int) -> None:
    with folder.opened() as data:
        (path,) = folder.path.rglob(f"{intent_of(data, '4')}.segment")
    content = path.read_bytes()
    path.write_bytes(content[:bytes_left])
    (line,) = folder.status()
    assert line.startswith("vectors of up to 1 of 4 documents are lost")


def test_what_a_live_writer_has_not_committed_is_no_problem(folder: Folder) -> None:
    with folder.opened() as data:
        data.stage({"5": "cycling"})
        assert folder.search() == folder.status() == []


@pytest.mark.needs_service("opensearch")
def test_a_server_that_does_not_answer_is_a_problem_and_status_still_shows_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        connected() as connection,
        own_prefix(connection) as prefix,
        opened(tmp_path, pairing=Pairing("opensearch", "opensearch", SERVER, prefix)) as data,
    ):
        data.ingest({"1": "walking"})
    monkeypatch.setattr(Assembly, "model_ids", lambda assembly: {"dense": MODEL, "sparse": WORDS})
    monkeypatch.setenv("MEDKG_OPENSEARCH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
    value = Medkg(tmp_path, TENANT)("status")
    assert value["vectors"] == {MODEL: 1}
    (problem,) = value["problems"]
    assert problem.startswith("OpenSearch at http://127.0.0.1:9 does not answer")


def intent_of(data: DataFolder, doc_id: str) -> str:
    (intent_id,) = {commit.intent_id for commit in data.log.committed(TENANT) if commit.key.doc_id == doc_id}
    return intent_id


def chunks_of_intent(data: DataFolder, doc_id: str) -> list[Any]:
    (key,) = {commit.key for commit in data.log.committed(TENANT) if commit.key.doc_id == doc_id}
    return [(key, chunk) for chunk in data.search.document_chunks(key, intent_of(data, doc_id))]
