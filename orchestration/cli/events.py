"""`medkg events`: what happened, as CloudEvents, and bringing it to those who listen."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import HOST, example
from orchestration.cli.output import MOST, AsJson, answer, console, note, reports_errors, table
from orchestration.errors import ExitCode, UsageError
from orchestration.settings import Settings

events = typer.Typer(
    help="What happened, as CloudEvents, and where it is published to.", no_args_is_help=True
)

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Since = Annotated[
    str, typer.Option("--since", help="From when: 90s, 10m, 2h, 7d ago, or a time as 2026-11-30T10:00.")
]


@events.command("tail", epilog=example("medkg events tail --follow", "medkg events tail --doc PMC9900001"))
@reports_errors
def tail(
    ctx: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option("--type", help="Only types that contain this, e.g. document.failed.")
    ] = None,
    doc: Annotated[str | None, typer.Option("--doc", help="Only events of this document.")] = None,
    job: Annotated[str | None, typer.Option("--job", help="Only events of jobs that begin so.")] = None,
    since: Since = "1h",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of past events.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last events of the tenant, oldest first; with --json and --follow a JSON line each."""
    from orchestration.assembly import open_data_folder
    from orchestration.events.factory import Event

    settings: Settings = ctx.obj

    def matches(event: Event) -> bool:
        attributes = event.cloud_event.get_attributes()
        return (
            attributes.get("tenant", settings.tenant) == settings.tenant
            and (kind is None or kind in event.type)
            and (doc is None or attributes["subject"] == doc)
            and (job is None or attributes.get("jobid", "").startswith(job))
        )

    with open_data_folder(settings) as data_folder:
        last, position = data_folder.events.last(_moment(since), limit, matches)
        if not follow:
            answer(as_json, {"events": [event.as_json() for event in last]}, lambda: _show(last))
            return
        for event in last:
            _line(event, as_json)
        for event in data_folder.events.follow(position, matches):
            _line(event, as_json)


@events.command("status", epilog=example("medkg events status"))
@reports_errors
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how much the outbox holds, how far each sink is, and why one does not come on."""
    from orchestration.assembly import open_data_folder
    from orchestration.assembly.sinks import configured_sinks

    settings: Settings = ctx.obj
    configured = configured_sinks(settings)
    with open_data_folder(settings) as data_folder:
        state = data_folder.events.state()
    sinks = [{**reader.model_dump(), "configured": reader.name in configured} for reader in state.readers]
    known = {reader.name for reader in state.readers}
    waiting = [name for name in configured if name not in known]
    value = {"facts": state.facts, "oldest_at": state.oldest_at, "sinks": sinks, "not_started": waiting}

    def show() -> None:
        console.print(
            f"{state.facts:,} facts are kept" + (f", since {_time(state.oldest_at)}" if state.facts else "")
        )
        rows = [
            [
                row["name"],
                f"{row['behind']:,}",
                _time(row["oldest_at"]),
                f"{row['dropped']:,}",
                row["problem"] or "",
            ]
            for row in sinks
        ]
        table(None, ["sink", "behind", "since", "dropped", "problem"], rows)
        for row in sinks:
            if not row["configured"]:
                console.print(
                    f"{row['name']} is not configured now; `medkg events forget {row['name']}` forgets it."
                )
        if waiting:
            console.print(
                f"not started so far: {', '.join(waiting)}; `medkg up` or `medkg events relay` does."
            )
        if not configured:
            console.print("no sink is configured (docs/guides/events.md); `medkg events tail` shows events.")

    answer(as_json, value, show)


@events.command("replay", epilog=example("medkg events replay kafka --since 2h"))
@reports_errors
def replay(
    ctx: typer.Context,
    sink: Annotated[str, typer.Argument(help="kafka, file, webhook or openlineage.")],
    since: Since = "1h",
    as_json: AsJson = False,
) -> None:
    """Publish what is kept again to one sink; events keep their ids, so consumers recognise them."""
    from orchestration.assembly import open_data_folder

    with open_data_folder(ctx.obj) as data_folder:
        facts = data_folder.events.replay(sink, _moment(since))
    answer(
        as_json, {"sink": sink, "facts": facts}, lambda: note(f"{sink}: {facts:,} facts are published again")
    )


@events.command("forget", epilog=example("medkg events forget webhook"))
@reports_errors
def forget(
    ctx: typer.Context,
    sink: Annotated[str, typer.Argument(help="A sink that `medkg events status` lists.")],
    as_json: AsJson = False,
) -> None:
    """Forget a sink that is not used any more: nothing is kept for it. If configured, it starts over."""
    from orchestration.assembly import open_data_folder

    with open_data_folder(ctx.obj) as data_folder:
        data_folder.events.forget(sink)
    answer(as_json, {"forgotten": sink}, lambda: note(f"{sink} is forgotten"))


@events.command("relay", epilog=example("medkg events relay", "medkg events relay --once"))
@reports_errors
def relay(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Publish what there is, then end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish events to the configured sinks and serve /metrics, as a host does beside its other work."""
    from orchestration.assembly.relay import publish_once, serve_relay

    settings: Settings = ctx.obj
    if not once:
        ticks = None
        if settings.metrics_port is not None:
            from orchestration.dagster.ticks import LastTicks

            ticks = LastTicks(settings).read
        serve_relay(settings, ticks)
        return
    problems = publish_once(settings)

    def show() -> None:
        for sink, problem in problems.items():
            note(f"{sink}: {problem}")

    answer(as_json, {"problems": problems}, show)
    if problems:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def _moment(since: str) -> float:
    """Seconds since the epoch; raises UsageError for anything but an age or a time."""
    if match := re.fullmatch(r"(\d+)([smhd])", since):
        return time.time() - int(match[1]) * UNITS[match[2]]
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"--since {since!r} is no age and no time; write 90s, 10m, 2h, 7d or 2026-11-30T10:00."
        ) from None
    return moment.astimezone(UTC).timestamp()


def _show(last: list[Any]) -> None:
    table(None, ["time", "type", "subject", ""], [_row(event) for event in last])
    if not last:
        console.print("No event matches; --since 7d looks further back.")


def _line(event: Any, as_json: bool) -> None:
    text = event.structured().decode() if as_json else "  ".join(_row(event))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _row(event: Any) -> list[str]:
    attributes, data = event.cloud_event.get_attributes(), event.cloud_event.get_data()
    shown = {
        name: value
        for name, value in data.items()
        if name not in ("doc_id", "source") and value not in ("", None)
    }
    details = " ".join(f"{name}={_detail(value)}" for name, value in shown.items())
    return [_time(attributes["time"].timestamp()), event.short_type, attributes["subject"], details]


def _detail(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{count}" for name, count in value.items() if count)
    if isinstance(value, float):
        return f"{value:.0f}"
    return value[:12] if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else str(value)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(events, name="events", rich_help_panel=HOST)
