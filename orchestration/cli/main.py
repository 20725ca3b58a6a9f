"""The `medkg` command: its global options and its commands, in the order of `medkg --help`.

Comes in: argv. Leaves: an exit code. --data-dir, --profile and --tenant may precede or follow the command's
name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from orchestration.cli import (
    bench,
    deletion,
    documents,
    eval_extract,
    evaluate,
    events,
    gate,
    graph,
    jobs,
    operate,
    portability,
    run,
    search,
    top,
    topology,
    train_extractor,
    train_sparse,
    verify,
    vocabulary,
)
from orchestration.cli.help_text import CommandsByPanel
from orchestration.cli.output import fail, note
from orchestration.cli.tracing import command_span
from orchestration.errors import MedkgError
from orchestration.known_secrets import known_secrets
from orchestration.logging import configure_logging
from orchestration.settings import describe_unknown, load_settings, send_no_usage_reports, unknown_variables

__all__ = ["app", "main"]

GLOBAL_OPTIONS: Final = ("--data-dir", "--profile", "--tenant")

app = typer.Typer(
    name="medkg",
    cls=CommandsByPanel,
    help="Ingest biomedical documents into a hybrid search index whose hits cite document and offsets. Start "
    "with `medkg run auto --path FOLDER`, then `medkg search QUERY`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _global_options(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder that holds ledger and index (MEDKG_DATA_DIR; default .medkg).")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Models and devices: cpu, gpu or gpu-large (MEDKG_PROFILE).")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant to read and write (MEDKG_TENANT).")] = None,
) -> None:
    try:
        ctx.obj = load_settings(data_dir=data_dir, profile=profile, tenant=tenant)
    except MedkgError as error:
        fail(error)
    configure_logging(ctx.obj.log_level, secrets=known_secrets(ctx.obj))
    ctx.with_resource(command_span(ctx.invoked_subcommand))
    if unknown := unknown_variables(os.environ):
        note(f"ignored: {describe_unknown(unknown)}")


MODULES: Final = (
    run,
    topology,
    gate,
    search,
    evaluate,
    eval_extract,
    graph,
    vocabulary,
    documents,
    deletion,
    jobs,
    operate,
    top,
    events,
    verify,
    portability,
    train_extractor,
    train_sparse,
    bench,
)

for module in MODULES:
    module.register(app)  # in the order of `medkg --help`


def main() -> None:
    """Run the command that argv names."""
    send_no_usage_reports()
    app(args=hoist_global_options(sys.argv[1:]))


def hoist_global_options(arguments: Sequence[str]) -> list[str]:
    """Move the global options before the command's name, so that they are accepted anywhere before `--`."""
    hoisted: list[str] = []
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            rest += [argument, *remaining]
            break
        if argument in GLOBAL_OPTIONS and remaining:
            hoisted += [argument, remaining.pop(0)]
        elif argument.startswith(tuple(f"{option}=" for option in GLOBAL_OPTIONS)):
            hoisted.append(argument)
        else:
            rest.append(argument)
    return hoisted + rest
