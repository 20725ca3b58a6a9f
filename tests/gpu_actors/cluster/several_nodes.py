"""A process with its own Ray cluster: the state of a plane when one of its nodes is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from gpu_actors.plane import RayPlane, chosen_profile, start_plane
from tests.waiting import PATIENCE, wait_until

TEXTS = [f"{number} " + "walking and sleeping " * 60 for number in range(240)]


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    worker = cluster.add_node(num_cpus=1)
    profile = chosen_profile("cpu", sparse_model="none")
    folder = Path(tempfile.mkdtemp(prefix="medkg-t-"))
    plane = start_plane(profile, address=cluster.address, folder=folder, dashboard=False)
    reference = plane.embed(TEXTS, PATIENCE).dense
    computing = embedders(plane)
    seconds_before = {each: cpu_seconds(each) for each in computing}
    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(plane.embed, TEXTS, PATIENCE)
        wait_until(lambda: any(cpu_seconds(each) - seconds_before[each] > 0.2 for each in computing))
        started = time.monotonic()
        os.kill(worker.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        vectors = pending.result()
        done = time.monotonic()
    wait_until(lambda: faults(plane) == 1)
    report: dict[str, Any] = {
        "replicas": len(plane.pools.embedders.replicas),
        "errors": len(vectors.errors),
        "least_cosine": float((vectors.dense * reference).sum(1).min()),
        "seconds_until_done": round(done - started, 1),
        "faults_after_death": faults(plane),
    }
    cluster.add_node(num_cpus=1)
    wait_until(lambda: faults(plane) == 0)
    children = psutil.Process().children(recursive=True)
    report["faults_after_joining"] = faults(plane)
    report["seconds_until_whole"] = round(time.monotonic() - started, 1)
    plane.close()
    cluster.shutdown()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    report["left_running"] = [process.name() for process in alive]
    sys.stdout.write(json.dumps(report) + "\n")


def embedders(plane: RayPlane) -> list[psutil.Process]:
    return [psutil.Process(each["pid"]) for each in plane.health()["embedders"] if each.get("fault") is None]


def cpu_seconds(process: psutil.Process) -> float:
    return float(process.cpu_times().user)


def faults(plane: RayPlane) -> int:
    return sum(each.get("fault") is not None for each in plane.health()["embedders"])


if __name__ == "__main__":
    main()
