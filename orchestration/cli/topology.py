"""`medkg topology`: the available pipelines, their validation, and the JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.help_text import INGEST, example
from orchestration.cli.output import AsJson, answer, console, reports_errors, table
from orchestration.settings import Settings

topology = typer.Typer(help="List, show and validate topologies (pipelines as YAML).", no_args_is_help=True)


@topology.command("list", epilog=example("medkg topology list"))
@reports_errors
def list_topologies(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the topologies with their version and Dagster job, or their error."""
    from orchestration.assembly import open_data_folder
    from orchestration.topology.descriptions import listed

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = listed(data_folder.topologies)
    columns = ["name", "version", "job", "error"]
    answer(
        as_json,
        {"topologies": value},
        lambda: table(None, columns, [[row[column] for column in columns] for row in value]),
    )


@topology.command("show", epilog=example("medkg topology show auto"))
@reports_errors
def show_topology(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Topology, or NAME@YYYY-MM-DD for a dated version.")],
    as_json: AsJson = False,
) -> None:
    """Show the stages of a topology in order, with their input, output and policy."""
    from orchestration.assembly import open_data_folder
    from orchestration.topology.descriptions import shown

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = shown(data_folder.topologies.load(name))

    def show() -> None:
        console.print(f"{value['name']} {value['version']}  (Dagster job {value['job']})", style="bold")
        console.print(value["description"], markup=False)
        columns = ["name", "uses", "takes", "gives", "after", "policy"]
        table(None, columns, [[stage[column] for column in columns] for stage in value["stages"]])
        if gate := value["gate"]:
            conditions = gate["conditions"].items()
            wanted = ", ".join(f"{field}: {str(value).lower()}" for field, value in conditions)
            then = value["stages"][-1]["job"]
            console.print(f"gate {gate['name']} before {gate['resume_stage']}, for {wanted}; then {then}")

    answer(as_json, value, show)


@topology.command("validate", epilog=example("medkg topology validate my-topology.yaml"))
@reports_errors
def validate_topology(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Topology files to validate.")],
    as_json: AsJson = False,
) -> None:
    """Validate files without installing them; an error names file, line and what would be valid."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        names = [data_folder.topologies.check(path).name for path in files]
    answer(as_json, {"valid": names}, lambda: console.print(f"valid: {', '.join(names)}"))


@topology.command("schema", epilog=example("medkg topology schema"))
@reports_errors
def export_schema(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if docs/guides/pipeline-schema.json is out of date.")
    ] = False,
) -> None:
    """Print the JSON Schema of topology files, for editors."""
    from orchestration.topology import schema

    if check:
        schema.check_fresh(Path("docs/guides"))
        console.print("docs/guides/pipeline-schema.json is up to date")
    else:
        console.print_json(schema.pipeline_schema_json())


def register(app: typer.Typer) -> None:
    app.add_typer(topology, name="topology", rich_help_panel=INGEST)
