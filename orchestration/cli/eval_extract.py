"""`medkg eval-extract`: how well extractors find mentions, links, relations and claims, against gold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import SEARCH, example
from orchestration.cli.output import AsJson, answer, note, reports_errors, table
from orchestration.errors import ExitCode, UsageError
from orchestration.settings import Settings

FIGURES: Final = ("precision", "recall", "f1", "f1_low", "f1_high")
SHOWN: Final = 10
"""Failed documents that are named; --json has all."""


@reports_errors
def eval_extract(
    ctx: typer.Context,
    gold: Annotated[
        list[Path], typer.Option(help="File with gold: PubTator, BioC (XML, JSON) or JSON Lines. Repeatable.")
    ],
    extractors: Annotated[
        str | None,
        typer.Option(help="Extractors to measure, comma-separated; default: those of topology `auto`."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(help="Kind of graph.yaml that a kind of the gold is: Disease=Condition. Repeatable."),
    ] = None,
    predicates: Annotated[
        list[str] | None,
        typer.Option(help="Predicate of graph.yaml that a relation type is: CID=causes. Repeatable."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Kinds of graph.yaml to measure mentions of, comma-separated.")
    ] = None,
    floor: Annotated[
        list[str] | None,
        typer.Option(
            help="Least value of a figure, [EXTRACTOR:]MEASURE[.KIND].FIGURE=LEAST: mentions.f1=0.84, "
            "encoder:mentions.Drug.recall=0.8. Below it the exit code is 1. Repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure extraction against gold: mentions, links, relations and claims, each with a 95 % interval.

    Intervals are by bootstrap over documents, 9,999 resamples, seed 0. Gold with a wrong offset is left out
    and named. Exit code 1: a floor is missed, or an extractor failed on a document.
    """
    from orchestration.assembly import open_data_folder
    from orchestration.operations.eval_extract import ExtractionQuestions

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        questions = ExtractionQuestions(
            gold,
            _names(extractors),
            _pairs("--kinds", kinds),
            _pairs("--predicates", predicates),
            _names(only),
            floor or [],
        )
        value = data_folder.eval_extract(questions, note)
    answer(as_json, value, lambda: _show(value))
    failed = any(each["failed"] for each in _measured(value).values())
    missed = [each for each in value["floors"] if not each["met"]]
    for each in missed:
        note(f"below its floor: {each['extractor']} {each['floor']}, measured {each['figure']}")
    raise typer.Exit(ExitCode.SOME_FAILED if failed or missed else ExitCode.OK)


def _names(written: str | None) -> list[str]:
    return [name.strip() for name in (written or "").split(",") if name.strip()]


def _pairs(option: str, written: list[str] | None) -> dict[str, str]:
    """NAME=NAME pairs, also several in one value with commas between them; raises UsageError."""
    pairs: dict[str, str] = {}
    for part in _names(",".join(written or [])):
        name, sign, other = (each.strip() for each in part.partition("="))
        if not (name and sign and other):
            raise UsageError(f"{option} {part!r} is not NAME=NAME, e.g. Disease=Condition.")
        pairs[name] = other
    return pairs


def _measured(value: dict[str, Any]) -> dict[str, Any]:
    """What was measured, by name."""
    linker = {"linker": value["linker"]} if value["linker"] else {}
    return {**value["extractors"], **linker}


def _show(value: dict[str, Any]) -> None:
    gold = value["gold"]
    note(f"documents of gold: {gold['documents']:,}, left out: {len(gold['excluded']):,}")
    rows = [
        [name, each["measure"], each["kind"], each["gold"], each["predicted"], each["right"]]
        + [each[figure] for figure in FIGURES]
        for name, measured in _measured(value).items()
        for each in measured["scores"]
    ]
    columns = ["extractor", "measure", "kind", "gold", "predicted", "right", *FIGURES]
    table(None, columns, rows)
    for name, measured in value["extractors"].items():
        _show_extraction(name, measured)
    if value["agreement"]:
        names = ["a", "b", "mentions_f1", "relations_f1", "kappa"]
        rows = [[each[key] for key in names] for each in value["agreement"]]
        table("\nAgreement of extractors", names, rows)


def _show_extraction(name: str, measured: dict[str, Any]) -> None:
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in measured["dropped"].items())
    note(
        f"{name}: {measured['mentions']:,} mentions and {measured['claims']:,} claims in "
        f"{measured['seconds']:.1f} s; dropped: {dropped or 'nothing'}"
    )
    for each in measured["failed"][:SHOWN]:
        note(f"  {each['code']} {each['doc_id']}: {each['message']}")
    if len(measured["failed"]) > SHOWN:
        note(f"  ... and {len(measured['failed']) - SHOWN:,} more")


def register(app: typer.Typer) -> None:
    text = example(
        "medkg eval-extract --gold dev.PubTator.txt --extractors encoder",
        "medkg eval-extract --gold gold.jsonl --floor mentions.f1=0.84 --json",
    )
    app.command("eval-extract", rich_help_panel=SEARCH, epilog=text)(eval_extract)
