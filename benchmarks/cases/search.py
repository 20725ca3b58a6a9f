"""Hybrid search at rest and while an ingest goes on, open loop, against the hot plane of `medkg up`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from orchestration.assembly import open_data_folder
from orchestration.contracts import Filters
from orchestration.settings import Settings

from ..bench import Bench
from ..data.texts import as_files, questions_from
from ..load.command_line import CommandLine
from ..load.open_loop import at_rate

RATE: Final = 5.0
QUESTIONS: Final = 150


def measure(bench: Bench) -> dict[str, Any]:
    """Half of the documents are ingested first; questions are asked at rest, then while the rest comes in."""
    bench.close()  # `medkg up` keeps the models of this case
    folder = CommandLine(bench, "search")
    first, second = _halves(bench)
    with folder.kept():
        folder.run(first)
        at_rest = asked(folder.settings, bench)
        ingest = folder.start_run(second)
        under_ingest = asked(folder.settings, bench)
        still_running = ingest.poll() is None
        report: dict[str, Any] = json.loads(ingest.communicate()[0])
    return {
        "documents": report["documents"]["in"] * 2,
        "at_rest": at_rest,
        "under_ingest": under_ingest,
        "ingest_lasted_to_the_end_of_the_questions": still_running,
        "ingest_docs_per_second": report["docs_per_second"],
    }


def asked(settings: Settings, bench: Bench) -> dict[str, Any]:
    """Latency of questions at a fixed rate, and how often a leg was left out."""
    questions = questions_from(bench.texts, QUESTIONS, bench.seed)
    with open_data_folder(settings) as data_folder:
        search = data_folder.searches.open(None, lambda _: None)
        degraded: list[str] = []

        def ask(number: int) -> None:
            degraded.extend(search.search(settings.tenant, questions[number], 10, Filters()).degraded)

        ask(0)
        load = at_rate(ask, RATE, QUESTIONS)
        search.close()
    return {**load, "legs_left_out": len(degraded)}


def _halves(bench: Bench) -> tuple[Path, Path]:
    """The texts as two folders of files."""
    middle = len(bench.texts) // 2
    return (
        as_files(bench.folder / "first", bench.texts[:middle]),
        as_files(bench.folder / "second", bench.texts[middle:]),
    )
