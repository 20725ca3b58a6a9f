"""`medkg run` and `medkg submit`: documents through a topology, in the foreground or by the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import psutil
import typer

from orchestration.cli.help_text import INGEST, example
from orchestration.cli.mirroring import Removal
from orchestration.cli.output import MOST, AsJson, answer, console, note, outstanding, reports_errors, table
from orchestration.cli.progress import watching
from orchestration.cli.tracing import job_counts, job_span
from orchestration.contracts import SourceRequest
from orchestration.errors import ExitCode, HostUnavailableError, UsageError
from orchestration.jobs.host_status import host_status
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.contracts import DocumentCounts, Submission
    from orchestration.jobs.foreground import RunReport
    from orchestration.jobs.host_client import Host
    from orchestration.operations.data_folder import DataFolder
    from orchestration.topology.graph import TopologyGraph

SHOWN_FAILURES = 10

TopologyName = Annotated[
    str,
    typer.Argument(
        help="Topology, e.g. auto; see `medkg topology list`. NAME@YYYY-MM-DD is a dated version."
    ),
]
SourceName = Annotated[str, typer.Option(help="Source plugin, e.g. files, clinicaltrials, pubmed.")]
Paths = Annotated[list[str] | None, typer.Option("--path", help="File or folder to read. May be repeated.")]
Query = Annotated[str | None, typer.Option(help="Query for sources that are services, in their own syntax.")]
Limit = Annotated[int | None, typer.Option(min=1, max=MOST, help="Maximum number of documents.")]
Resync = Annotated[
    bool,
    typer.Option(
        "--resync", help="Enumerate all documents again, not only those that changed since the last sync."
    ),
]
Mirror = Annotated[
    bool,
    typer.Option(
        "--mirror", help="Also remove documents that are gone from the folder or the listing since; asks."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="With --mirror: remove them without asking.")]
WindowSize = Annotated[
    int | None, typer.Option(min=1, max=MOST, help="Maximum number of documents in one Dagster run.")
]


@reports_errors
def run(
    ctx: typer.Context,
    topology: TopologyName,
    source: SourceName = "files",
    path: Paths = None,
    query: Query = None,
    limit: Limit = None,
    window: WindowSize = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running: process new and changed files until Ctrl-C.")
    ] = False,
    resync: Resync = False,
    mirror: Mirror = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run documents through a topology and wait until they are committed."""
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import Host

    settings: Settings = ctx.obj
    request = SourceRequest(
        plugin=source, paths=absolute(path), query=query, limit=limit, resync=resync, mirror=mirror
    )
    if watch and mirror and not yes:
        raise UsageError("--watch runs again and again, so --mirror cannot ask each time: add --yes.")
    with open_data_folder(settings) as data_folder, Host(settings, note) as host:
        graph = data_folder.topologies.load(topology)
        note(data_folder.describe_profile())

        def once(started_at: float | None = None) -> RunReport:
            with job_span(graph.name) as job:
                submission = data_folder.jobs.open(graph, request, window, attended=True)
                job.set({"medkg.job": submission.job_id, "medkg.tenant": submission.tenant_id})
                removal = Removal(data_folder, submission, yes=yes) if mirror else None
                report = follow(data_folder, submission, host, graph, as_json, started_at, removal)
                job.set(job_counts(report.summary.documents))
                return report

        if watch:
            _watch(request, once, as_json)
        report = once()
    finish_with([report], as_json)


def _watch(request: SourceRequest, once: Callable[[float], RunReport], as_json: bool) -> NoReturn:
    """Run once, then after every change of the files; prints one report per run, one JSON object per line.

    The ledger skips unchanged documents, so that none is missed and none is processed twice.
    """
    from orchestration.sources.changes import changes

    if request.plugin != "files" or not request.paths:
        raise UsageError("--watch follows files. Name files or folders with --path, and no --source.")
    for _ in changes(request.paths):
        report = once(time.time())
        show_reports([report], as_json)
        if report.interrupted:
            raise typer.Exit(report.exit_code)
        note("watching for changes; Ctrl-C ends it")
    raise typer.Exit(ExitCode.OK)


