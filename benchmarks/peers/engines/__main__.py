"""`python -m benchmarks.peers.engines`: the comparison as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.profiles import find_model, get_profile
from orchestration.errors import UsageError

from ...data.texts import texts_of
from ...machine import hardware
from .comparison import compare
from .contenders import CONTENDERS
from .quality import read_judged

COLUMNS: Final = {
    "docs/s": "docs_per_second",
    "a CPU second": "docs_per_cpu_second",
    "tokens/s": "tokens_per_second",
    "to medkg": "to_medkg",
    "of limit": "of_limit",
    "cosine min": "cosine_min",
    "mean": "cosine_mean",
    "nDCG@10": "ndcg@10",
    "layout": "layout",
}
DEMO: Final = Path(__file__).parents[3] / "demo"


def main(
    path: Annotated[Path, typer.Option(help="JSONL file of abstracts, or folder of texts.")] = DEMO,
    limit: Annotated[int, typer.Option(min=2, help="Most documents.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each engine.")] = 3,
    quality: Annotated[Path | None, typer.Option(help="Folder of passages.jsonl, questions.jsonl.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Names that begin so; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Compare engines for the cpu profile's dense model over the same token rows, round robin."""
    profile = get_profile("cpu")
    model = find_model(profile.embedding_model)
    tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))
    texts = islice(
        texts_of(path, lambda text: tokenizer.too_long(tokenizer.token_ids([text])[0]) is None), limit
    )
    rows = tokenizer.token_ids(list(texts))
    chosen = [contender for contender in CONTENDERS if not only or contender.name.startswith(tuple(only))]
    if not rows or not chosen:
        names = ", ".join(contender.name for contender in CONTENDERS)
        raise UsageError(f"{path} holds no texts, or no engine is called like {only}; there are {names}.")
    judged = read_judged(quality, tokenizer) if quality else None
    progress = Console(stderr=True)
    machine = hardware()
    result = compare(rows, model.files, chosen, rounds, judged, progress.print)
    result = {"hardware": machine, "model": model.model_id, "rounds": rounds, **result}
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        _show(result)


def _show(result: Mapping[str, Any]) -> None:
    console = Console(width=160)
    table = Table(title=f"{result['documents']} documents of {result['tokens_per_document']} tokens")
    for name in ("engine", *COLUMNS):
        table.add_column(name, justify="left" if name in ("engine", "layout") else "right")
    ranked = sorted(result["engines"].items(), key=lambda item: -item[1]["docs_per_second"])
    for name, entry in ranked:
        table.add_row(name, *(str(entry.get(key, "")) for key in COLUMNS.values()))
    console.print(table)
    console.print(f"matrix products, GFLOP/s: {result['limit_gflops']}; medkg runs as {result['medkg']}")
    for name, reason in result["absent"].items():
        console.print(f"absent: {name}: {reason}", markup=False)


if __name__ == "__main__":
    typer.run(main)
