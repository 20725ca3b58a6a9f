"""The suite: named cases one after another, and one result with hardware, versions and seed.

Comes in: a profile, documents and the names of cases. Leaves: a result, and a JSON file of it that is
rewritten after each case, so that an interrupted run keeps its results.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gpu_actors.plane import model_ids
from orchestration.assembly import Assembly
from orchestration.errors import UsageError
from orchestration.settings import Settings

from .bench import Bench
from .machine import hardware, versions

__all__ = ["CASES", "RESULTS", "run_suite", "suite_for"]

CHECKOUT_RESULTS: Final = Path(__file__).parent / "results"
RESULTS: Final = CHECKOUT_RESULTS if CHECKOUT_RESULTS.is_dir() else Path("medkg-bench")
"""Where results go: benchmarks/results in a checkout, else a folder in the working directory."""

CASES: Final = (
    *("dense", "sparse", "extraction", "chunker", "handoff", "index", "vectors"),
    *("extraction_quality", "launch", "arrivals", "search", "startup", "faults", "scale", "telemetry"),
)
"""Modules of benchmarks.cases, those that share a plane first."""


def suite_for(settings: Settings, path: Path, limit: int, rounds: int, seed: int) -> Bench:
    """What the settings' profile is measured with."""
    return Bench(Assembly(settings).profile, path, limit, rounds, seed)


def chosen(names: Sequence[str]) -> list[str]:
    """The named cases, all if none is; raises UsageError for one that is not there."""
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        raise UsageError(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}.")
    return [name for name in CASES if name in names or not names]


def run_suite(bench: Bench, names: Sequence[str], out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the cases; the result, which is also in `out`.

    Raises UsageError for unknown names or when the path holds no documents.
    """
    cases = chosen(names)
    if not bench.texts:
        raise UsageError(
            f"{bench.path} holds nothing to measure on; give --path a file or folder of documents."
        )
    result: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "profile": bench.profile.name,
        "models": model_ids(bench.profile),
        "engine": bench.profile.engine,
        "seed": bench.seed,
        "documents": len(bench.texts),
        "path": bench.path.name,
        "rounds": bench.rounds,
        "hardware": hardware(),
        "versions": versions(),
        "cases": {},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        for name in cases:
            say(f"measuring {name}")
            case = importlib.import_module(f".cases.{name}", __package__)
            result["cases"][name] = case.measure(bench)
            out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    finally:
        bench.close()
        shutil.rmtree(bench.folder, ignore_errors=True)
    return result


def _commit() -> str | None:
    """Of the checkout, with + where it was changed; None outside of one."""
    root = Path(__file__).parent
    described = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty=+"],
        check=False,
        capture_output=True,
        text=True,
    )
    return described.stdout.strip() or None
