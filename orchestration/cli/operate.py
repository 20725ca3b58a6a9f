"""`medkg up`, `down`, `status`, `doctor`, `compact`, `reembed`: a folder's processes and health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from orchestration.cli.degradations import show_degraded
from orchestration.cli.graph_projection import described
from orchestration.cli.help_text import HOST, INDEX, example
from orchestration.cli.output import AsJson, answer, console, note, outstanding, reports_errors, table
from orchestration.errors import (
    ExitCode,
    HostUnavailableError,
    MedkgError,
    PlaneUnavailableError,
    UsageError,
)
from orchestration.jobs.host_status import host_status
from orchestration.settings import Settings

PLANE_SECONDS = 300.0
CHILDREN_SECONDS = 180.0
MODEL_POOLS: Final = ("embedders", "expanders", "rerankers", "extractors")
PLUGIN_COLUMNS: Final = ["", "plugin", "group", "distribution", "class"]
GPU_COLUMNS: Final = ["GPU", "name", "capability", "free", "busy", "heat", "slowed down by", "ECC errors"]


@reports_errors
def up(
    ctx: typer.Context,
    swap: Annotated[
        bool, typer.Option("--swap", help="Switch a running plane to the models that are set now.")
    ] = False,
    no_ui: Annotated[
        bool,
        typer.Option(
            "--no-ui", help="Without the Dagster UI and the Ray dashboard, which saves CPU and memory."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the plane, the window workers, the Dagster UI and its daemon running in the background."""
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import Host

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder, Host(settings, note) as host:
        note(data_folder.describe_profile())
        wanted = data_folder.model_ids(), data_folder.rerank_model(), data_folder.extraction_model()
        data_folder.wait_for_stores(note)
        host.start_detached(ui=not no_ui)
        status = host.wait_until_plane_ready(PLANE_SECONDS)
        if status.profile != settings.profile:
            raise UsageError(
                f"it runs with profile {status.profile}, not {settings.profile}; `medkg down` stops it."
            )
        if (
            status.plane == "ready"
            and (status.models, status.rerank_model, status.extraction_model) != wanted
        ):
            now = _models(status.model_dump())
            if swap:
                note(f"loading them beside {now}; present runs end with the previous ones")
                host.swap_models(settings)
            else:
                note(f"the plane runs with {now}; `medkg up --swap` switches it")
        if status.plane == "ready":
            status = host.wait_until_children_run(CHILDREN_SECONDS)
    if status.plane != "ready":
        raise PlaneUnavailableError(
            f"the plane is {status.plane}: {(status.plane_error or 'still loading its models').rstrip('.')}. "
            "`medkg status` shows how it goes on; `medkg down` stops it."
        )
    if failures := status.failures():
        raise HostUnavailableError(
            f"the host {status.pid} runs, but {'; '.join(failures)}. `medkg status` shows how it goes on; "
            "`medkg down` stops it."
        )
    answer(as_json, status.model_dump(), lambda: _show_addresses(status.model_dump()))


def _show_addresses(status: dict[str, Any]) -> None:
    models = f" with {_models(status)}" if status["models"] else ""
    workers = f"{len(status['workers'])} window workers"
    plane = f"plane {status['plane']}{models}{_dtypes(status['plane_health'])}"
    console.print(f"host {status['pid']}: {plane}, {workers}", soft_wrap=True)
    if status["dagster_ui"]:
        console.print(f"Dagster UI     {status['dagster_ui']}")
    elif status["ui"]:
        console.print("Dagster UI     not running; logs/dagster-webserver.log in the data folder says why")
    if status["ray_dashboard"]:
        console.print(f"Ray dashboard  {status['ray_dashboard']}  (asks for the token in run/ray.token)")


def _models(status: dict[str, Any]) -> str:
    """The models of a plane, by name."""
    return " and ".join(
        [*status["models"].values(), *filter(None, [status["rerank_model"], status["extraction_model"]])]
    )


def _dtypes(health: dict[str, Any]) -> str:
    """The dtypes that the models compute in, chosen when they were loaded."""
    replicas = [replica for pool in MODEL_POOLS for replica in health.get(pool, ())]
    dtypes = sorted({replica["dtype"] for replica in replicas if "dtype" in replica})
    return f" in {' and '.join(dtypes)}" if dtypes else ""


