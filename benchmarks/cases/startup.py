"""How long a second `medkg run` takes to its first document in a stage when `medkg up` holds the models."""

from __future__ import annotations

import statistics
from typing import Any

from ..bench import Bench
from ..load.command_line import CommandLine


def measure(bench: Bench) -> dict[str, Any]:
    """Start the host once, run several small inputs, and say where the time to the first document went."""
    bench.close()
    folder = CommandLine(bench, "startup")
    with folder.kept():
        startups = [_startup(folder, number) for number in range(bench.rounds)]
    return {
        "rounds": startups,
        "median_seconds_until_first_document": statistics.median(
            startup["until_first_document"] for startup in startups
        ),
    }


def _startup(folder: CommandLine, number: int) -> dict[str, float]:
    """One run over a new note; its `startup` account in seconds."""
    note = folder.settings.data_dir / f"note-{number}.md"
    note.write_text(f"# Note {number}\n\nVelorastat was given to {number + 3} patients.\n", encoding="utf-8")
    startup: dict[str, float] = folder.run(note)["startup"]
    return startup
