"""Sensors: submitted documents become runs, and the unfinished documents of a run are queued again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    SensorDefinition,
    SensorResult,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
    in_process_executor,
    job,
    op,
)

from medkg.testing.builders import made_under
from orchestration.contracts import (
    AskedConverter,
    JobState,
    Outcome,
    PdfTaskRequest,
    Phase,
    SourceRequest,
    Submission,
)
from orchestration.dagster.names import HOST_STOPPED_TAG, JOB_TAG, WINDOW_TAG
from orchestration.dagster.sensors import job_sensors
from orchestration.errors import DagsterPipelineConfigError, UsageError
from orchestration.formats.yaml_source import parse_yaml
from orchestration.gates.sweeps import GateSweeps
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import identity_of
from orchestration.records import AdapterRequest, Locator, RawPayload, SourceItem
from orchestration.topology.graph import TopologyGraph, build_graph
from tests.orchestration.topology.topology_files import INSTALLED, PDF_LINE, POLICIES, a_topology

OWNER = identity_of(1)


@dataclass(frozen=True)
class ATopology:
    """The parts of a topology that a submission uses."""

    name: str = "auto"
    version: str = "2026-11-23"
    content_hash: str = "h"


class Numbers:
    """A source with as many documents as the request's limit."""

    name = "numbers"

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        for number in range(request.limit or 0):
            locator = Locator(uri=f"/numbers/{number}", format="text")
            yield SourceItem(doc_id=str(number), source="numbers", locator=locator)

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        raise AssertionError("nothing is fetched here")


@op
def ingest_op() -> None:
    """Does nothing."""


@job(executor_def=in_process_executor)
def auto_pipeline_job() -> None:
    ingest_op()


@dataclass
class Queue:
    """A ledger with its sensors."""

    ledger: SqlLedger
    submissions: Submissions
    sensors: dict[str, SensorDefinition] = field(default_factory=dict)

    def submit(self, documents: int, window: int, attended: bool = False, tenant: str = "default") -> str:
        request = SourceRequest(plugin="numbers", limit=documents)
        opened = self.submissions.open(
            ATopology(), request, tenant_id=tenant, window_size=window, attended=attended
        )
        for _ in self.submissions.enqueue(opened, ATopology()):
            pass
        return opened.job_id

    def tick(self, instance: DagsterInstance) -> list[Any]:
        """Results of the submission sensor."""
        context = build_sensor_context(instance=instance)
        results = self.sensors["submission_sensor"](context)
        assert isinstance(results, Iterable)
        return list(results)

    def gate_tick(self, instance: DagsterInstance, cursor: str | None = None) -> SensorResult:
        """Result of the sensor of gates."""
        context = build_sensor_context(instance=instance, cursor=cursor)
        result = self.sensors["pdf_ir_ready_sensor"](context)
        assert isinstance(result, SensorResult)
        return result

    def bring_to_the_gate(self, job_id: str, instance: DagsterInstance) -> None:
        """Run the first phase of a job's documents, whose PDFs were converted before."""
        for request in self.tick(instance):
            window = self.ledger.windows.lease(request.run_key, OWNER)
            contexts = [document.ctx for document in window.documents]
            self.ledger.pdf_tasks.request(
                AskedConverter(name="mineru"),
                "pdf_ir",
                2,
                [PdfTaskRequest(ctx=ctx, pdf_key="p", ir_key="i", done=True) for ctx in contexts],
            )
            keys = [ctx.key for ctx in contexts]
            self.ledger.gates.wait_at(request.run_key, OWNER, "pdf", "gates/w.parquet", keys)

    def end_run(self, instance: DagsterInstance, sensor: str, window_id: str, **tags: str) -> None:
        """Call a run-status sensor for a run over this window that ended with its status."""
        run = auto_pipeline_job.execute_in_process(instance=instance, tags={WINDOW_TAG: window_id, **tags})
        context = build_run_status_sensor_context(
            sensor, run.get_run_success_event(), instance, run.dagster_run
        )
        self.sensors[sensor](context)

    def pending(self, job_id: str) -> int:
        return self.ledger.jobs.summary(job_id).documents.pending


