"""`medkg jobs`: what was submitted, how far it came, what it found, and stopping it."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import DOCUMENTS, example
from orchestration.cli.output import MOST, AsJson, answer, console, note, reports_errors, table
from orchestration.contracts import JobState
from orchestration.settings import Settings

jobs = typer.Typer(help="List, show and cancel jobs.", no_args_is_help=True)

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@jobs.command("list", epilog=example("medkg jobs list", "medkg jobs list --state open"))
@reports_errors
def list_jobs(
    ctx: typer.Context,
    state: Annotated[list[JobState] | None, typer.Option(help="Only jobs in this state; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of jobs.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs with state, age and account, the newest first, and why a run of an unfinished one failed."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        value = data_folder.jobs.newest(state, limit)
    columns = ["pipeline", "source", "state", "in", "committed", "failed", "skipped", "waiting", "pending"]
    rows = [
        [job["job_id"][:8], _age(job["age_seconds"]), *(job[column] for column in columns)] for job in value
    ]

    def show() -> None:
        table(None, ["job", "age", *columns], rows)
        for job in value:
            if job["handed_back_because"] and job["state"] != JobState.DONE:
                console.print(_handed_back(job), markup=False)

    answer(as_json, {"jobs": value}, show)


@jobs.command("show", epilog=example("medkg jobs show 1f0c2d3e"))
@reports_errors
def show_job(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(help="Id of a job, or how it begins.")],
    as_json: AsJson = False,
) -> None:
    """Show the account of a job as `medkg run` does, with mentions, claims and what was dropped."""
    from orchestration.assembly import open_data_folder
    from orchestration.cli.run import show_reports

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        report = data_folder.jobs.report(data_folder.jobs.resolve(job_id))
    show_reports([report], as_json)


@jobs.command("cancel", epilog=example("medkg jobs cancel 1f0c2d3e"))
@reports_errors
def cancel_jobs(
    ctx: typer.Context,
    job_ids: Annotated[list[str], typer.Argument(help="Ids of jobs, or how they begin.")],
    as_json: AsJson = False,
) -> None:
    """Stop jobs: end their runs and queue their unfinished documents for a later run.

    What a job has committed stays. The next `medkg run` or `submit` of the same documents continues.
    """
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import HostClient

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        client = HostClient(settings)
        host = client if client.is_running() else None
        chosen = [data_folder.jobs.resolve(job_id) for job_id in job_ids]
        value = [data_folder.jobs.cancel(job_id, host, note) for job_id in dict.fromkeys(chosen)]
    answer(as_json, {"jobs": value}, lambda: console.print("\n".join(map(_cancelled, value))))


def _handed_back(job: dict[str, Any]) -> str:
    return (
        f"{job['job_id'][:8]}: documents were queued again, the last time since {job['handed_back_because']}"
    )


def _cancelled(job: dict[str, Any]) -> str:
    was = "was done before" if job["state"] == JobState.DONE else f"is {job['state']}"
    return f"job {job['job_id']} {was}; {job['pending']} of {job['in']} documents are not finished"


def _age(seconds: float) -> str:
    """An age in its largest whole unit."""
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def register(app: typer.Typer) -> None:
    app.add_typer(jobs, name="jobs", rich_help_panel=DOCUMENTS)
