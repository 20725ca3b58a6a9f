"""Cost per document as documents add up: one run over many, looked at in tenths, against a hot plane.

The documents are synthetic, made of sentences of real ones and short, so that what grows with their number
is not hidden behind the models. CPU seconds are those of the host with all its processes; memory is that of
each kind of process at the first tenth, at the last, and at its largest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from orchestration.assembly import Assembly

from ..bench import Bench
from ..data.texts import as_abstracts, synthetic
from ..load.command_line import CommandLine
from ..load.process_tree import ProcessTree
from .search import asked

LEAST: Final = 2_000
MOST_WINDOWS: Final = 200
LEAST_WINDOW: Final = 50
LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Where a run stood."""

    at: float
    committed: int
    cpu_seconds: float
    memory_mib: dict[str, float]


def measure(bench: Bench) -> dict[str, Any]:
    """`--limit` synthetic documents (at least 2,000) in one run; figures by tenth, and search at the end."""
    bench.close()
    count = max(bench.limit, LEAST)
    corpus = as_abstracts(bench.folder / "scale.jsonl", synthetic(bench.texts, count, bench.seed))
    folder = CommandLine(bench, "scale")
    with folder.kept():
        folder.run(as_abstracts(bench.folder / "warm.jsonl", ["Walking helps adults to sleep."], 0))
        tree = ProcessTree(folder.answer("status")["host"])
        looks = list(_looks(folder, corpus, tree, max(LEAST_WINDOW, count // MOST_WINDOWS)))
        questions = asked(folder.settings, bench)
    first, *_, last = _parts(looks, count, 3)
    return {
        "documents": count,
        "committed": looks[-1].committed - 1,
        "seconds": round(looks[-1].at - looks[0].at, 1),
        "tenths": _parts(looks, count, 10),
        "cpu_last_to_first_third": round(last["cpu_ms"] / first["cpu_ms"], 3),
        "memory_mib": _memory(looks, count),
        "disk_bytes_per_document": round(folder.size() / count),
        "search_at_the_end": questions,
    }


def _looks(folder: CommandLine, corpus: Path, tree: ProcessTree, window: int) -> Iterator[_Look]:
    """One sample per second until the run has ended, and one then."""
    assembly = Assembly(folder.settings)
    ledger, tenant = assembly.ledger, folder.settings.tenant

    def look() -> _Look:
        committed = ledger.documents.status_counts(tenant).get("committed", 0)
        return _Look(time.monotonic(), committed, tree.cpu_seconds(), tree.memory_mib())

    yield look()
    run = folder.start_run(corpus, "--window", str(window))
    while run.poll() is None:
        time.sleep(LOOK_SECONDS)
        yield look()
    json.loads(run.communicate()[0])
    yield look()
    assembly.close()


def _parts(looks: Sequence[_Look], count: int, parts: int) -> list[dict[str, float]]:
    """Rate and CPU cost of each part of the documents, between the looks next to its ends.

    Fewer parts where a look found more than one of them committed since the one before.
    """
    beginnings = (
        next(look for look in looks if look.committed > count * part // parts) for part in range(parts)
    )
    edges = [*dict.fromkeys(beginnings), looks[-1]]
    return [_cost(begin, end) for begin, end in pairwise(edges) if end.committed > begin.committed]


def _cost(begin: _Look, end: _Look) -> dict[str, float]:
    documents = end.committed - begin.committed
    return {
        "documents": documents,
        "docs_per_second": round(documents / (end.at - begin.at), 1),
        "cpu_ms": round((end.cpu_seconds - begin.cpu_seconds) / documents * 1000, 2),
    }


def _memory(looks: Sequence[_Look], count: int) -> dict[str, dict[str, float]]:
    """By kind of process: after a tenth, at the end, and the most."""
    early = next(look for look in looks if look.committed >= count // 10)
    return {
        kind: {
            "after_a_tenth": early.memory_mib.get(kind, 0),
            "at_the_end": looks[-1].memory_mib[kind],
            "largest": max(look.memory_mib.get(kind, 0) for look in looks),
        }
        for kind in looks[-1].memory_mib
    }