def _names_of(submission: Submission, phase: Phase) -> tuple[str, str]:
    if submission.tenant_id == "gone":
        raise UsageError("there is no such topology")
    return ("auto_resume_job", "resume_op") if phase is Phase.SECOND else ("auto_pipeline_job", "ingest_op")


def _gated(name: str, version: str) -> TopologyGraph:
    """A topology whose gate has the name that documents of these tests wait at."""
    text = a_topology(
        PDF_LINE, gates="gates:\n  - {name: pdf, conditions: {pdf_ir_ready: true}, resume_stage: parse}\n"
    )
    source = parse_yaml(text.encode(), Path("auto.yaml"), DagsterPipelineConfigError)
    return build_graph(source, INSTALLED, POLICIES)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60)
    submissions = Submissions(ledger, {"numbers": Numbers()}, made_under("f"), 2)
    sweeps = GateSweeps(ledger.gates, _gated, now=iter(range(0, 10_000, 10)).__next__)
    sensors = job_sensors(
        [auto_pipeline_job],
        lambda: ledger,
        lambda: submissions,
        lambda: sweeps,
        _names_of,
        most_outstanding=4,
    )
    yield Queue(ledger, submissions, {sensor.name: sensor for sensor in sensors})
    ledger.close()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_windows_of_a_submitted_job_become_run_requests_up_to_a_limit(
    queue: Queue, instance: DagsterInstance
) -> None:
    job_id = queue.submit(1000, 100)
    requests = queue.tick(instance)
    assert len(requests) == 4 and all(isinstance(request, RunRequest) for request in requests)
    windows = [request.run_key for request in requests]
    assert len(set(windows)) == 4
    first = requests[0]
    assert first.job_name == "auto_pipeline_job"
    assert first.run_config == {"ops": {"ingest_op": {"config": {"window_id": windows[0]}}}}
    assert first.tags == {WINDOW_TAG: windows[0], JOB_TAG: job_id[:8]}
    assert len(queue.ledger.windows.lease(windows[0], OWNER).documents) == 100


def test_nothing_is_requested_when_nothing_waits_or_a_command_attends(
    queue: Queue, instance: DagsterInstance
) -> None:
    queue.submit(100, 50, attended=True)
    (skipped,) = queue.tick(instance)
    assert isinstance(skipped, SkipReason) and "nothing to claim" in str(skipped.skip_message)


def test_runs_that_wait_or_work_count_against_the_limit(queue: Queue, instance: DagsterInstance) -> None:
    for _ in range(3):
        instance.create_run_for_job(auto_pipeline_job, status=DagsterRunStatus.STARTED)
    queue.submit(1000, 100)
    assert len(queue.tick(instance)) == 1


def test_a_small_submission_does_not_wait_for_a_large_one_of_another_tenant(
    queue: Queue, instance: DagsterInstance
) -> None:
    large = queue.submit(1000, 50)
    small = queue.submit(10, 50, tenant="small")
    jobs = [request.tags[JOB_TAG] for request in queue.tick(instance)]
    assert jobs == [large[:8], small[:8], large[:8], large[:8]]


def test_a_submission_whose_topology_is_gone_keeps_no_other_waiting(
    queue: Queue, instance: DagsterInstance
) -> None:
    gone = queue.submit(100, 50, tenant="gone")
    sound = queue.submit(100, 50)
    assert [request.tags[JOB_TAG] for request in queue.tick(instance)] == [sound[:8], sound[:8]]
    assert queue.pending(gone) == 100


