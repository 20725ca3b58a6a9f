"""Each process of a host belongs to one part, by its name and command line."""

from __future__ import annotations

import pytest

from benchmarks.load.host_start import part_of


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("window-worker-0 python -P -c from orchestration.host.host import main; main()", "window workers"),
        ("dagster-code python -P -c from orchestration.host.host import main; main()", "Dagster code server"),
        ("dagster-ui python -P -c from orchestration.host.host import main; main()", "Dagster webserver"),
        ("dagster-daemon python -P -c from orchestration.host.host import main", "Dagster daemon"),
        ("python ray::EmbedderReplica", "replicas"),
        ("python ray::chunker-cpu-a@1-0.0:ChunkerReplica.__init__", "replicas"),
        ("python ray::DashboardAgent", "Ray dashboard and agents"),
        ("python ray::IDLE", "Ray workers"),
        ("raylet /lib/ray/core/src/ray/raylet/raylet --raylet_socket_name=x", "GCS and raylet"),
        ("python -P -c from multiprocessing.spawn import spawn_main", "stage processes"),
        ("python -I -S gpu_actors/cluster/orphan_reaper.py", "orphan reaper"),
        ("python -P -c from orchestration.host.host import main; main()", "host"),
    ],
)
def test_a_process_belongs_to_the_part_that_its_command_names(command: str, part: str) -> None:
    assert part_of(command) == part
