"""`medkg bench`: measurements of this machine against bounds and peers, and which targets are met."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from orchestration.cli.help_text import MODELS, example
from orchestration.cli.output import MOST, AsJson, answer, console, note, reports_errors, table
from orchestration.errors import ExitCode
from orchestration.settings import Settings

SHOWN_CHANGES = 20


@reports_errors
def bench(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Cases to measure; default: all.")] = None,
    path: Annotated[
        Path, typer.Option(help="Documents to measure on: a file or folder, as for `medkg run`.")
    ] = Path("demo/corpus"),
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of documents.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds; the best counts.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of random draws.")] = 7,
    out: Annotated[
        Path | None, typer.Option(help="Result file; default: benchmarks/results/PROFILE.json.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="Earlier result file to compare with.")] = None,
    plots: Annotated[
        bool, typer.Option(help="Draw throughput and latency as images beside the result file.")
    ] = False,
    assert_targets: Annotated[
        bool, typer.Option("--assert", help="Exit 1 if a target of the profile is missed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure named cases against their bounds and peers in one run."""
    comparison, suite, targets = (_benchmarks(name) for name in ("compare", "suite", "targets"))
    settings: Settings = ctx.obj
    previous = comparison.read_result(compare) if compare is not None else None
    target = out or suite.RESULTS / f"{settings.profile}.json"
    result = suite.run_suite(suite.suite_for(settings, path, limit, rounds, seed), names or [], target, note)
    verdicts = targets.judged(result["cases"], settings.profile)
    measured = [verdict for verdict in verdicts if verdict.value is not None]
    if plots:
        for picture in _benchmarks("plots").draw(result, target.parent):
            note(f"drew {picture}")

    def show() -> None:
        console.print_json(json.dumps(result["cases"]))
        rows = [
            [str(verdict.target), f"{verdict.value:g}", "kept" if verdict.kept else "MISSED"]
            for verdict in measured
        ]
        table("Targets", ["target", "measured", ""], rows)
        if previous is not None:
            changes = comparison.compared(previous, result)[:SHOWN_CHANGES]
            table(
                f"Against {compare}",
                ["case", "figure", "before", "now", "ratio"],
                [
                    [case, figure, f"{old:g}", f"{new:g}", f"{ratio:.2f}"]
                    for case, figure, old, new, ratio in changes
                ],
            )
        console.print(f"written to {target}")

    value: dict[str, Any] = {
        **result,
        "targets": [
            {"target": str(verdict.target), "value": verdict.value, "kept": verdict.kept}
            for verdict in verdicts
        ],
    }
    answer(as_json, value, show)
    # Without names all cases should have run, so a target whose case did not run counts as missed.
    decisive = measured if names else verdicts
    missed = [verdict for verdict in decisive if not verdict.kept]
    if assert_targets and missed:
        for verdict in missed:
            note(str(verdict))
        raise typer.Exit(ExitCode.SOME_FAILED)


def _benchmarks(name: str) -> ModuleType:
    """A module of the benchmarks: `medkg.benchmarks` of a wheel, or `benchmarks` of a checkout."""
    package = "medkg.benchmarks" if find_spec("medkg.benchmarks") else "benchmarks"
    return import_module(f"{package}.{name}")


def register(app: typer.Typer) -> None:
    text = example("medkg bench search --limit 100")
    app.command("bench", rich_help_panel=MODELS, epilog=text)(bench)
