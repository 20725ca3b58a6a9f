"""The whole way: `medkg run auto` over the documents, with CPU seconds by stage and outside the model.

The bound on a CPU machine is not wall time alone, since parsing and indexing share the model's cores: no
more than 15 % of the CPU seconds should be spent outside the model. `hot` is against a plane that `medkg
up` keeps. `dense_only` is hot, too, with the sparse leg off: what the dense leg alone allows.
`without_extraction` is hot with the extraction model off: what the encoder's mentions and claims cost is the
ratio `extraction_cost` of CPU seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from gpu_actors.profiles import NO_MODEL

from ..bench import Bench
from ..load.command_line import CommandLine

SPARSE_MODEL: Final = "MEDKG_SPARSE_MODEL"
EXTRACTION_MODEL: Final = "MEDKG_EXTRACTION_MODEL"


def measure(bench: Bench) -> dict[str, Any]:
    """A cold launch and three against hot models, each into an empty data folder."""
    bench.close()  # the launch brings its own plane
    figures = {"cold": _launch(bench, "cold", hot=False), "hot": _launch(bench, "hot", hot=True)}
    with _without(EXTRACTION_MODEL):
        figures["without_extraction"] = _launch(bench, "without-extraction", hot=True)
    with _without(SPARSE_MODEL):
        figures["dense_only"] = _launch(bench, "dense-only", hot=True)
    extracting, indexing = (figures[name]["cpu_seconds"] for name in ("hot", "without_extraction"))
    return {**figures, "extraction_cost": round(extracting / indexing, 2)}


def _launch(bench: Bench, name: str, *, hot: bool) -> dict[str, Any]:
    folder = CommandLine(bench, name)
    with folder.kept() if hot else nullcontext():
        report = folder.run(bench.path, "--limit", str(bench.limit))
    stages = report["stages"]
    cpu = sum(stage["cpu_seconds"] for stage in stages.values())
    model = sum(stage["model_cpu_seconds"] for stage in stages.values())
    return {
        "documents": report["documents"],
        "chunks": report["chunks"],
        "seconds": report["seconds"],
        "docs_per_second": report["docs_per_second"],
        "startup": report["startup"],
        "disk_bytes_per_document": round(folder.size() / report["documents"]["in"]),
        "cpu_seconds": round(cpu, 2),
        "cpu_seconds_by_stage": {name: stage["cpu_seconds"] for name, stage in stages.items()},
        "model_cpu_seconds": round(model, 2),
        "share_outside_the_model": round(1 - model / cpu, 3) if cpu else None,
    }


@contextmanager
def _without(variable: str) -> Iterator[None]:
    """The model that an environment variable chooses is off."""
    before = os.environ.get(variable)
    os.environ[variable] = NO_MODEL
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before
