"""The whole way: `medkg run auto` over the documents, with CPU seconds by stage and outside the model.

The bound on a CPU machine is not wall time alone, since parsing and indexing share the model's cores: no
more than 15 % of the CPU seconds should be spent outside the model. `hot` is against a plane that `medkg
up` keeps.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from orchestration.errors import StageFailedError


def measure(bench: Bench) -> dict[str, Any]:
    """A cold launch, and one against hot models, each into an empty data folder."""
    bench.close()  # the launch brings its own plane
    return {"cold": _launch(bench, "cold", hot=False), "hot": _launch(bench, "hot", hot=True)}


def _launch(bench: Bench, name: str, *, hot: bool) -> dict[str, Any]:
    medkg = [str(Path(sys.executable).parent / "medkg"), "--data-dir", str(bench.folder / name)]
    medkg += ["--profile", bench.profile.name]
    if hot:
        subprocess.run([*medkg, "up"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        report = _run(medkg, bench.path, bench.limit)
    finally:
        subprocess.run([*medkg, "down"], check=True, stdout=subprocess.DEVNULL)
    stages = report["stages"]
    cpu = sum(stage["cpu_seconds"] for stage in stages.values())
    model = sum(stage["model_cpu_seconds"] for stage in stages.values())
    return {
        "documents": report["documents"],
        "chunks": report["chunks"],
        "seconds": report["seconds"],
        "docs_per_second": report["docs_per_second"],
        "startup": report["startup"],
        "cpu_seconds_by_stage": {name: stage["cpu_seconds"] for name, stage in stages.items()},
        "model_cpu_seconds": round(model, 2),
        "share_outside_the_model": round(1 - model / cpu, 3) if cpu else None,
    }


def _run(medkg: Sequence[str], path: Path, limit: int) -> dict[str, Any]:
    options = ["--path", str(path.absolute()), "--limit", str(limit), "--json"]
    finished = subprocess.run([*medkg, "run", "auto", *options], check=False, stdout=subprocess.PIPE)
    if finished.returncode > 1:
        raise StageFailedError(f"medkg run ended with {finished.returncode}; its last lines say why.")
    report: dict[str, Any] = json.loads(finished.stdout)
    return report
