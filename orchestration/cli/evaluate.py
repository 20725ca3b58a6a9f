"""`medkg eval`: quality and latency of each leg and of fusions, on questions with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.help_text import SEARCH, example
from orchestration.cli.output import AsJson, answer, note, reports_errors, table
from orchestration.settings import Settings

MEASURES = ("ndcg@10", "recall@10", "mrr@10", "p50_ms", "p95_ms")
COMPARISON = ("a", "b", "measure", "difference", "low", "high", "p")


@reports_errors
def evaluate(
    ctx: typer.Context,
    questions: Annotated[
        Path,
        typer.Option(help="JSONL file of questions: {question_id, question, relevant: [doc_id]}."),
    ],
    fusion: Annotated[
        str | None,
        typer.Option(
            help="Further fusions to measure, comma-separated: rrf, weighted-rrf, zscore, dbsf; weights as "
            "in weighted-rrf:bm25=1:dense=2."
        ),
    ] = None,
    rerank: Annotated[
        bool,
        typer.Option("--rerank", help="Also measure the hybrid with reranking; needs MEDKG_RERANK_MODEL."),
    ] = False,
    graph: Annotated[
        bool, typer.Option("--graph", help="Also measure the graph leg, and the hybrid with it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure nDCG@10, recall@10, MRR@10 and latency of each leg, the hybrid and named fusions.

    Differences in nDCG@10 by question come with a 95 % interval (bootstrap) and p (randomisation test),
    9,999 resamples each, seed 0.
    """
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    fusions = [name.strip() for name in (fusion or "").split(",") if name.strip()]
    with open_data_folder(settings) as data_folder:
        value = data_folder.searches.evaluate(questions, note, fusions, rerank=rerank, graph=graph)
    answer(as_json, value, lambda: _show(value))


def _show(value: dict[str, Any]) -> None:
    table(
        None,
        ["leg", *MEASURES],
        [[name, *(measured[measure] for measure in MEASURES)] for name, measured in value["legs"].items()],
    )
    if value["comparisons"]:
        table(
            "\nDifferences by question, with 95 % interval (bootstrap) and p (randomisation test)",
            list(COMPARISON),
            [[comparison[key] for key in COMPARISON] for comparison in value["comparisons"]],
        )


def register(app: typer.Typer) -> None:
    text = example("medkg eval --questions demo/questions.jsonl --fusion rrf,zscore")
    app.command("eval", rich_help_panel=SEARCH, epilog=text)(evaluate)