@reports_errors
def submit(
    ctx: typer.Context,
    topology: TopologyName,
    source: SourceName = "files",
    path: Paths = None,
    query: Query = None,
    limit: Limit = None,
    window: WindowSize = None,
    resync: Resync = False,
    mirror: Mirror = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Queue documents for the daemon that `medkg up` starts, and return."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        request = SourceRequest(
            plugin=source, paths=absolute(path), query=query, limit=limit, resync=resync, mirror=mirror
        )
        with job_span(topology, kind="producer") as job:
            submission = data_folder.jobs.submit_to_dagster(
                topology,
                request,
                window,
                lambda counts: note(_queued(counts)),
            )
            job.set({"medkg.job": submission.job_id, "medkg.tenant": submission.tenant_id})
        mirrored = Removal(data_folder, submission, yes=yes)() if mirror else None
        documents = data_folder.ledger.jobs.summary(submission.job_id).documents
    warnings = _daemon_warnings(settings)
    value: dict[str, Any] = {"job_id": submission.job_id}
    value["documents"] = {"in": documents.total, "pending": documents.pending}
    if mirrored is not None:
        value |= {"removed": mirrored.removed, "mirror": mirrored.as_json()}
    answer(as_json, value, lambda: _show_submitted(value, warnings))
    if mirrored is not None and mirrored.left:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _queued(counts: DocumentCounts) -> str:
    """What became of a batch of listed documents, in one line."""
    line = f"{counts.total} documents enumerated, {counts.pending} queued"
    alone = {"extraction": counts.due_for_graph, "chunks and vectors": counts.due_for_index}
    parts = [f"{documents} for {what} alone" for what, documents in alone.items() if documents]
    return f"{line} ({', '.join(parts)})" if parts else line


def _show_submitted(value: dict[str, Any], warnings: Sequence[str]) -> None:
    documents = value["documents"]
    console.print(f"job {value['job_id']}: {documents['pending']} of {documents['in']} documents queued")
    if "removed" in value:
        _show_removed(value)
    for warning in warnings:
        console.print(warning, markup=False)


def _show_removed(value: dict[str, Any]) -> None:
    """What a mirror removed; `value` is the answer of a run or submission."""
    console.print(
        f"{value['removed']} of {value['mirror']['gone']} documents removed that are gone from there"
    )


def _daemon_warnings(settings: Settings) -> list[str]:
    """Why the job will not run by itself now: no daemon runs, or what it needs has a problem."""
    from orchestration.jobs.host_client import HostClient

    status = host_status(settings, with_health=True) if HostClient(settings).is_running() else None
    if isinstance(status, HostUnavailableError):
        return [f"The job may have to wait: {status.message}"]
    if status is None or not status.kept:
        return ["No daemon runs for this data folder: start it with `medkg up`, and it runs the job."]
    return [f"The job may have to wait: {problem}" for problem in status.problems()]


def absolute(paths: Sequence[str] | None) -> tuple[str, ...]:
    """Absolute paths, since a worker has another working folder."""
    return tuple(str(Path(path).absolute()) for path in paths or ())


def follow(
    data_folder: DataFolder,
    submission: Submission,
    host: Host,
    topology: TopologyGraph | None = None,
    quiet: bool = False,
    started_at: float | None = None,
    removal: Removal | None = None,
) -> RunReport:
    """Drive an opened job to its end in the foreground, with progress on stderr.

    `started_at`: start of its seconds, in seconds since 1970; default: the command's start.
    """
    from orchestration.jobs.foreground import drive
    from orchestration.jobs.working_stage import phase_stages

    graph = topology or data_folder.topologies.load(submission.pipeline_name)
    with watching(quiet, phase_stages(graph)) as watch:
        return drive(
            data_folder.ledger,
            data_folder.submissions,
            submission,
            topology,
            host,
            watch,
            started_at or psutil.Process().create_time(),
            data_folder.gate_sweeps.moves_by_itself,
            removal,
        )


def finish_with(reports: Sequence[RunReport], as_json: bool) -> NoReturn:
    """Print the reports and end with the highest of their exit codes."""
    show_reports(reports, as_json)
    raise typer.Exit(max((report.exit_code for report in reports), default=ExitCode.OK))


