"""Lineage of real runs, also of killed ones: each START has its end, each run its place in the tree."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import an_abstract, json_lines
from orchestration.assembly.relay import publish_once
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.test_interruptions import wait_until_no_process_is_left
from tests.orchestration.lineage.checks import (
    assert_runs_end,
    assert_tree,
    check,
    facets_of,
    own_registry,
    specification_registry,
)
from tests.servers.lineage_server import LineageServer, lineage_server
from tests.waiting import PATIENCE

pytest.importorskip("openlineage.client")
pytestmark = pytest.mark.plane

DOCUMENTS = 60


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LineageServer]:
    """A lineage server that OPENLINEAGE_URL names."""
    with lineage_server() as running:
        monkeypatch.setenv("OPENLINEAGE_URL", running.url)
        yield running


def send_all(data_dir: Path) -> None:
    """Publish what the relays of hosts left, as another relay does."""
    assert publish_once(load_settings(data_dir=data_dir)) == {}


def each_once(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without the repetitions of a delivery that is at least once, which are equal."""
    return list({json.dumps(event, sort_keys=True): event for event in events}.values())


def jobs_of(events: list[dict[str, Any]], state: str) -> list[str]:
    """Job names of the events of one type, in order."""
    return [event["job"]["name"] for event in events if event["eventType"] == state]


def test_runs_of_a_killed_host_end_and_its_documents_go_on_in_others(
    tmp_path: Path, server: LineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    abstracts = tmp_path / "abstracts.jsonl"
    abstracts.write_bytes(json_lines([an_abstract(str(number)) for number in range(DOCUMENTS)]))
    medkg = Medkg(tmp_path / "data")
    command = ("run", "auto", "--path", str(abstracts), "--window", "20", "--json")
    killed = medkg.process(*command)
    medkg.wait_until(partial(medkg.count, "running"), killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until_no_process_is_left(medkg)
    send_all(medkg.data_dir)
    assert set(jobs_of(server.events, "START")) >= {"auto", "auto.window"}
    again = medkg.process(*command)
    _, stderr = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, stderr
    wait_until_no_process_is_left(medkg)
    medkg("status")  # ends the job that the killed command left open
    send_all(medkg.data_dir)

    events = each_once(server.events)  # a killed relay sends some again
    assert_runs_end(events)
    assert_tree(events)
    assert "auto.window" in jobs_of(events, "FAIL")
    job = [event for event in events if event["job"]["name"] == "auto"][-1]
    assert job["eventType"] == "COMPLETE"
    counts = job["run"]["facets"]["medkg_documentCounts"]
    assert counts["total"] == counts["passed"] + counts["skipped"] == DOCUMENTS
    rows = {
        output["name"].rsplit("/", 1)[-1]: output["outputFacets"]["outputStatistics"]["rowCount"]
        for event in events
        if event["job"]["name"] == "auto.window" and event["eventType"] == "COMPLETE"
        for output in event["outputs"]
    }
    assert rows["default.sqlite"] > 0


def test_events_of_a_real_run_are_valid_and_name_the_models(
    tmp_path: Path, server: LineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(3):
        (papers / f"{number}.md").write_text(
            f"# Trial {number}\n\nAspirin reduced strokes in {number} people."
        )
    medkg = Medkg(tmp_path / "data")
    run = medkg.process("run", "auto", "--path", str(papers), "--json")
    _, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    send_all(medkg.data_dir)

    events = server.events
    registry = own_registry()
    for event in events:
        for name, facet in event["run"]["facets"].items():
            if name.startswith("medkg_"):
                check(registry, facet, facet["_schemaURL"])
    ends = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    assert [each["name"] for each in ends["auto"]["inputs"]] == [str(papers)]
    models = {
        model["role"]: model["id"]
        for stage in ("auto.embed", "auto.extract")
        for model in ends[stage]["run"]["facets"]["medkg_modelVersion"]["models"]
    }
    assert set(models) == {"dense", "sparse", "encoder"}
    specification = specification_registry()
    for event in events:
        check(specification, event, event["schemaURL"])
        for facet in facets_of(event):
            check(specification, facet, facet["_schemaURL"])
