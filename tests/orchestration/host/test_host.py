"""A host whose plane cannot start lives on and says why, whatever was raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.dagster.workers.worker_process import SourceWatch
from orchestration.errors import PlaneUnavailableError
from orchestration.host.host import HostProcess
from orchestration.processes.fork_server import ForkServer, ForkServers
from orchestration.settings import load_settings


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PlaneUnavailableError("no memory."), "no memory."),
        (
            OSError(28, "No space left on device"),
            "it failed with OSError: [Errno 28] No space left on device",
        ),
    ],
)
def test_why_a_plane_does_not_start_is_told_to_all_who_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    fork_servers = ForkServers(lambda: ForkServer.started([], {}))
    settings = load_settings(data_dir=tmp_path, profile="cpu")
    host = HostProcess(settings, fork_servers, SourceWatch([]), kept=False, ui=False)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("orchestration.assembly.Assembly.start_plane", fails)
    try:
        host.plane.start(dashboard=False)
        status = host.verbs.status()
        assert (status.plane, status.plane_error) == ("failed", told)
        with pytest.raises(PlaneUnavailableError):
            host.verbs.embed_texts(["walking"])
    finally:
        host.close()
