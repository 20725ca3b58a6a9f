"""An engine's process: `python -m benchmarks.peers.engines.worker MODULE VARIANT FOLDER SAMPLE SCRATCH`.

Comes in: the paths of a model and of a sample of rows; afterwards lines {"rows": path, "vectors": path} on
stdin. Leaves: a line for each on stdout, first {"layout": ...} or {"absent": ...}, then {"seconds": ...},
with the unit vectors in the file. Ends with its stdin.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from gpu_actors.health.cpu import cores

from .contract import Encode, Engine, Layout, Rows, Setting, encoded
from .rows import read_rows

__all__ = ["best_layout", "serve"]


def best_layout(
    engine: Engine, variant: str, folder: Path, sample: Rows, scratch: Path
) -> tuple[Layout, Encode]:
    """The layout that is fastest on the sample, and the engine loaded for it."""
    tried: list[tuple[float, Layout]] = []
    encode: Encode | None = None
    for layout in engine.layouts(cores()):
        encode = engine.load(Setting(variant, folder, layout, sample, scratch))
        encoded(sample, encode, layout)
        started = time.perf_counter()
        encoded(sample, encode, layout)
        tried.append((time.perf_counter() - started, layout))
    best = min(tried, key=lambda timing: timing[0])[1]
    if encode is None or best != tried[-1][1]:
        encode = engine.load(Setting(variant, folder, best, sample, scratch))
        encoded(sample, encode, best)
    return best, encode


def serve(encode: Encode, layout: Layout, requests: Iterable[str], answers: TextIO) -> None:
    """Answer each line."""
    for line in requests:
        task = json.loads(line)
        rows = read_rows(Path(task["rows"]))
        started = time.perf_counter()
        vectors = encoded(rows, encode, layout)
        seconds = time.perf_counter() - started
        np.save(task["vectors"], vectors)
        _say(answers, {"seconds": seconds})


def main() -> None:
    """The process."""
    module, variant, folder, sample, scratch = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print on stdout, which is the line to the client
    try:
        engine = cast(Engine, importlib.import_module(f".{module}", __package__))
        layout, encode = best_layout(engine, variant, Path(folder), read_rows(Path(sample)), Path(scratch))
    except ImportError as error:
        _say(answers, {"absent": str(error)})
        return
    _say(answers, {"layout": str(layout)})
    serve(encode, layout, sys.stdin, answers)


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