def test_what_a_dead_submit_had_listed_is_requested(
    queue: Queue, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.jobs.submission.own_identity", lambda: "a dead process")
    opened = queue.submissions.open(
        ATopology(),
        SourceRequest(plugin="numbers", limit=700),
        tenant_id="default",
        window_size=500,
        attended=False,
    )
    next(queue.submissions.enqueue(opened, ATopology()))
    assert all(isinstance(request, RunRequest) for request in queue.tick(instance))
    assert queue.ledger.jobs.summary(opened.job_id).state is JobState.OPEN


def test_the_documents_of_a_failed_run_are_requested_again(queue: Queue, instance: DagsterInstance) -> None:
    job_id = queue.submit(100, 100)
    first, *_ = (request.run_key for request in queue.tick(instance))
    queue.ledger.windows.lease(first, OWNER)
    assert isinstance(queue.tick(instance)[0], SkipReason)
    queue.end_run(instance, "failed_window_sensor", first)
    (again,) = queue.tick(instance)
    assert again.run_key != first and again.tags[JOB_TAG] == job_id[:8]
    assert queue.pending(job_id) == 100


def test_a_failed_run_leaves_the_error_of_its_step_with_the_job(
    queue: Queue, instance: DagsterInstance
) -> None:
    job_id = queue.submit(100, 100)
    window_id, *_ = (request.run_key for request in queue.tick(instance))
    queue.ledger.windows.lease(window_id, OWNER)

    @op
    def embed_op() -> None:
        raise ValueError("no such model\nin the folder")

    @job
    def failing_job() -> None:
        embed_op()

    run = failing_job.execute_in_process(
        instance=instance, tags={WINDOW_TAG: window_id}, raise_on_error=False
    )
    (failure,) = [event for event in run.all_events if event.is_run_failure]
    sensor = "failed_window_sensor"
    queue.sensors[sensor](build_run_status_sensor_context(sensor, failure, instance, run.dagster_run))
    reason = "its run failed: embed_op: ValueError: no such model"
    assert queue.ledger.jobs.summary(job_id).handed_back_because == reason


def test_a_terminated_run_stops_its_job_and_hands_its_documents_back(
    queue: Queue, instance: DagsterInstance
) -> None:
    job_id = queue.submit(1000, 100)
    window = queue.tick(instance)[0].run_key
    queue.ledger.windows.lease(window, OWNER)
    queue.end_run(instance, "terminated_window_sensor", window)
    assert queue.ledger.jobs.summary(job_id).state is JobState.CANCELLED
    assert queue.pending(job_id) == 1000
    assert isinstance(queue.tick(instance)[0], SkipReason)


def test_a_run_that_ended_with_its_host_hands_back_and_its_job_goes_on(
    queue: Queue, instance: DagsterInstance
) -> None:
    job_id = queue.submit(100, 100)
    window = queue.tick(instance)[0].run_key
    queue.ledger.windows.lease(window, OWNER)
    queue.end_run(instance, "terminated_window_sensor", window, **{HOST_STOPPED_TAG: "true"})
    assert queue.ledger.jobs.summary(job_id).state is JobState.OPEN
    assert queue.tick(instance)[0].run_key != window


def test_documents_that_passed_a_gate_become_runs_of_the_second_phase_once_each(
    queue: Queue, instance: DagsterInstance
) -> None:
    job_id = queue.submit(100, 50)
    queue.bring_to_the_gate(job_id, instance)
    assert queue.ledger.jobs.settle(job_id) is JobState.WAITING
    result = queue.gate_tick(instance)
    first, second = result.run_requests or ()
    assert {first.job_name, second.job_name} == {"auto_resume_job"}
    assert first.run_config == {"ops": {"resume_op": {"config": {"window_id": first.run_key}}}}
    assert first.tags == {WINDOW_TAG: first.run_key, JOB_TAG: job_id[:8]}
    doc_ids = {
        document.ctx.doc_id
        for request in (first, second)
        for document in queue.ledger.windows.lease(request.run_key or "", OWNER).documents
    }
    assert len(doc_ids) == 100
    again = queue.gate_tick(instance, result.cursor)
    assert not again.run_requests
    assert json.loads(again.cursor or "") == {
        "ticks": 2,
        "opened": 100,
        "failed": 0,
        "overdue": 0,
        "requested": 2,
        "waiting": 0,
    }
    assert isinstance(queue.tick(instance)[0], SkipReason)


def test_what_a_foreground_command_left_at_a_gate_goes_on_once_it_has_ended(
    queue: Queue, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = queue.submit(10, 50)
    queue.bring_to_the_gate(job_id, instance)
    attended = queue.ledger.jobs.summary(job_id).submission.model_copy(update={"attended": True})
    monkeypatch.setattr("orchestration.dagster.sensors._open_jobs", lambda ledger: [attended])
    assert not queue.gate_tick(instance).run_requests
    monkeypatch.setattr("orchestration.dagster.sensors.is_alive", lambda identity: False)
    assert len(queue.gate_tick(instance).run_requests or ()) == 1
