"""A host whose plane cannot start continues and reports why, whatever was raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.assembly import Assembly
from orchestration.dagster.workers.worker_process import SourceWatch
from orchestration.errors import PlaneUnavailableError
from orchestration.host.host import HostProcess
from orchestration.host.plane_slot import PlaneSlot
from orchestration.processes.fork_server import ForkServer, ForkServers
from orchestration.settings import load_settings
from tests.orchestration.small_disk import fill, small_disk


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PlaneUnavailableError("no memory."), "no memory."),
        (
            OSError(28, "No space left on device"),
            "it failed with OSError: [Errno 28] No space left on device",
        ),
    ],
)
def test_the_reason_why_a_plane_does_not_start_is_reported_by_status_and_raised_by_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    fork_servers = ForkServers(lambda: ForkServer.started([], {}))
    settings = load_settings(data_dir=tmp_path, profile="cpu")
    host = HostProcess(settings, fork_servers, SourceWatch([]), keep=False, ui=False)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("orchestration.assembly.Assembly.start_plane", fails)
    try:
        host.plane.start(dashboard=False)
        status = host.verbs.status()
        assert (status.plane, status.plane_error) == ("failed", message)
        with pytest.raises(PlaneUnavailableError):
            host.verbs.embed_texts(["walking"])
    finally:
        host.close()


def test_a_plane_that_meets_a_full_disk_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray reports processes that ended, not why."""
    with small_disk(tmp_path / "disk") as disk:
        plane = PlaneSlot(Assembly(settings := load_settings(data_dir=disk)), settings)

        def fails(*_: object, **__: object) -> None:
            fill(disk)
            raise RuntimeError("Failed to start GCS")

        monkeypatch.setattr("orchestration.assembly.Assembly.start_plane", fails)
        plane.start(dashboard=False)
        plane.remove_folder()
        error = plane.status(with_health=False)["plane_error"]
        assert error.startswith(
            f"{disk} cannot be written: No space left on device, the disk of {disk} is full"
        )
