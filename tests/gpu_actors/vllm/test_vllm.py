"""A real vLLM server: parity, refusals, JSON answers, death and restart. Needs vLLM (make vllm)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.components.embedder import HaystackEmbedder
from gpu_actors.encoders.vllm_encoder import VllmEncoder
from gpu_actors.plane import RayPlane
from gpu_actors.pools.pool import Pool, ReplicaKind, start_pool
from gpu_actors.pools.replicas import EmbedderReplica
from gpu_actors.pools.rows import dense_rows
from gpu_actors.profiles import Profile, chosen_profile, find_model
from gpu_actors.vllm.process_group import run_guarded
from gpu_actors.vllm.server import ServerOptions, VllmServer, find_vllm
from orchestration.errors import (
    ConfigurationError,
    EmbeddingInputTooLongError,
    PlaneUnavailableError,
    StageFailedError,
)
from orchestration.records import Float32Matrix
from tests.gpu_actors.encoders.test_embedding import (
    SHORT_TEXTS,
    TEXTS,
    cosines,
    reference,  # noqa: F401 - a fixture
    reference_of,
    shortened,
)
from tests.gpu_actors.vllm.tiny_qwen import chat_model, embedding_model
from tests.waiting import PATIENCE, wait_until

LOAD = 80
"""Texts that keep a server busy for some seconds."""

COMMAND = Path(__file__).resolve().parents[3] / ".venv-vllm" / "bin" / "vllm"

needs_vllm = pytest.mark.skipif(not COMMAND.is_file(), reason="vLLM is not installed; `make vllm` does it")


@pytest.fixture(scope="module")
def profile() -> Profile:
    return chosen_profile("cpu", engine="vllm", vllm_command=str(COMMAND))


@pytest.fixture(scope="module")
def server(profile: Profile) -> Iterator[VllmServer]:
    options = ServerOptions(
        runner="pooling", device="cpu", dtype="float32", max_tokens=512, batch_tokens=4096
    )
    started = VllmServer(find_vllm(profile.vllm_command), find_model(profile.embedding_model).files, options)
    yield started
    started.close()


# --- without a server -------------------------------------------------------------------------------


def test_a_missing_executable_is_named_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"docs/guides/vllm\.md.*MEDKG_VLLM_COMMAND"):
        find_vllm("/no/such/vllm")


def a_server(folder: Path, script: str) -> Path:
    """An executable that stands for vllm."""
    path = folder / "vllm"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return path


POOLING = ServerOptions(runner="pooling", device="cpu", dtype="float32", max_tokens=512, batch_tokens=4096)


def test_a_server_that_ends_while_starting_is_quoted(tmp_path: Path) -> None:
    broken = a_server(tmp_path, "raise SystemExit('ValueError: no such architecture')")

    with pytest.raises(PlaneUnavailableError, match=r"ended while starting.*no such architecture"):
        VllmServer(str(broken), tmp_path, POOLING)


def test_a_server_sees_its_key_and_neither_ray_nor_thread_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    report = tmp_path / "report.json"
    spy = a_server(
        tmp_path,
        "import json, os, sys\n"
        f"json.dump([dict(os.environ), sys.argv], open({str(report)!r}, 'w'))\n"
        "raise SystemExit('Error: seen enough')",
    )

    with pytest.raises(PlaneUnavailableError):
        VllmServer(str(spy), tmp_path, POOLING)

    environment, arguments = json.loads(report.read_text())
    assert not {name for name in environment if name.startswith(("OMP_", "RAY_"))}
    assert len(environment["VLLM_API_KEY"]) > 20 and environment["VLLM_API_KEY"] not in " ".join(arguments)
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"


@pytest.mark.parametrize("also_the_guard", [False, True])
def test_a_guarded_command_is_ended_with_all_its_children_when_its_owner_dies(
    tmp_path: Path, also_the_guard: bool
) -> None:
    pids = tmp_path / "pids"
    stubborn = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); time.sleep(600)"
    )
    guard = run_guarded([sys.executable, "-c", stubborn], tmp_path / "log", dict(os.environ))
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, process=guard)
    started = [psutil.Process(int(pid)) for pid in pids.read_text().split()]

    if also_the_guard:  # as Ray does to an actor's children
        guard.kill()
    assert guard.stdin is not None
    guard.stdin.close()

    guard.wait(timeout=PATIENCE)
    _, alive = psutil.wait_procs(started, timeout=PATIENCE)
    assert not alive


# --- with one ---------------------------------------------------------------------------------------


def rows(*texts: str) -> list[list[int]]:
    model = find_model("all-MiniLM-L6-v2")
    return [ids.tolist() for ids in TextTokenizer(model.files, 512).token_ids(texts)]


@needs_vllm
def test_vectors_are_those_of_sentence_transformers(
    server: VllmServer,
    reference: Float32Matrix,  # noqa: F811 - the fixture
) -> None:
    vectors = server.embed(rows(*TEXTS))

    assert vectors.dtype == np.float32
    assert cosines(vectors, reference).min() >= 0.9999


@needs_vllm
def test_a_qwen_embedder_pools_the_last_token_and_keeps_the_dimensions_asked_for(tmp_path: Path) -> None:
    folder = embedding_model(tmp_path)
    expected = reference_of(folder, SHORT_TEXTS)
    chosen = chosen_profile("cpu", str(folder), engine="vllm", vllm_command=str(COMMAND), dimensions=16)

    served = VllmEncoder(chosen)
    try:
        vectors = served.embed(SHORT_TEXTS)
    finally:
        served.close()

    assert vectors.shape == (len(SHORT_TEXTS), 16) and served.model_id.endswith(":16")
    assert cosines(vectors, shortened(expected, 16)).min() >= 0.999


@needs_vllm
def test_a_row_that_is_too_long_is_refused_and_not_cut(server: VllmServer) -> None:
    with pytest.raises(EmbeddingInputTooLongError, match="512 tokens"):
        server.embed(rows("walk " * 600))


@needs_vllm
def test_other_refusals_are_named(server: VllmServer) -> None:
    with pytest.raises(StageFailedError, match="out of vocabulary"):
        server.embed([[99_999_999]])


@needs_vllm
def test_a_wrong_key_and_a_wrong_model_are_configuration_errors(
    server: VllmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(server._client.headers, "Authorization", "Bearer wrong")
    with pytest.raises(ConfigurationError, match="401"):
        server.embed(rows("sleep"))
    monkeypatch.undo()
    monkeypatch.setattr("gpu_actors.vllm.server.SERVED_NAME", "another-model")
    with pytest.raises(ConfigurationError, match="404"):
        server.embed(rows("sleep"))
    assert httpx.get(f"{server._client.base_url}/v1/models", trust_env=False).status_code == 401


@needs_vllm
def test_an_embedder_killed_under_load_loses_nothing_and_leaves_nothing(
    plane: RayPlane, profile: Profile, exact_only: None
) -> None:
    """The server's death is the replica's, which Ray restarts; nothing is lost or computed twice."""
    pool = start_pool("vllm", ReplicaKind(EmbedderReplica, profile, profile.dense_lanes), 1)
    pool.wait_until_ready(PATIENCE)
    tokenizer = TextTokenizer(find_model(profile.embedding_model).files, 512)
    texts = [f"{number} " + "walking and sleeping " * 60 for number in range(LOAD)]
    before = HaystackEmbedder("cpu").model.embed(texts)
    servers = of_replica(pool)
    assert len(servers) > 1
    seconds_before = {each: cpu_seconds(each) for each in servers}

    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(dense_rows, pool, tokenizer.token_ids(texts), TokenBudget(4096), PATIENCE)
        while not (busy := [each for each in servers if cpu_seconds(each) - seconds_before[each] > 0.3]):
            assert not pending.done()
        max(busy, key=cpu_seconds).kill()
        vectors, outcome = pending.result()

    assert not outcome.errors
    assert cosines(vectors, before).min() >= 0.999
    _, alive = psutil.wait_procs(servers, timeout=PATIENCE)
    assert not alive
    again = of_replica(pool)
    psutil.Process(pool.health(PATIENCE)[0]["pid"]).kill()
    pool.end()  # else Ray starts the replica again, and so another server
    _, alive = psutil.wait_procs(again, timeout=PATIENCE)
    assert len(again) > 1 and not alive


def of_replica(pool: Pool[MicroBatch]) -> list[psutil.Process]:
    """The processes of the replica's server, its guard included."""
    return psutil.Process(pool.health(PATIENCE)[0]["pid"]).children(recursive=True)


def cpu_seconds(process: psutil.Process) -> float:
    return float(process.cpu_times().user)


# --- answers ----------------------------------------------------------------------------------------


SCHEMA = {
    "type": "object",
    "properties": {"drug": {"type": "string", "maxLength": 12}, "patients": {"type": "integer"}},
    "required": ["drug", "patients"],
    "additionalProperties": False,
}


@needs_vllm
def test_answers_are_json_of_the_schema(tmp_path: Path) -> None:
    options = ServerOptions(
        runner="generate", device="cpu", dtype="float32", max_tokens=1024, batch_tokens=2048
    )
    server = VllmServer(str(COMMAND), chat_model(tmp_path), options)
    try:
        for number in range(3):
            answer = json.loads(server.answer(f"Trial {number}: who got what?", SCHEMA, 300))
            assert set(answer) == {"drug", "patients"} and isinstance(answer["patients"], int)
        with pytest.raises(StageFailedError, match="cut off after 3 tokens"):
            server.answer("Say more.", SCHEMA, 3)
    finally:
        server.close()
