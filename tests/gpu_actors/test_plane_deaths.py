"""What is left when processes of the plane are killed: of an embedder everything, of the host nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from gpu_actors.plane import RayPlane
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.plane

TIMEOUT = PATIENCE


@pytest.mark.parametrize("pool", ["embedders", "expanders"])
def test_a_model_killed_under_load_loses_nothing(plane: RayPlane, pool: str) -> None:
    texts = [f"{number} " + "walking and sleeping " * 60 for number in range(120)]
    pid = plane.health()[pool][0]["pid"]

    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(plane.embed, texts, TIMEOUT)
        busy = psutil.Process(pid)
        seconds_before = busy.cpu_times().user
        while busy.cpu_times().user - seconds_before < 0.2:
            assert not pending.done()
        busy.kill()
        vectors = pending.result()

    assert not vectors.errors and np.allclose(np.linalg.norm(vectors.dense, axis=1), 1, atol=1e-4)
    assert vectors.sparse is not None and np.diff(vectors.sparse.indptr).all()
    assert plane.health()[pool][0]["pid"] != pid


def a_host(folder: Path) -> subprocess.Popen[str]:
    """A process that starts a plane, says so, and keeps it."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from gpu_actors.plane import chosen_profile, start_plane;"
            "plane = start_plane(chosen_profile('cpu'), folder=Path(sys.argv[1]), dashboard=False);"
            "print('ready', flush=True); sys.stdin.read()",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("started", ["gcs_server", "raylet", "Agent"])
def test_nothing_of_ray_survives_a_kill_of_its_host_while_it_starts(started: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="medkg-t-"))
    host = a_host(folder)
    processes: set[psutil.Process] = set()

    def has_started() -> bool:
        processes.update(psutil.Process(host.pid).children(recursive=True))
        return started in " ".join(names_of(processes))

    wait_until(has_started, process=host, poll_seconds=0.0)  # as early as it can be seen

    os.kill(host.pid, signal.SIGKILL)
    host.wait()

    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not names_of(alive)
    assert not folder.exists()


def names_of(processes: Collection[psutil.Process]) -> list[str]:
    """Command lines of those that still live."""
    command_lines = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            command_lines.append(" ".join(process.cmdline()))
    return command_lines


def test_nothing_of_the_plane_survives_a_kill_of_its_host() -> None:
    folder = Path(tempfile.mkdtemp(prefix="medkg-t-"))
    host = a_host(folder)
    assert host.stdout is not None and host.stdout.readline() == "ready\n"
    children = psutil.Process(host.pid).children(recursive=True)
    named = " ".join(" ".join(child.cmdline()) for child in children)
    for name in (
        "gcs_server",
        "raylet",
        "DashboardAgent",
        "RuntimeEnvAgent",
        "EmbedderReplica",
        "SparseEncoderReplica",
    ):
        assert name in named

    os.kill(host.pid, signal.SIGKILL)
    host.wait()

    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not [process.cmdline() for process in alive]
    assert not folder.exists()


REFUSING = """
import sys
from pathlib import Path
import ray._private.services as services
from gpu_actors.cluster.ray_cluster import leave_cluster, start_ray
from orchestration.errors import PlaneUnavailableError

ask = services.get_node
refusals = [Exception("The current node timed out during startup.")] * int(sys.argv[2])
def get_node(*arguments):
    if refusals:
        ask(*arguments)  # by now all of Ray's processes are there
        raise refusals.pop()
    return ask(*arguments)
services.get_node = get_node
try:
    leave_cluster(start_ray(Path(sys.argv[1]), dashboard=False))
    print("started")
except PlaneUnavailableError as error:
    print(error.message)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("refusals", "outcome"),
    [(1, "started"), (3, "Ray did not start in 3 attempts (The current node timed out")],
)
def test_ray_that_is_too_slow_is_started_again_and_nothing_is_left_of_it(refusals: int, outcome: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="medkg-t-"))
    host = subprocess.Popen(
        [sys.executable, "-c", REFUSING, str(folder), str(refusals)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    try:
        assert host.stdout.readline().startswith(outcome)
        assert not names_of(psutil.Process(host.pid).children(recursive=True))
        assert not folder.exists()
    finally:
        host.communicate()
