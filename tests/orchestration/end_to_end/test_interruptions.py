"""kill -9 and Ctrl-C in the middle of a run: nothing is lost, done twice, or left running."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, func, select

from medkg.testing.builders import an_abstract, json_lines
from orchestration.contracts.host import HOST_SERVICE
from orchestration.jobs.host_client import HostClient
from orchestration.ledger.tables import documents
from orchestration.processes.endpoint import read_endpoint
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.plane

DOCUMENTS = 120


@pytest.fixture
def abstracts(tmp_path: Path) -> Path:
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract(str(number)) for number in range(DOCUMENTS)]))
    return path


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Live processes that were started for a data folder, Ray's included."""
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MEDKG_DATA_DIR") == str(data_dir):
                processes.append(process)
        except psutil.Error:  # it ended, or is not ours to look at
            continue
    return [process for process in processes if process.is_running() and process.status() != "zombie"]


def wait_until_no_process_is_left(medkg: Medkg) -> None:
    wait_until(lambda: not processes_of(medkg.data_dir), poll_seconds=0.2)


def test_a_killed_run_leaves_no_process_and_its_rerun_commits_every_document_once(
    tmp_path: Path, abstracts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_LEASE_SECONDS", "3600")  # no reservation ends by itself while this test waits
    medkg = Medkg(tmp_path / "data")
    command = ("run", "auto", "--path", str(abstracts), "--window", "20", "--json")
    for reached in ("queued", "running"):
        run = medkg.process(*command)
        medkg.wait_until(partial(medkg.count, reached), run)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        wait_until_no_process_is_left(medkg)
    assert _held(medkg), "windows that waited for a worker when their host died"
    try:
        medkg("up", "--no-ui")
        medkg.wait_until(lambda: not _held(medkg))
        final = medkg.process(*command)
        stdout, stderr = final.communicate(timeout=PATIENCE)
    finally:
        medkg("down")
    assert final.returncode == 0, stderr
    account = json.loads(stdout)["documents"]
    assert account["committed"] + account["skipped"] == DOCUMENTS
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}
    assert medkg("status")["documents"] == {"committed": DOCUMENTS}
    hits = medkg("search", "sleep", "--legs", "bm25", "--top", "1000")["hits"]
    ids = [hit["chunk_id"] for hit in hits]
    assert len(ids) == len(set(ids)) > 0
    wait_until_no_process_is_left(medkg)


def test_ctrl_c_hands_documents_back_and_says_that_the_same_command_continues(
    tmp_path: Path, abstracts: Path
) -> None:
    medkg = Medkg(tmp_path / "data")
    run = medkg.process("run", "auto", "--path", str(abstracts), "--json")
    medkg.wait_until(lambda: medkg.count("running"), run)
    run.send_signal(signal.SIGINT)
    stdout, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    account = json.loads(stdout)["documents"]
    assert account["in"] == DOCUMENTS
    assert account["pending"] + account["committed"] == DOCUMENTS
    assert medkg("status")["documents"].get("running", 0) == 0
    wait_until_no_process_is_left(medkg)


def test_a_submitted_job_goes_on_after_its_host_was_stopped_and_started_again(
    tmp_path: Path, abstracts: Path
) -> None:
    medkg = Medkg(tmp_path / "data")
    try:
        medkg("up", "--no-ui")
        medkg("submit", "auto", "--path", str(abstracts))
        medkg.wait_until(lambda: medkg.count("running"))
        medkg("down")
        stopped = medkg("status")["documents"]
        assert set(stopped) <= {"queued", "committed"} and sum(stopped.values()) == DOCUMENTS
        medkg("up", "--no-ui")
        medkg.wait_until(lambda: medkg("status")["documents"] == {"committed": DOCUMENTS})
        assert medkg("verify")["consistent"]
    finally:
        medkg("down")


def test_a_host_that_hangs_while_its_plane_starts_is_stopped_and_a_waiting_command_reports_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.jobs.host_client.STOP_SECONDS", 1.0)
    medkg = Medkg(tmp_path / "data")
    up = medkg.process("up", "--no-ui")
    wait_until(lambda: read_endpoint(medkg.data_dir, HOST_SERVICE), process=up)
    psutil.Process(HostClient(load_settings(data_dir=medkg.data_dir)).status().pid).suspend()
    assert medkg("down") == {"stopped": True}
    _, stderr = up.communicate(timeout=PATIENCE)

    assert up.returncode == 3, stderr
    assert "ended while its plane was starting. Its log" in stderr
    wait_until_no_process_is_left(medkg)


def _held(medkg: Medkg) -> int:
    """Documents of windows that were claimed and that no process has started."""
    query = select(func.count()).where(documents.c.lease_until > 0, documents.c.lease_owner.is_(None))
    with create_engine(f"sqlite:///{medkg.data_dir / 'ledger.sqlite'}").connect() as connection:
        return connection.execute(query).scalar_one()
