"""`medkg top`: what the data folder does now, drawn again every few seconds.

Comes in: the ledger's counts and last stages, and the host's status. Leaves: rates by stage, states, queue,
workers and GPUs. It needs neither the relay nor Prometheus, and covers all tenants.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestration.cli.help_text import HOST, example
from orchestration.cli.output import AsJson, answer, console, reports_errors
from orchestration.contracts import Ledger
from orchestration.contracts.host import HostStatus
from orchestration.contracts.jobs import StageReport
from orchestration.contracts.monitoring import DOCUMENT_STATES
from orchestration.errors import HostUnavailableError
from orchestration.jobs.host_status import host_status
from orchestration.settings import Settings

__all__ = ["register"]

RATE_SECONDS: Final = 300.0
"""Rates and durations are those of the last five minutes."""

LAST_REPORTS: Final = 1_000


@reports_errors
def top(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds between two readings.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Show live what runs: rates by stage, documents by state, queue, workers, GPUs; of all tenants.

    Ctrl-C ends it. `--json` prints one reading.
    """
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        ledger = data_folder.ledger
        if once or as_json:
            value = reading(ledger, host_status(settings, with_health=True), time.time())
            answer(as_json, value, lambda: console.print(drawn(value)))
            return
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                value = reading(ledger, host_status(settings, with_health=True), time.time())
                live.update(drawn(value), refresh=True)
                time.sleep(seconds)


def reading(ledger: Ledger, host: HostStatus | HostUnavailableError, now: float) -> dict[str, Any]:
    """One reading, as JSON values."""
    counts = ledger.monitoring.read()
    pipelines = sorted({pipeline for pipeline, _ in counts.documents})
    return {
        "at": now,
        "documents": {
            pipeline: {state: counts.documents.get((pipeline, state), 0) for state in DOCUMENT_STATES}
            for pipeline in pipelines
        },
        "queue_seconds": {name: max(0.0, now - since) for name, since in counts.queued_since.items()},
        "jobs": dict(counts.jobs),
        "windows": counts.windows,
        "leases": counts.leases,
        "dead_letters": [
            {"stage": stage, "code": code, "documents": number}
            for (stage, code), number in sorted(counts.dead_letters.items())
        ],
        "gates": [gate.model_dump() for gate in counts.gates],
        "stages": stage_rates(ledger.monitoring.recent_stages(now - RATE_SECONDS, LAST_REPORTS)),
        "host": _host(host),
    }


def stage_rates(reports: Sequence[StageReport]) -> list[dict[str, Any]]:
    """By stage, in the order of their first reports: documents per second, failures, seconds per window."""
    of_stage: dict[str, list[StageReport]] = {}
    for report in sorted(reports, key=lambda each: each.started_at):
        of_stage.setdefault(report.stage, []).append(report)
    return [
        {
            "stage": stage,
            "documents_per_second": sum(report.documents_in for report in ended) / RATE_SECONDS,
            "failed": sum(report.failed for report in ended),
            "retried": sum(report.retried for report in ended),
            "mean_seconds": sum(report.seconds for report in ended) / len(ended),
            "longest_seconds": max(report.seconds for report in ended),
        }
        for stage, ended in of_stage.items()
    ]


def _host(host: HostStatus | HostUnavailableError) -> dict[str, Any]:
    if isinstance(host, HostUnavailableError):
        return {"runs": False, "problem": host.message}
    replicas = [replica for rows in host.plane_health.values() if isinstance(rows, list) for replica in rows]
    devices = {device["index"]: device for replica in replicas for device in replica.get("devices") or ()}
    return {
        "runs": True,
        "plane": host.plane,
        "profile": host.profile,
        "busy_workers": sum(worker.get("run") is not None for worker in host.workers),
        "workers": len(host.workers),
        "problems": host.problems(),
        "gpus": [devices[index] for index in sorted(devices)],
    }


# --- drawing ----------------------------------------------------------------------------------------


def drawn(value: Mapping[str, Any]) -> Group:
    """A reading as tables for a terminal."""
    host = value["host"]
    if host["runs"]:
        workers = f"{host['busy_workers']} of {host['workers']} workers busy"
        line = f"plane {host['plane']} ({host['profile']}), {workers}"
    else:
        line = "no host runs: documents stay queued (`medkg up`, `medkg run`)"
    line += f"; {value['windows']} windows in work, {value['leases']} documents leased"
    jobs = ", ".join(f"{number} {state}" for state, number in value["jobs"].items()) or "none"
    return Group(
        Text(f"{time.strftime('%H:%M:%S', time.localtime(value['at']))}  {line}"),
        Text(f"unfinished jobs: {jobs}"),
        *(Text(f"problem: {problem}", style="red") for problem in host.get("problems", ())),
        _documents(value),
        _stages(value["stages"]),
        *([_gpus(host["gpus"])] if host.get("gpus") else []),
        *(
            Text(f"{row['documents']} dead letters: {row['stage']} {row['code']}")
            for row in value["dead_letters"]
        ),
        *(
            Text(f"{row['documents']} documents wait at {row['pipeline_name']}/{row['gate']}")
            for row in value["gates"]
        ),
    )


def _documents(value: Mapping[str, Any]) -> Table:
    rows = [
        [
            pipeline,
            *(f"{states[state]:,}" for state in DOCUMENT_STATES),
            _seconds(value["queue_seconds"].get(pipeline)),
        ]
        for pipeline, states in value["documents"].items()
    ]
    return _table(["documents", *DOCUMENT_STATES, "oldest queued"], rows)


def _stages(stages: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            row["stage"],
            f"{row['documents_per_second']:.2f}",
            f"{row['failed']:,}",
            f"{row['retried']:,}",
            _seconds(row["mean_seconds"]),
            _seconds(row["longest_seconds"]),
        ]
        for row in stages
    ]
    return _table(["stage, last 5 minutes", "documents/s", "failed", "retried", "mean", "longest"], rows)


def _gpus(gpus: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            f"GPU {gpu['index']} {gpu['name']}",
            f"{gpu['utilisation']} %" if gpu["utilisation"] is not None else "",
            f"{gpu['total_gib'] - gpu['free_gib']:.1f} of {gpu['total_gib']:.1f} GiB",
            f"{gpu['temperature']} °C" if gpu["temperature"] is not None else "",
            ", ".join(gpu["slowed_by"]),
        ]
        for gpu in gpus
    ]
    return _table(["GPU", "busy", "memory", "heat", "slowed down by"], rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=HOST, epilog=example("medkg top", "medkg top --once"))(top)
