"""A service through the real command, Dagster, Ray and the real model: changes, kills, replays, manners."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import STUDIES, OneHost
from tests.servers.replay_server import ReplayServer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

COMMAND = ("run", "clinical-trials", "--source", "clinicaltrials", "--query", "EGFR")


@pytest.fixture
def server(host: OneHost) -> ReplayServer:
    return host.trials


@pytest.fixture
def medkg(host: OneHost) -> Medkg:
    return host.tenant("network")


def guard_lines(folder: Path, files: str, job_id: str) -> list[dict[str, Any]]:
    """Log lines of guards about a job, in the files that match."""
    texts = [line for path in sorted(folder.glob(files)) for line in path.read_text().splitlines()]
    lines = [json.loads(text) for text in texts if '"guard"' in text]
    return [line for line in lines if line.get("job") == job_id]


def study(server: ReplayServer, number: int) -> dict[str, object]:
    protocol: dict[str, object] = server.service.studies[number - 1]["protocolSection"]  # type: ignore[attr-defined]
    return protocol


def test_a_limited_run_is_found_and_a_repeated_one_has_nothing_to_do(
    medkg: Medkg, server: ReplayServer
) -> None:
    first = medkg(*COMMAND, "--limit", "20")
    assert (first["documents"]["in"], first["documents"]["committed"]) == (20, 20)
    assert medkg("search", "sleep", "--legs", "bm25")["hits"][0]["source"] == "clinicaltrials"
    again = medkg(*COMMAND, "--limit", "20")
    assert again["documents"]["in"] == 0
    assert {request.agent.split("/")[0] for request in server.received} == {"medkg"}
    assert all("mailto:ann@example.org" in request.agent for request in server.received)


def test_a_killed_run_goes_on_and_every_study_is_committed_once(medkg: Medkg) -> None:
    run = medkg.process(*COMMAND, "--window", "40", "--json")
    medkg.wait_until(lambda: medkg.count("committed") > 20, run)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    medkg(*COMMAND)
    assert medkg("status")["documents"] == {"committed": STUDIES}
    assert medkg("verify")["consistent"]


def test_a_changed_study_is_a_new_version(medkg: Medkg, server: ReplayServer) -> None:
    before = medkg("docs", "show", "NCT00000003")["version"]
    study(server, 3)["statusModule"] = {"lastUpdatePostDateStruct": {"date": f"{datetime.now(UTC):%Y-%m-%d}"}}
    changed = medkg(*COMMAND)
    assert (changed["documents"]["in"], changed["documents"]["committed"]) == (1, 1)
    assert medkg("docs", "show", "NCT00000003")["version"] != before


def test_a_study_from_a_file_is_the_one_of_the_service(
    medkg: Medkg, server: ReplayServer, tmp_path: Path
) -> None:
    path = tmp_path / "study.json"
    path.write_text(json.dumps(server.service.studies[4]))  # type: ignore[attr-defined]
    assert medkg("run", "clinical-trials", "--path", str(path))["documents"]["skipped"] == 1


def test_everything_again_is_skipped_where_it_is_unchanged(medkg: Medkg) -> None:
    again = medkg(*COMMAND, "--resync")
    assert (again["documents"]["in"], again["documents"]["skipped"]) == (STUDIES, STUDIES)


def test_what_failed_is_asked_for_again_when_its_page_has_expired(medkg: Medkg, server: ReplayServer) -> None:
    description = study(server, 7)["descriptionModule"]
    study(server, 7)["descriptionModule"] = "no module"
    failed = medkg(*COMMAND, "--resync", expect=1)
    assert [failure["doc_id"] for failure in failed["failures"]] == ["NCT00000007"]
    for page in (medkg.data_dir / "raw").rglob("*"):
        if page.is_file():
            page.unlink()
    study(server, 7)["descriptionModule"] = description
    server.next_outcomes = ["500", "503", "500", "good"]
    assert medkg("dlq", "replay")["documents"]["committed"] == 1
    job = medkg("status")["jobs"][0]["job_id"]
    logged = guard_lines(medkg.data_dir / "logs", "window-worker-*.log", job)
    assert [(line["event"], line["attempt"], line["code"]) for line in logged] == [
        ("stage_retry", 1, "MEDKG-400"),
        ("service_unavailable_wait", 1, "MEDKG-404"),
        ("stage_retry", 2, "MEDKG-400"),
    ]
    for line in logged:
        assert (line["guard"], line["resource"], line["stage"]) == ("web", server.host, "ingest")
        assert (line["tenant"], line["job"]) == (medkg.tenant, job)
        assert line["document"] == "NCT00000007" and line["correlation"]
    on_the_page = guard_lines(medkg.data_dir / "dagster", "**/*.err", job)
    assert on_the_page == logged, "the run's page shows what its worker's log has"


def test_an_unavailable_service_ends_with_3_and_an_error_that_names_it(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_CLINICALTRIALS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "1")
    process = medkg.process(*COMMAND, "--json")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "does not answer" in said
