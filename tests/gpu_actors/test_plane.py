"""The plane with the real model: what clients get, and who may ask for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray._private.worker import global_worker

from gpu_actors.batches.pieces import SparseRow
from gpu_actors.components.embedder import HaystackEmbedder
from gpu_actors.plane import LocalModels, RayPlane, connect_plane
from gpu_actors.profiles import chosen_profile, find_model
from medkg.testing.builders import a_document
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError, PlaneUnavailableError
from orchestration.host.environment import RAY_SOCKET
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.plane

TIMEOUT = PATIENCE
LOCAL = LocalModels(chosen_profile("cpu"))


def cosine(row: SparseRow, other: SparseRow) -> float:
    """Of two sparse rows."""
    weights = dict(zip(*(part.tolist() for part in other), strict=True))
    shared = sum(value * weights.get(term, 0.0) for term, value in zip(*row, strict=True))
    return float(shared / (np.linalg.norm(row[1]) * np.linalg.norm(other[1])))


def test_no_socket_of_ray_is_deeper_than_its_folder_has_room_for(plane: RayPlane) -> None:
    assert global_worker.node is not None
    folder = Path(global_worker.node.get_temp_dir_path())
    sockets = [path for path in folder.rglob("*") if path.is_socket() and "session_latest" not in path.parts]
    assert sockets
    assert max(len(str(path.relative_to(folder))) for path in sockets) <= len(RAY_SOCKET)


def test_a_plane_without_a_dashboard_has_none_of_ray_s_processes_that_it_does_not_use(
    plane: RayPlane,
) -> None:
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert sum("gcs_server" in command for command in commands) == 1
    unused = ("log_monitor", "LogMonitor", "monitor.py", "DashboardHead", "dashboard.py")
    assert [command for command in commands if any(script in command for script in unused)] == []


def test_ray_leaves_this_process_its_own_handler_of_sigterm(sigterm_handler: Any, plane: RayPlane) -> None:
    assert signal.getsignal(signal.SIGTERM) is sigterm_handler


def test_vectors_come_in_the_order_of_the_texts(plane: RayPlane) -> None:
    texts = [f"{'Walking is cheap. ' * (number % 17)}Sleep {number}." for number in range(150)]

    vectors = plane.embed(texts, TIMEOUT)

    expected = LOCAL.embed_texts(texts)
    assert vectors.dense.shape == (150, 384) and vectors.dense.dtype == np.float32 and not vectors.errors
    assert (vectors.dense * expected).sum(axis=1).min() >= 0.999
    terms = LOCAL.encode_sparse_queries(texts)
    assert vectors.sparse is not None and vectors.sparse.vocabulary == terms.vocabulary == 30_522
    for number in range(150):
        # two processes may choose different dtypes; their least cosine: docs/decisions/0006-plane.md
        assert cosine(vectors.sparse.row(number), terms.row(number)) >= 0.995


def test_a_too_long_text_is_the_error_of_its_row(plane: RayPlane) -> None:
    vectors = plane.embed(["short", "walk " * 700, "also short"], TIMEOUT)

    assert vectors.sparse is not None and np.diff(vectors.sparse.indptr).all()  # terms come in pieces
    assert list(vectors.errors) == [1] and isinstance(vectors.errors[1], EmbeddingInputTooLongError)
    assert not vectors.dense[1].any() and vectors.dense[2].any()


def test_nothing_to_embed_is_no_vectors(plane: RayPlane) -> None:
    vectors = plane.embed([], TIMEOUT)
    assert vectors.dense.shape == (0, 384)
    assert vectors.sparse is not None and len(vectors.sparse) == 0


def test_documents_are_chunked_each_under_its_profile_and_one_bad_one_fails_alone(plane: RayPlane) -> None:
    documents = [a_document(doc_id=f"d{number}") for number in range(40)]
    profiles = ["default"] * 39 + ["nonsense"]

    outcomes = plane.chunk(documents, profiles, TIMEOUT)

    assert isinstance(outcomes[39], ConfigurationError)
    for document, chunks in zip(documents[:39], outcomes[:39], strict=True):
        assert isinstance(chunks, list) and [chunk.doc_id for chunk in chunks] == [document.doc_id]


def test_use_counts_what_this_client_asked_for(plane: RayPlane) -> None:
    before = plane.use()
    plane.embed(["Walking is cheap."] * 30, TIMEOUT)
    plane.chunk([a_document()], ["default"], TIMEOUT)
    after = plane.use()

    assert after.tokens - before.tokens == 2 * 30 * 6  # by each of two models
    assert after.model_seconds > before.model_seconds
    for component in ("dense", "sparse", "chunk"):
        assert after.cpu_seconds[component] > before.cpu_seconds.get(component, 0)


def test_threads_share_a_client(plane: RayPlane) -> None:
    def first(number: int) -> np.ndarray:
        return np.asarray(plane.embed([f"text {number}"] * 5, TIMEOUT).dense[0])

    with ThreadPoolExecutor(4) as threads:
        vectors = list(threads.map(first, range(8)))

    assert (np.array(vectors) * LOCAL.embed_texts([f"text {n}" for n in range(8)])).sum(1).min() > 0.999


def test_another_process_attaches_to_the_loaded_model(plane: RayPlane) -> None:
    client = (
        "import json, sys; from gpu_actors.plane import chosen_profile, connect_plane;"
        "plane = connect_plane(chosen_profile('cpu'), address=sys.argv[1]);"
        "print(json.dumps([plane.health()['embedders'][0]['pid'], plane.embed_queries(['sleep']).shape]));"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", client, plane.address], check=True, stdout=subprocess.PIPE, text=True
    )

    assert json.loads(done.stdout) == [plane.health()["embedders"][0]["pid"], [1, 384]]


def test_a_client_with_another_model_gets_an_error_that_names_it(plane: RayPlane, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (other / name).symlink_to(find_model("all-MiniLM-L6-v2").files / name)

    with pytest.raises(PlaneUnavailableError, match="another model"):
        connect_plane(chosen_profile("cpu", str(other)), address=plane.address)


def test_a_client_without_the_clusters_token_is_refused(plane: RayPlane) -> None:
    client = (
        "import sys; from gpu_actors.plane import chosen_profile, connect_plane;"
        "connect_plane(chosen_profile('cpu'), address=sys.argv[1])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    environment["RAY_NUM_REDIS_GET_RETRIES"] = "2"  # how often Ray asks the cluster, a second apart

    refused = subprocess.run(
        [sys.executable, "-c", client, plane.address],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert refused.returncode != 0 and "PlaneUnavailableError" in refused.stderr


def test_the_actors_hold_haystack_components() -> None:
    embedder = HaystackEmbedder("cpu")

    assert hasattr(embedder, "__haystack_input__")


def test_messages_of_ray_to_a_driver_are_logged_and_stdout_has_the_answer_only(
    plane: RayPlane, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from ray._private.utils import push_error_to_driver
    from ray._private.worker import global_worker

    job = global_worker.current_job_id
    push_error_to_driver(global_worker, "worker_died", "A worker of this test died.", job)
    wait_until(lambda: "A worker of this test died." in caplog.text)

    assert capsys.readouterr().out == ""
