"""`medkg train-sparse`: a sparse (SPLADE) model, trained on the user's documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from orchestration.cli.help_text import MODELS, example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors, stderr_console, table
from orchestration.cli.run import Limit, Paths, Query, SourceName, absolute
from orchestration.cli.training_progress import interruptible, watching_training
from orchestration.contracts import SourceRequest
from orchestration.errors import ExitCode
from orchestration.records import Document
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.jobs.reading import Unread

MEASURES: Final = ("ndcg@10", "recall@10", "mrr@10")
SHOWN_FAILURES: Final = 10


@reports_errors
def train_sparse(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder to write the model to, for MEDKG_SPARSE_MODEL.")],
    source: SourceName = "files",
    path: Paths = None,
    query: Query = None,
    limit: Limit = None,
    base: Annotated[
        str, typer.Option(help="Sentence encoder that is the start and the teacher: name, folder or hub id.")
    ] = "all-MiniLM-L6-v2",
    head_steps: Annotated[int, typer.Option(min=0, help="Number of batches to train the head.")] = 300,
    splade_steps: Annotated[
        int, typer.Option(min=1, help="Number of batches of pairs to train the whole model.")
    ] = 600,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of documents that is held out for measuring.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random draws.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a sparse (SPLADE) model on documents; takes about an hour on one core by default."""
    from gpu_actors.training.making import make_sparse_model
    from gpu_actors.training.recipe import Recipe
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    recipe = Recipe(base=base, seed=seed, held_out=held_out, head_steps=head_steps, splade_steps=splade_steps)
    request = SourceRequest(plugin=source, paths=absolute(path), query=query, limit=limit)
    broken: list[Unread] = []
    try:
        with (
            interruptible(out),
            open_data_folder(settings, unchecked=True) as data_folder,
            watching_training() as watch,
        ):
            documents = _sound(data_folder.read(request), broken)
            report = make_sparse_model(documents, out, recipe, settings.profile, watch)
    finally:
        _report_unread(broken)
    value = {
        "out": str(out),
        **report.model_dump(),
        "failures": [{"doc_id": each.doc_id, "code": each.code, "message": each.message} for each in broken],
    }
    answer(as_json, value, lambda: _show(out, value))
    raise typer.Exit(ExitCode.SOME_FAILED if broken else ExitCode.OK)


def _sound(read: Iterable[Document | Unread], broken: list[Unread]) -> Iterator[Document]:
    """Yield the documents that could be read; append the others to `broken`."""
    for each in read:
        if isinstance(each, Document):
            yield each
        else:
            broken.append(each)


def _report_unread(broken: Sequence[Unread]) -> None:
    """Report on stderr how many documents could not be read, and why."""
    if not broken:
        return
    counts = ", ".join(f"{count} {code}" for code, count in Counter(each.code for each in broken).items())
    note(f"{len(broken)} documents could not be read and are left out: {counts}")
    for each in broken[:SHOWN_FAILURES]:
        stderr_console().print(f"  {each.code} {each.doc_id}: {each.message}", markup=False)
    if len(broken) > SHOWN_FAILURES:
        note(f"  ... and {len(broken) - SHOWN_FAILURES} more")


def _show(out: Path, value: dict[str, Any]) -> None:
    if value["measures"]:
        rows = [
            [system, *(measured[name] for name in MEASURES)] for system, measured in value["measures"].items()
        ]
        questions, held_out = value["trial"]["questions"], value["documents"]["held_out"]
        title = f"{questions:.0f} questions to {held_out} held-out documents"
        table(title, ["", *MEASURES], rows)
    console.print(f"written to {out} in {value['seconds']:.0f} s, with its card in README.md")
    console.print(f"use it: MEDKG_SPARSE_MODEL={out.absolute()} medkg run TOPOLOGY --path ...")


def register(app: typer.Typer) -> None:
    text = example("medkg train-sparse --path YOUR_FOLDER --out my-sparse-model")
    app.command("train-sparse", rich_help_panel=MODELS, epilog=text)(train_sparse)
