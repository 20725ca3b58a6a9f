"""`medkg eval`: how well each leg and the fusion answer questions whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.output import answer, note, reports_errors, table
from orchestration.settings import Settings

MEASURES = ("ndcg@10", "recall@10", "mrr@10", "p50_ms", "p95_ms")


@reports_errors
def evaluate(
    ctx: typer.Context,
    questions: Annotated[
        Path,
        typer.Option(help="JSONL: {question_id, question, relevant: [doc_id]}."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure nDCG@10, recall@10, MRR@10 and latency of each leg and of the hybrid."""
    from orchestration.assembly import open_control_plane

    settings: Settings = ctx.obj
    with open_control_plane(settings) as control:
        legs = control.evaluate(questions, note)
    value: dict[str, Any] = {"legs": legs}
    answer(as_json, value, lambda: _show(legs))


def _show(legs: dict[str, dict[str, float]]) -> None:
    table(
        None,
        ["leg", *MEASURES],
        [[name, *(measured[measure] for measure in MEASURES)] for name, measured in legs.items()],
    )


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)
