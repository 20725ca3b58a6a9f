"""How long a second `medkg run` takes to its first document in a stage when `medkg up` holds the models."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results_file import write_result

ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the host once, run several small inputs, and write where the time to the first document went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", help="not used: the input is made up")
    parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="medkg-bench-") as folder:
        medkg = [str(Path(sys.executable).parent / "medkg"), "--data-dir", folder]
        subprocess.run([*medkg, "up"], check=True)
        try:
            startups = [_startup(medkg, Path(folder), number) for number in range(ROUNDS)]
        finally:
            subprocess.run([*medkg, "down"], check=True)
    write_result(
        "startup",
        {
            "rounds": startups,
            "median_until_first_document": statistics.median(s["until_first_document"] for s in startups),
        },
    )


def _startup(medkg: Sequence[str], folder: Path, number: int) -> dict[str, float]:
    """One run over a new note; its `startup` account in seconds."""
    note = folder / f"note-{number}.md"
    note.write_text(f"# Note {number}\n\nVelorastat was given to {number + 3} patients.\n", encoding="utf-8")
    finished = subprocess.run(
        [*medkg, "run", "auto", "--path", str(note), "--json"], check=True, stdout=subprocess.PIPE
    )
    startup: dict[str, float] = json.loads(finished.stdout)["startup"]
    return startup


if __name__ == "__main__":
    main()