def show_reports(reports: Sequence[RunReport], as_json: bool) -> None:
    """Print the reports; as JSON, one object, or a list of several."""
    values = [report.as_json() for report in reports]

    def show() -> None:
        for report, value in zip(reports, values, strict=True):
            _show(report, value)

    answer(as_json, values[0] if len(values) == 1 else values, show)


def _show(report: RunReport, value: dict[str, Any]) -> None:
    stages = value["stages"]
    if stages:
        _show_stages(stages)
    _show_extracted(value)
    documents = value["documents"]
    parts = [f"{documents[name]} {name}" for name in ("committed", "failed", "skipped", "waiting", "pending")]
    console.print(
        f"[bold]{documents['in']} documents[/] = {' + '.join(parts)}; {value['chunks']} chunks, "
        f"{value['seconds']:.1f} s, {value['docs_per_second']:.1f} docs/s"
    )
    if value["outstanding"]:
        console.print(
            f"  indexed, {outstanding(value['outstanding'])}; the next run or `medkg dlq replay` does it."
        )
    if report.mirrored is not None:
        _show_removed(value)
    skipped = value["skipped"]
    if skipped["superseded"]:
        console.print(f"  {skipped['superseded']} of the skipped are older than another revision of theirs.")
    if skipped["deleted"]:
        console.print(
            f"  {skipped['deleted']} of the skipped are deletions that the source announces, see the log. "
            "Committed documents stay: `medkg docs show` marks them, `medkg docs delete` removes them."
        )
    for failure in value["failures"][:SHOWN_FAILURES]:
        console.print(
            f"  {failure['code']} {failure['doc_id']} ({failure['stage']}): {failure['message']}",
            markup=False,
        )
    if len(value["failures"]) > SHOWN_FAILURES:
        console.print(f"  ... and {len(value['failures']) - SHOWN_FAILURES} more: `medkg dlq list`")
    if documents["waiting"] and not report.interrupted:
        console.print(
            "The waiting documents continue by themselves while `medkg up` runs; see `medkg gate list`."
        )
    if report.interrupted:
        console.print("Interrupted; nothing is lost: the same command continues.")
    elif report.stopped_because:
        console.print(f"Stopped: {report.stopped_because}", markup=False)
        console.print("The pending documents are queued; the same command continues.")


def _show_extracted(value: dict[str, Any]) -> None:
    """Mentions and claims of stages that extracted, what was dropped, and documents of one branch."""
    extracting = [name for name, stage in value["stages"].items() if stage["mentions"] or stage["claims"]]
    for name in dict.fromkeys([*value["dropped"], *extracting[:1]]):  # the next one stores the same
        stage, dropped = value["stages"][name], value["dropped"].get(name, {})
        grounded = stage["mentions"] + stage["claims"]
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        share = sum(dropped.values()) / (grounded + sum(dropped.values()))
        console.print(
            f"  {name}: {stage['mentions']:,.0f} mentions, {stage['claims']:,.0f} claims"
            + (f"; {share:.1%} dropped ({reasons})" if dropped else ""),
            markup=False,
        )
    reused = max((stage["reused"] for stage in value["stages"].values()), default=0)
    if reused:
        console.print(f"  {reused:,.0f} documents were taken as parsed before; only what changed ran again.")


def _show_stages(stages: dict[str, dict[str, float]]) -> None:
    columns = ["stage", "in", "out", "failed", "retried", "seconds", "CPU s", "of which models"]
    table(
        None,
        columns,
        [
            [
                name,
                int(stage["documents_in"]),
                int(stage["documents_out"]),
                int(stage["failed"]),
                int(stage["retried"]),
                stage["seconds"],
                stage["cpu_seconds"],
                stage["model_cpu_seconds"],
            ]
            for name, stage in stages.items()
        ],
    )


def register(app: typer.Typer) -> None:
    run_example = example(
        "medkg run auto --path demo/corpus",
        "medkg run clinical-trials --source clinicaltrials --query EGFR --limit 100",
    )
    app.command("run", rich_help_panel=INGEST, epilog=run_example)(run)
    submit_example = example("medkg submit auto --path demo/corpus")
    app.command("submit", rich_help_panel=INGEST, epilog=submit_example)(submit)
