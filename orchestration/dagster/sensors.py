"""Sensors: submitted jobs become window runs; windows whose runs ended badly are handed back.

Comes in: the ledger, through the job_ledger resource. Leaves: RunRequests keyed by window, and released
windows. They only look at jobs that no foreground command attends to, and take tenants in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    SkipReason,
    run_status_sensor,
    sensor,
)

from orchestration.contracts import JobLedger, JobState, Submission
from orchestration.dagster.names import HOST_STOPPED_TAG, JOB_TAG, WINDOW_TAG, first_op_config
from orchestration.errors import MedkgError
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
OPEN_JOBS = (JobState.ENUMERATING, JobState.OPEN)


def job_sensors(
    jobs: Sequence[JobDefinition],
    ledger: Callable[[], JobLedger],
    submissions: Callable[[], Submissions],
    job_of_pipeline: Callable[[Submission], tuple[str, str]],
    most_outstanding: int,
) -> list[SensorDefinition]:
    """The submission sensor and the two run-status sensors over these jobs.

    `ledger` and `submissions` open them when first needed; `job_of_pipeline` gives a submission's Dagster
    job and first op; at most `most_outstanding` windows of submitted jobs are in Dagster's queue at once.
    """

    @sensor(
        name="submission_sensor",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Claims windows of submitted jobs and requests a run for each.",
    )
    def submission_sensor(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        ledger().reclaim(is_alive)
        for job_id in submissions().end_abandoned(is_alive):
            context.log.warning(
                f"the process that listed the documents of job {job_id} died before it was through: those it "
                "had listed are run; submit the same path again for the rest"
            )
        waiting = context.instance.get_run_records(RunsFilter(statuses=UNFINISHED))
        tags = [record.dagster_run.tags for record in waiting]
        ledger().hold([tag[WINDOW_TAG] for tag in tags if WINDOW_TAG in tag])
        due = [job for job in _submitted(ledger()) if _has_pipeline(context, job, job_of_pipeline)]
        claims = submissions().claims(due)
        free = max(0, most_outstanding - len(waiting))
        requested = False
        for submission, window_id in islice(claims, free):
            requested = True
            yield _run_request(submission, window_id, job_of_pipeline)
        if not requested:
            yield SkipReason(f"nothing to claim; {len(waiting)} runs in work")

    return [submission_sensor, *_end_sensors(ledger)]


def _submitted(ledger: JobLedger) -> list[Submission]:
    """Open jobs that nobody attends to, oldest first; settles those that are through."""
    summaries = ledger.jobs(None, OPEN_JOBS)
    return [
        summary.submission
        for summary in reversed(summaries)
        if not summary.submission.attended and ledger.settle(summary.submission.job_id) in OPEN_JOBS
    ]


def _has_pipeline(
    context: SensorEvaluationContext,
    submission: Submission,
    job_of_pipeline: Callable[[Submission], tuple[str, str]],
) -> bool:
    """Whether a job can be run now; one whose topology is gone keeps no other from being claimed for."""
    try:
        job_of_pipeline(submission)
    except MedkgError as error:
        context.log.warning(f"job {submission.job_id} is not claimed for: {error.message}")
        return False
    return True


def _run_request(
    submission: Submission, window_id: str, job_of_pipeline: Callable[[Submission], tuple[str, str]]
) -> RunRequest:
    job_name, first_op = job_of_pipeline(submission)
    return RunRequest(
        run_key=window_id,
        job_name=job_name,
        run_config=first_op_config(first_op, window_id),
        tags={WINDOW_TAG: window_id, JOB_TAG: submission.job_id},
    )


def _end_sensors(ledger: Callable[[], JobLedger]) -> list[SensorDefinition]:
    @run_status_sensor(
        run_status=DagsterRunStatus.FAILURE,
        name="failed_window_sensor",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Hands the documents of a failed run back to the queue.",
    )
    def failed_window_sensor(context: RunStatusSensorContext) -> None:
        _hand_back(context, ledger(), "its run failed")

    @run_status_sensor(
        run_status=DagsterRunStatus.CANCELED,
        name="terminated_window_sensor",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
        description="Stops the job of a run that its user terminated; hands its documents back.",
    )
    def terminated_window_sensor(context: RunStatusSensorContext) -> None:
        tags = context.dagster_run.tags
        job_id = ledger().job_of_window(tags[WINDOW_TAG]) if WINDOW_TAG in tags else None
        if job_id is not None and HOST_STOPPED_TAG not in tags:
            ledger().set_job_state(job_id, JobState.CANCELLED)  # first, or another window takes them up
        _hand_back(context, ledger(), "its run was terminated")

    return [failed_window_sensor, terminated_window_sensor]


def _hand_back(context: RunStatusSensorContext, ledger: JobLedger, reason: str) -> None:
    window_id = context.dagster_run.tags.get(WINDOW_TAG)
    if window_id is not None:
        count = ledger.release(window_id, reason)
        context.log.info(f"{count} documents of window {window_id} handed back: {reason}")
