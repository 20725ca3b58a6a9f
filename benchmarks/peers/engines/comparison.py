"""The comparison: every contender over the same token rows, round robin, by each one's best round.

Comes in: rows and contenders. Leaves: a result as plain data. Ratios are to medkg's encoder as the actor
would run it here, cosines to sentence-transformers in fp32, shares to this machine's largest matrix products.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from gpu_actors.encoders.precision import LEAST_COSINE, fast_dtypes
from gpu_actors.health.cpu import cores

from ...load.round_robin import matrix_limits, model_operations
from .contenders import OURS, REFERENCE, Contender
from .contract import Rows, Vectors
from .process import AbsentEngineError, EngineProcess
from .quality import Judged
from .rows import write_rows

__all__ = ["compare", "cosines"]

SAMPLE: Final = 12
"""Rows for trying layouts and for calibration, from all over the rows."""


@dataclass
class _Measured:
    """What is known of a contender so far."""

    process: EngineProcess
    rounded: bool
    seconds: float = float("inf")
    cpu_seconds: float = float("inf")
    vectors: Vectors | None = None
    ndcg: float | None = None


@dataclass
class _Turns:
    """The contenders that run, and why the others do not."""

    running: dict[str, _Measured] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def each(self, work: Callable[[_Measured], None]) -> None:
        """The work for every contender that runs; one that fails is out."""
        for name, measured in list(self.running.items()):
            try:
                work(measured)
            except AbsentEngineError as error:
                del self.running[name]
                self.absent[name] = str(error)


def compare(
    rows: Rows,
    folder: Path,
    contenders: Sequence[Contender],
    rounds: int,
    judged: Judged | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure them; `judged` adds nDCG@10 for those in int8 and for the reference."""
    with ExitStack() as ends:
        scratch = Path(tempfile.mkdtemp(prefix="medkg-engines-"))
        ends.callback(shutil.rmtree, scratch, ignore_errors=True)
        files = {"rows": write_rows(scratch / "rows.npz", rows)}
        step = max(1, len(rows) // SAMPLE)
        files["sample"] = write_rows(scratch / "sample.npz", rows[::step][:SAMPLE])
        turns = _started(contenders, folder, files["sample"], scratch, ends, say)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            turns.each(lambda measured: _turn(measured, files["rows"]))
        if judged is not None:
            say("retrieval quality")
            _judge(turns, judged, scratch)
        limits = matrix_limits("cpu", cores())
        operations = model_operations(rows, folder)
        return _result(turns, rows, operations, limits)


def cosines(vectors: Vectors, reference: Vectors) -> tuple[float, float]:
    """(smallest, mean) cosine of unit vectors, row by row."""
    each = np.einsum("nd,nd->n", vectors.astype(np.float64), reference.astype(np.float64))
    return float(each.min()), float(each.mean())


def _started(
    contenders: Sequence[Contender],
    folder: Path,
    sample: Path,
    scratch: Path,
    ends: ExitStack,
    say: Callable[[str], None],
) -> _Turns:
    turns = _Turns()
    for number, contender in enumerate(contenders):
        say(f"loading {contender.name}")
        try:
            process = EngineProcess(contender, folder, sample, scratch / str(number))
        except AbsentEngineError as error:
            turns.absent[contender.name] = str(error)
            continue
        ends.callback(process.close)
        turns.running[contender.name] = _Measured(process, contender.rounded)
    return turns


def _turn(measured: _Measured, rows: Path) -> None:
    turn = measured.process.encode(rows)
    measured.vectors = turn.vectors
    measured.seconds = min(measured.seconds, turn.seconds)
    measured.cpu_seconds = min(measured.cpu_seconds, turn.cpu_seconds)


def _judge(turns: _Turns, judged: Judged, scratch: Path) -> None:
    passages = write_rows(scratch / "passages.npz", judged.passages)
    questions = write_rows(scratch / "questions.npz", judged.questions)

    def judge(measured: _Measured) -> None:
        if measured.rounded or measured is turns.running.get(REFERENCE):
            measured.ndcg = judged.ndcg(
                measured.process.encode(passages).vectors, measured.process.encode(questions).vectors
            )

    turns.each(judge)


def _result(turns: _Turns, rows: Rows, operations: float, limits: Mapping[str, float]) -> dict[str, Any]:
    tokens = sum(map(len, rows))
    reference = turns.running.get(REFERENCE)
    engines: dict[str, dict[str, Any]] = {}
    for name, measured in turns.running.items():
        entry: dict[str, Any] = {
            "layout": measured.process.layout,
            "docs_per_second": round(len(rows) / measured.seconds, 1),
            "docs_per_cpu_second": round(len(rows) / measured.cpu_seconds, 1),
            "tokens_per_second": round(tokens / measured.seconds),
            "of_limit": round(operations / measured.seconds / max(limits.values()), 3),
        }
        if reference is not None and reference.vectors is not None and measured.vectors is not None:
            least, mean = cosines(measured.vectors, reference.vectors)
            entry |= {"cosine_min": round(least, 5), "cosine_mean": round(mean, 5)}
        if measured.ndcg is not None:
            entry["ndcg@10"] = round(measured.ndcg, 4)
        engines[name] = entry
    ours = _ours(engines)
    if ours is not None:
        for entry in engines.values():
            entry["to_medkg"] = round(entry["docs_per_second"] / engines[ours]["docs_per_second"], 2)
    return {
        "documents": len(rows),
        "tokens_per_document": round(tokens / len(rows), 1),
        "cores": cores(),
        "limit_gflops": {name: round(limit / 1e9) for name, limit in limits.items()},
        "medkg": ours,
        "engines": engines,
        "absent": turns.absent,
    }


def _ours(engines: Mapping[str, Mapping[str, Any]]) -> str | None:
    """As the actor chooses: the first dtype of this CPU's kind whose cosine holds (see precision)."""
    for dtype in fast_dtypes():
        name = OURS[str(dtype).removeprefix("torch.")]
        if name in engines and engines[name].get("cosine_min", 1.0) >= LEAST_COSINE[dtype]:
            return name
    return OURS["float32"] if OURS["float32"] in engines else None
