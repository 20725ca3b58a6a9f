"""Sensors: submitted jobs and opened gates become window runs; failed runs hand their documents back.

Input: the ledger. Output: RunRequests keyed by window, and released windows. Sensors only claim windows of
jobs that no foreground command works on, and serve tenants round robin.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    RunsFilter,
    RunStatusSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_status_sensor,
    sensor,
)

from orchestration.contracts import GateSweep, JobState, Ledger, Phase, Submission
from orchestration.dagster.names import HOST_STOPPED_TAG, first_op_config, window_of, window_tags
from orchestration.dagster.step_failures import step_failures
from orchestration.errors import DagsterGateConditionError, MedkgError
from orchestration.gates.sweeps import GateSweeps
from orchestration.jobs.submission import Submissions
from orchestration.processes.child_process import is_alive

__all__ = ["job_sensors"]

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
GATE_SECONDS = 8
"""Dagster evaluates sensors every 5 seconds, so 8 means every 10; 10 would sometimes mean 15."""

OPEN_JOBS = (JobState.ENUMERATING, JobState.OPEN, JobState.WAITING)

NamesOf = Callable[[Submission, Phase], tuple[str, str]]
"""A submission's Dagster job and its first op: for new documents, or for those that passed a gate."""


def job_sensors(
    jobs: Sequence[JobDefinition],
    ledger: Callable[[], Ledger],
    submissions: Callable[[], Submissions],
    gate_sweeps: Callable[[], GateSweeps],
    names_of: NamesOf,
    most_outstanding: int,
) -> list[SensorDefinition]:
    """The submission sensor, the sensor of gates, and the two run-status sensors over these jobs.

    `ledger`, `submissions` and `gate_sweeps` open them when first needed; at most `most_outstanding` windows
    of submitted jobs are in Dagster's queue at once.
    """

    @sensor(
        name="submission_sensor",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Claims windows of submitted jobs and requests a run for each.",
    )
    def submission_sensor(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        ledger().windows.reclaim(is_alive)
        for job_id in submissions().end_abandoned(is_alive):
            context.log.warning(
                f"the process that enumerated the documents of job {job_id} ended before the last one: those "
                "that it enumerated are run; submit the same request again for the rest"
            )
        unfinished = context.instance.get_run_records(RunsFilter(statuses=UNFINISHED))
        windows = [window_of(record.dagster_run.tags) for record in unfinished]
        ledger().windows.extend_reservations([window_id for window_id in windows if window_id is not None])
        unattended = [job for job in _open_jobs(ledger()) if not job.attended]
        free = most_outstanding - len(unfinished)
        requests = _requests(context, unattended, submissions(), names_of, free, Phase.FIRST)
        yield from requests
        if not requests:
            yield SkipReason(f"nothing to claim; {len(unfinished)} runs are unfinished")

    return [
        submission_sensor,
        _gate_sensor(jobs, ledger, submissions, gate_sweeps, names_of, most_outstanding),
        *_end_sensors(ledger),
    ]


def _gate_sensor(
    jobs: Sequence[JobDefinition],
    ledger: Callable[[], Ledger],
    submissions: Callable[[], Submissions],
    gate_sweeps: Callable[[], GateSweeps],
    names_of: NamesOf,
    most_outstanding: int,
) -> SensorDefinition:
    """Opens gates, and requests a run for each window of documents that passed one.

    It also resumes the waiting documents of a foreground command that has ended. The cursor holds counts over
    all ticks, as JSON.
    """

    @sensor(
        name="pdf_ir_ready_sensor",
        jobs=jobs,
        minimum_interval_seconds=GATE_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Opens gates whose conditions hold and requests a run for each window that passed one.",
    )
    def pdf_ir_ready_sensor(context: SensorEvaluationContext) -> SensorResult:
        sweeps = gate_sweeps().sweep()
        unfinished = context.instance.get_run_records(RunsFilter(statuses=UNFINISHED))
        unattended = [job for job in _open_jobs(ledger()) if not (job.attended and is_alive(job.lister))]
        free = most_outstanding - len(unfinished)
        requests = _requests(context, unattended, submissions(), names_of, free, Phase.SECOND)
        counts = _counted(context.cursor, sweeps.values(), len(requests))
        for gate, sweep in sweeps.items():
            if sweep.opened or sweep.failed or sweep.overdue:
                context.log.info(f"gate {gate.name} of {gate.pipeline_name}: {sweep.model_dump_json()}")
        reason = None if requests else f"no document passed a gate; {counts['waiting']} wait"
        return SensorResult(run_requests=requests, cursor=json.dumps(counts), skip_reason=reason)

    return pdf_ir_ready_sensor


def _counted(cursor: str | None, sweeps: Collection[GateSweep], requested: int) -> dict[str, int]:
    """The sensor's counts plus those of one more tick; `waiting` is the count of the last sweep."""
    before: dict[str, int] = json.loads(cursor) if cursor else {}
    counts = {name: before.get(name, 0) for name in ("ticks", "opened", "failed", "overdue", "requested")}
    counts["ticks"] += 1
    counts["requested"] += requested
    for sweep in sweeps:
        counts["opened"] += sweep.opened
        counts["failed"] += sweep.failed
        counts["overdue"] += sweep.overdue
    waiting = sum(sweep.waiting for sweep in sweeps) if sweeps else 0
    return {**counts, "waiting": waiting}


def _open_jobs(ledger: Ledger) -> list[Submission]:
    """Jobs with documents to work on, now or later, oldest first; settles the others.

    The jobs of a foreground command are settled by the command while its process lives.
    """
    return [
        summary.submission
        for summary in reversed(ledger.jobs.find(None, OPEN_JOBS))
        if (summary.submission.attended and is_alive(summary.submission.lister))
        or ledger.jobs.settle(summary.submission.job_id) in OPEN_JOBS
    ]


def _requests(
    context: SensorEvaluationContext,
    jobs: Sequence[Submission],
    submissions: Submissions,
    names_of: NamesOf,
    most: int,
    phase: Phase,
) -> list[RunRequest]:
    """Runs for up to `most` windows, claimed from these jobs; tenants are served round robin."""
    runnable = [job for job in jobs if _has_pipeline(context, job, names_of, phase)]
    claims = submissions.claims(runnable, phases=(phase,))
    return [
        _run_request(submission, window_id, names_of, phase)
        for submission, window_id in islice(claims, max(0, most))
    ]


def _has_pipeline(
    context: SensorEvaluationContext,
    submission: Submission,
    names_of: NamesOf,
    phase: Phase,
) -> bool:
    """Whether the job's topology has this phase; a job whose topology is missing does not hold up others."""
    try:
        names_of(submission, phase)
    except DagsterGateConditionError:
        return False  # a topology without a gate
    except MedkgError as error:
        context.log.warning(f"no window of job {submission.job_id} is claimed: {error.message}")
        return False
    return True


def _run_request(submission: Submission, window_id: str, names_of: NamesOf, phase: Phase) -> RunRequest:
    job_name, first_op = names_of(submission, phase)
    return RunRequest(
        run_key=window_id,
        job_name=job_name,
        run_config=first_op_config(first_op, window_id),
        tags=window_tags(window_id, submission),
    )


def _end_sensors(ledger: Callable[[], Ledger]) -> list[SensorDefinition]:
    @run_status_sensor(
        run_status=DagsterRunStatus.FAILURE,
        name="failed_window_sensor",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Hands the documents of a failed run back to the queue.",
    )
    def failed_window_sensor(context: RunStatusSensorContext) -> None:
        failures = step_failures(context.instance, context.dagster_run.run_id)
        _hand_back(context, ledger(), ": ".join(["its run failed", *failures]))

    @run_status_sensor(
        run_status=DagsterRunStatus.CANCELED,
        name="terminated_window_sensor",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Stops the job of a run that its user terminated; hands its documents back.",
    )
    def terminated_window_sensor(context: RunStatusSensorContext) -> None:
        tags = context.dagster_run.tags
        window_id = window_of(tags)
        job_id = ledger().windows.job_of(window_id) if window_id is not None else None
        if job_id is not None and HOST_STOPPED_TAG not in tags:
            ledger().jobs.cancel(job_id)  # first, or another window takes them up
        _hand_back(context, ledger(), "its run was terminated")

    return [failed_window_sensor, terminated_window_sensor]


def _hand_back(context: RunStatusSensorContext, ledger: Ledger, reason: str) -> None:
    window_id = window_of(context.dagster_run.tags)
    if window_id is not None:
        count = ledger.windows.release(window_id, reason)
        context.log.info(f"{count} documents of window {window_id} handed back: {reason}")
