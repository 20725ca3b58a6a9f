"""`medkg train-extractor`: an extractor of mentions, relations and directions, trained on gold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import MODELS, example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors, stderr_console, table
from orchestration.cli.training_progress import interruptible, watching_training
from orchestration.errors import ExitCode, UsageError
from orchestration.extraction.gold import GoldFault, Naming, read_gold

KINDS: Final = {
    "Chemical": ("Chemical", "ChemicalEntity", "Drug"),
    "Disease": (
        "Disease",
        "SpecificDisease",
        "DiseaseClass",
        "CompositeMention",
        "Modifier",
        "DiseaseOrPhenotypicFeature",
        "Condition",
    ),
}
"""Kinds of the extractor, and what BC5CDR, NCBI Disease, BioRED and the graph call them."""

PREDICATE: Final = "induces"
RELATION_TYPES: Final = ("CID", "causes", "induces")

NAMING: Final = Naming(
    kinds={name: kind for kind, names in KINDS.items() for name in names},
    predicates=dict.fromkeys(RELATION_TYPES, PREDICATE),
    known_kinds=tuple(KINDS),
    known_predicates=(PREDICATE,),
)

SUFFIXES: Final = (".txt", ".xml", ".json", ".jsonl")
SHOWN_FAULTS: Final = 10


@reports_errors
def train_extractor(
    gold: Annotated[
        list[Path],
        typer.Option(
            help="Gold file in PubTator, BioC or JSON Lines, or a folder of such files. May be repeated."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    base: Annotated[
        str, typer.Option(help="BERT that is the starting point: name, folder or hub id.")
    ] = "all-MiniLM-L6-v2",
    text_epochs: Annotated[int, typer.Option(min=1, help="Number of passes over the annotated texts.")] = 10,
    direction_epochs: Annotated[
        int, typer.Option(min=0, help="Number of passes over the claims with a direction.")
    ] = 2,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of documents that is held out for measuring.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random draws.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train an extractor of chemicals, diseases, induced diseases and directions of effects on gold."""
    from gpu_actors.training.extraction.making import make_extractor
    from gpu_actors.training.extraction.recipe import ExtractorRecipe

    recipe = ExtractorRecipe(
        base=base,
        seed=seed,
        held_out=held_out,
        text_epochs=text_epochs,
        direction_epochs=direction_epochs,
    )
    read = read_gold(_files(gold), NAMING)
    _report_faults(read.faults)
    with interruptible(out), watching_training() as watch:
        report = make_extractor(read.documents, out, recipe, watch)
    value = {
        "out": str(out),
        **report.model_dump(),
        "faults": [str(fault) for fault in read.faults],
    }
    answer(as_json, value, lambda: _show(out, value))
    raise typer.Exit(ExitCode.SOME_FAILED if read.faults else ExitCode.OK)


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files, and those of folders by name; raises UsageError for a folder without any."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
        if not inside:
            raise UsageError(
                f"gold {path} has no file that ends in {', '.join(SUFFIXES)}. Name a file, or another folder."
            )
        files += inside
    return files


def _report_faults(faults: Sequence[GoldFault]) -> None:
    """Report on stderr which documents are left out, and why."""
    if not faults:
        return
    note(f"{len(faults)} documents of the gold are left out:")
    for fault in faults[:SHOWN_FAULTS]:
        stderr_console().print(f"  {fault}", markup=False)
    if len(faults) > SHOWN_FAULTS:
        note(f"  ... and {len(faults) - SHOWN_FAULTS} more")


def _show(out: Path, value: dict[str, Any]) -> None:
    for name, scores in value["measures"].items():
        table(f"held out: {name}", ["measure", "value"], [[key, score] for key, score in scores.items()])
    console.print(f"written to {out} in {value['seconds']:.0f} s, with its card in README.md")


def register(app: typer.Typer) -> None:
    text = example("medkg train-extractor --gold train.PubTator.txt --out my-extractor")
    app.command("train-extractor", rich_help_panel=MODELS, epilog=text)(train_extractor)
