"""How long a second `medkg run` takes to its first document in a stage when `medkg up` holds the models."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench


def measure(bench: Bench) -> dict[str, Any]:
    """Start the host once, run several small inputs, and say where the time to the first document went."""
    bench.close()
    folder = bench.folder / "startup"
    folder.mkdir(parents=True)
    medkg = [str(Path(sys.executable).parent / "medkg"), "--data-dir", str(folder)]
    medkg += ["--profile", bench.profile.name]
    subprocess.run([*medkg, "up"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        startups = [_startup(medkg, folder, number) for number in range(bench.rounds)]
    finally:
        subprocess.run([*medkg, "down"], check=True, stdout=subprocess.DEVNULL)
    return {
        "rounds": startups,
        "median_seconds_until_first_document": statistics.median(
            one["until_first_document"] for one in startups
        ),
    }


def _startup(medkg: Sequence[str], folder: Path, number: int) -> dict[str, float]:
    """One run over a new note; its `startup` account in seconds."""
    note = folder / f"note-{number}.md"
    note.write_text(f"# Note {number}\n\nVelorastat was given to {number + 3} patients.\n", encoding="utf-8")
    finished = subprocess.run(
        [*medkg, "run", "auto", "--path", str(note), "--json"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    startup: dict[str, float] = json.loads(finished.stdout)["startup"]
    return startup
