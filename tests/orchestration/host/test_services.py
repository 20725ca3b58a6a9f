"""Dagster's processes beside a host: an ended one is restarted, the code server also after a change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from orchestration.contracts.host import ChildState
from orchestration.dagster.workers.worker_process import SourceWatch
from orchestration.host import services
from orchestration.host.service_history import SILENT_SECONDS, ServiceHistory
from orchestration.host.services import CODE_SERVER, DAEMON, WEBSERVER, DagsterServices, code_server_command
from orchestration.processes.child_process import PROJECT_ROOT
from orchestration.processes.fork_server import ForkServer, ForkServers
from orchestration.settings import Settings
from tests.waiting import wait_until

NO_SERVERS = ForkServers(lambda: ForkServer.started([], {}))
"""None is started until it is asked for one."""

SLEEP = ["timeit", "-n1", "-r1", "-s", "import time", "time.sleep(600)"]


@pytest.fixture
def dagster(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterServices]:
    """Three that only wait, over a folder of topologies."""
    (tmp_path / "topologies").mkdir()
    sleepers = dict.fromkeys((CODE_SERVER, WEBSERVER, DAEMON), SLEEP)
    monkeypatch.setattr(DagsterServices, "_command_lines", lambda _: sleepers)
    monkeypatch.setattr(services, "RESTART_SECONDS", 0.5)
    fork_servers = ForkServers(lambda: ForkServer.started([], {}))
    started = DagsterServices(settings, SourceWatch([tmp_path / "topologies"]), fork_servers)
    started.start()
    yield started
    started.close()
    fork_servers.close()


def pids(dagster: DagsterServices) -> dict[str, int]:
    return {name: child.pid for name, child in dagster._children.items()}


def changed(dagster: DagsterServices, before: dict[str, int]) -> set[str]:
    """The names of those that were restarted, after some time to notice."""

    def differ() -> set[str]:
        dagster.tick()
        return {name for name, pid in pids(dagster).items() if pid != before[name]}

    wait_until(lambda: bool(differ()))
    return differ()


@pytest.mark.parametrize("name", [CODE_SERVER, WEBSERVER, DAEMON])
def test_one_that_is_killed_is_restarted(dagster: DagsterServices, name: str) -> None:
    before = pids(dagster)
    psutil.Process(before[name]).kill()
    assert changed(dagster, before) == {name}
    assert (dagster.address() is not None) and all(psutil.pid_exists(pid) for pid in pids(dagster).values())


def test_a_new_topology_restarts_the_code_server(dagster: DagsterServices, tmp_path: Path) -> None:
    before = pids(dagster)
    dagster.tick()
    assert pids(dagster) == before
    (tmp_path / "topologies" / "mine.yaml").write_text("name: mine")
    assert changed(dagster, before) == {CODE_SERVER}


def test_each_tick_asks_who_answers_so_that_one_missed_answer_is_no_failure(
    dagster: DagsterServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PROBE_SECONDS", 0)
    now = [0.0]
    for name in dagster._histories:
        dagster._histories[name] = ServiceHistory(lambda: now[0])
    now[0] = 10 * SILENT_SECONDS
    monkeypatch.setattr(dagster, "_answers", lambda name: name != DAEMON)
    dagster.tick()
    monkeypatch.setattr(dagster, "_answers", lambda _: False)
    assert [child.state for child in dagster.health()] == [
        ChildState.STARTING,
        ChildState.STARTING,
        ChildState.FAILED,
    ]


def test_one_that_ends_at_once_is_not_started_at_every_look(
    dagster: DagsterServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "RESTART_SECONDS", 600)
    psutil.Process(pids(dagster)[WEBSERVER]).kill()
    wait_until(lambda: dagster.address() is None)
    before = pids(dagster)
    dagster.tick()
    assert pids(dagster) == before


def test_one_that_cannot_be_started_now_is_started_later(
    dagster: DagsterServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = pids(dagster)
    with monkeypatch.context() as full:
        full.setattr(ForkServer, "spawn", refuses)
        psutil.Process(before[DAEMON]).kill()
        with capture_logs() as records:

            def is_not_restarted() -> bool:
                dagster.tick()
                return any(record["event"] == "not restarted" for record in records)

            wait_until(is_not_restarted)
    assert pids(dagster) == before
    assert changed(dagster, before) == {DAEMON}


def test_a_link_that_leads_nowhere_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a")
    before = SourceWatch([tmp_path]).mark()
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert SourceWatch([tmp_path]).mark() == before


def test_all_end_with_their_folder(dagster: DagsterServices) -> None:
    folder, before = dagster._folder, pids(dagster)
    assert folder.is_dir()
    dagster.close()
    assert not any(psutil.pid_exists(pid) for pid in before.values())
    assert not folder.exists()


def test_ui_and_daemon_are_given_the_code_server(settings: Settings) -> None:
    commands = DagsterServices(settings, SourceWatch([]), NO_SERVERS)._commands
    workspace = settings.data_dir / "run" / "workspace.yaml"
    socket = commands[CODE_SERVER][-1]
    server = {"socket": socket, "location_name": "medkg"}
    assert commands[CODE_SERVER][:5] == ["dagster", "api", "grpc", "-m", "orchestration.dagster.definitions"]
    assert json.loads(workspace.read_text()) == {"load_from": [{"grpc_server": server}]}
    assert all(commands[name][-1] == str(workspace) for name in (WEBSERVER, DAEMON))


def test_the_code_server_finds_the_definitions_whatever_folder_the_host_was_started_in(
    settings: Settings, tmp_path: Path
) -> None:
    *_, module, _, folder = code_server_command()
    load = (
        "import sys; from dagster._core.code_pointer import load_python_module as load; load(*sys.argv[1:])"
    )
    completed = subprocess.run(
        [sys.executable, "-P", "-c", load, module, folder],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "MEDKG_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr


def test_without_ui_there_are_a_code_server_and_a_daemon(settings: Settings) -> None:
    commands = DagsterServices(settings, SourceWatch([]), NO_SERVERS, with_ui=False)._commands
    assert set(commands) == {CODE_SERVER, DAEMON}
