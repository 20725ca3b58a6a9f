"""A plane over several nodes of Ray on this machine: a node dies under load, another one joins."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane


def test_a_node_that_dies_loses_nothing_and_a_new_one_gets_its_replica() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu_actors.cluster.several_nodes"],
        # how soon Ray believes that a node is dead
        env={**os.environ, "RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "2"},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])

    assert report["replicas"] == 2
    assert report["errors"] == 0 and report["least_cosine"] > 0.999
    assert report["faults_after_death"] == 1
    assert report["faults_after_joining"] == 0
    assert report["left_running"] == []
