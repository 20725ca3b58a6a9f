"""Two starts: of a whole host, in CPU seconds by part; and of a second `medkg run` against loaded models."""

from __future__ import annotations

import statistics
from typing import Any

from ..bench import Bench
from ..load.command_line import CommandLine
from ..load.host_start import WAYS, host_command, measure_start


def measure(bench: Bench) -> dict[str, Any]:
    """Start a host in each way; then run small inputs on a kept one, until their first document."""
    bench.close()
    hosts = {way: _host_start(bench, way) for way in WAYS}
    folder = CommandLine(bench, "startup")
    with folder.kept():
        startups = [_startup(folder, number) for number in range(bench.rounds)]
    return {
        "hosts": hosts,
        "rounds": startups,
        "median_seconds_until_first_document": statistics.median(
            startup["until_first_document"] for startup in startups
        ),
    }


def _host_start(bench: Bench, way: str) -> dict[str, Any]:
    """CPU seconds by part of one start, into an empty data folder."""
    settings = CommandLine(bench, f"host-{way}").settings
    return measure_start(host_command(settings, WAYS[way]), settings.data_dir)


def _startup(folder: CommandLine, number: int) -> dict[str, float]:
    """One run over a new note; its `startup` account in seconds."""
    note = folder.settings.data_dir / f"note-{number}.md"
    note.write_text(f"# Note {number}\n\nVelorastat was given to {number + 3} patients.\n", encoding="utf-8")
    startup: dict[str, float] = folder.run(note)["startup"]
    return startup
