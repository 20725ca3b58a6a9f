"""Progress names the stage that works, not the one that has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.assembly import open_data_folder
from orchestration.contracts import StageReport
from orchestration.jobs.working_stage import PhaseStages, phase_stages, working_stage
from orchestration.settings import load_settings

PHASES = (PhaseStages(("ingest", "parse", "chunk", "index"), "commit"),)


def finished(stage: str, window: str = "w1") -> StageReport:
    return StageReport(
        job_id="job",
        window_id=window,
        stage=stage,
        documents_in=1,
        documents_out=1,
        failed=0,
        retried=0,
        items_out=1,
        started_at=0,
        seconds=0,
        cpu_seconds=0,
    )


@pytest.mark.parametrize(
    ("reports", "works"),
    [
        ([], "starting"),
        ([finished("ingest")], "parse"),
        ([finished("ingest"), finished("parse")], "chunk"),
        ([finished("parse"), finished("chunk"), finished("index")], "commit"),
        ([finished("ingest", "w2"), finished("chunk"), finished("index")], "parse"),
        ([finished("index"), finished("ingest", "w2")], "parse"),
        ([finished("gone")], "gone"),
    ],
)
def test_the_stage_after_the_newest_finished_one_works(reports: list[StageReport], works: str) -> None:
    assert working_stage(reports, PHASES) == works


def test_without_a_topology_the_last_finished_stage_is_named() -> None:
    assert working_stage([finished("parse")], ()) == "parse"


def test_the_first_phase_of_a_shipped_topology_ends_at_its_gate_and_the_second_in_the_commit(
    tmp_path: Path,
) -> None:
    with open_data_folder(load_settings(data_dir=tmp_path)) as data_folder:
        graph = data_folder.topologies.load("pdf-two-phase")
    first, second = phase_stages(graph)
    assert graph.gate is not None
    assert (first.end, second.end) == (graph.gate.name, "commit")
    assert working_stage([finished(first.stages[-1])], [first, second]) == graph.gate.name
    assert working_stage([finished(second.stages[0])], [first, second]) == second.stages[1]
