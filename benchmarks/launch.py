"""The whole way: `medkg run auto` over a path, with CPU seconds by stage and the share outside the model.

The bound on a CPU machine is not wall time alone, since parsing and indexing share the model's cores: no
more than 15 % of the CPU seconds should be spent outside the model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results_file import write_result


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the launch on a fresh data folder and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", required=True, help="file or folder to ingest")
    parser.add_argument("--keep-host", action="store_true", help="start `medkg up` first, so models are hot")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="medkg-bench-") as folder:
        medkg = [str(Path(sys.executable).parent / "medkg"), "--data-dir", folder]
        if options.keep_host:
            subprocess.run([*medkg, "up"], check=True)
        try:
            report = _run(medkg, options.path)
        finally:
            subprocess.run([*medkg, "down"], check=True)
    stages = report["stages"]
    cpu = sum(stage["cpu_seconds"] for stage in stages.values())
    model = sum(stage["model_cpu_seconds"] for stage in stages.values())
    write_result(
        "launch",
        {
            "documents": report["documents"],
            "chunks": report["chunks"],
            "seconds": report["seconds"],
            "docs_per_second": report["docs_per_second"],
            "startup": report["startup"],
            "cpu_seconds_by_stage": {name: stage["cpu_seconds"] for name, stage in stages.items()},
            "model_cpu_seconds": model,
            "share_outside_the_model": round(1 - model / cpu, 3) if cpu else None,
        },
    )


def _run(medkg: Sequence[str], path: str) -> dict[str, object]:
    finished = subprocess.run(
        [*medkg, "run", "auto", "--path", path, "--json"], check=False, stdout=subprocess.PIPE
    )
    if finished.returncode > 1:
        sys.exit(f"medkg run ended with {finished.returncode}")
    report: dict[str, object] = json.loads(finished.stdout)
    return report


if __name__ == "__main__":
    main()