@reports_errors
def down(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Stop what `medkg up` started; running windows return to the queue and continue with the next run."""
    from orchestration.jobs.host_client import HostClient

    settings: Settings = ctx.obj
    client = HostClient(settings)
    was_running = client.is_running()
    if was_running:
        client.stop()
    answer(
        as_json,
        {"stopped": was_running},
        lambda: console.print("stopped" if was_running else "nothing was running"),
    )


@reports_errors
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What runs, what is degraded and why, how many documents stand where, and which jobs are open.

    Exit 3 if the plane or a process of the host has failed.
    """
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import HostClient

    settings: Settings = ctx.obj
    client = HostClient(settings)
    host = client.status(with_health=True) if client.is_running() else None
    with open_data_folder(settings) as data_folder:
        value = {**data_folder.status(), "degraded": data_folder.degraded(host)}
    value["host"] = host.model_dump() if host else None
    value["problems"] = [*(host.problems() if host else ()), *value["problems"]]
    answer(as_json, value, lambda: _show_status(value))
    raise typer.Exit(ExitCode.UNAVAILABLE if host and host.failures() else ExitCode.OK)


def _show_status(value: dict[str, Any]) -> None:
    console.print(f"data folder {value['data_dir']}, tenant {value['tenant']}", markup=False)
    if value["host"]:
        _show_addresses(value["host"])
        columns = ["name", "pid", "state", "restarts"]
        rows = [
            [child["name"], str(child["pid"] or "-"), child["state"], child["restarts"]]
            for child in value["host"]["children"]
        ]
        table(None, ["process", *columns[1:]], rows)
    else:
        console.print("no host runs; `medkg up` keeps one, `medkg run` starts its own")
    for problem in value["problems"]:
        console.print(f"[bold red]problem[/] {escape(problem)}", soft_wrap=True)
    show_degraded(value["degraded"])
    table(None, ["documents", "count"], sorted(value["documents"].items()))
    if value["outstanding"]:
        console.print(f"indexed, {outstanding(value['outstanding'])}; a run or `medkg dlq replay` does it")
    if value["projection"]:
        console.print(described(value["projection"]), markup=False)
    if len(value["vectors"]) > 1:
        table(None, ["vectors of", "documents"], sorted(value["vectors"].items()))
    if value["syncs"]:
        columns = ["source", "query", "limit", "state", "listed", "begun"]
        table(None, columns, [[sync[column] for column in columns] for sync in value["syncs"]])
    if value["jobs"]:
        columns = ["pipeline", "state", "in", "committed", "failed", "waiting", "pending"]
        rows = [[job["job_id"][:8], *(job[column] for column in columns)] for job in value["jobs"]]
        table(None, ["job", *columns], rows)


@reports_errors
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check this machine, the data folder, the plugins, the models and the profile's devices."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    host = host_status(settings, with_health=True)
    with open_data_folder(settings, unchecked=True) as data_folder:
        report = data_folder.doctor()
        report["degraded"] = data_folder.degraded(None if isinstance(host, MedkgError) else host)
    checks, plugins, gpus = report["checks"], report["plugins"], report["gpus"]
    healthy = all(check["ok"] for check in checks)
    rows = [["ok" if check["ok"] else "FAILED", check["check"], check["detail"]] for check in checks]

    def show() -> None:
        table(None, ["", "check", ""], rows)
        show_degraded(report["degraded"])
        table(None, PLUGIN_COLUMNS, [_plugin_row(plugin) for plugin in plugins])
        if gpus:
            table(None, GPU_COLUMNS, [_gpu_row(gpu) for gpu in gpus])

    answer(as_json, {"healthy": healthy, **report}, show)
    raise typer.Exit(max((check["exit_code"] for check in checks if not check["ok"]), default=ExitCode.OK))


def _plugin_row(plugin: Mapping[str, Any]) -> list[str]:
    """A plugin as a row of the table; the check "plugins load" says why one cannot be used."""
    columns = ("name", "group", "distribution", "class")
    return ["ok" if plugin["ok"] else "FAILED", *(plugin[column] for column in columns)]


def _gpu_row(gpu: Mapping[str, Any]) -> list[str]:
    """A GPU's readings as a row of the table; "-" for what it does not report."""

    def reading(value: object, unit: str) -> str:
        return f"{value}{unit}" if value is not None else "-"

    return [
        str(gpu["index"]),
        gpu["name"],
        ".".join(map(str, gpu["compute_capability"])),
        f"{gpu['free_gib']:g} of {gpu['total_gib']:g} GiB",
        reading(gpu["utilisation"], " %"),
        reading(gpu["temperature"], " °C"),
        ", ".join(gpu["slowed_by"]) or "no",
        reading(gpu["ecc_errors"], ""),
    ]


@reports_errors
def compact(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Build the tenant's approximate vector indexes that are due, as the host does by itself."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        built = data_folder.compact()
    answer(as_json, {"built": built}, lambda: console.print(f"{built} vector indexes built"))


@reports_errors
def reembed(
    ctx: typer.Context,
    drop_former: Annotated[
        bool, typer.Option("--drop-former", help="Remove vectors of models that no document needs any more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Embed all documents with the model that is set now, beside the previous vectors, then switch to it.

    Exit 1 if the model cannot embed some of them.
    """
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        done = data_folder.reembed(note, drop_former=drop_former)

    def show() -> None:
        if done.left:
            table(None, ["left", "because"], [[doc_id, reason] for doc_id, reason in done.left.items()])
        console.print(f"{done.documents} documents embedded, {done.switched} switched to {done.model}")

    answer(as_json, done.model_dump(), show)
    raise typer.Exit(ExitCode.SOME_FAILED if done.left else ExitCode.OK)


def register(app: typer.Typer) -> None:
    for panel, command, text in (
        (HOST, up, example("medkg up", "medkg up --swap")),
        (HOST, down, example("medkg down")),
        (HOST, status, example("medkg status --json")),
        (HOST, doctor, example("medkg doctor")),
        (INDEX, compact, example("medkg compact")),
        (INDEX, reembed, example("MEDKG_EMBEDDING_MODEL=FOLDER medkg reembed")),
    ):
        app.command(rich_help_panel=panel, epilog=text)(command)
