"""The `medkg` command over a data folder, in separate processes as a user runs it.

Comes in: a bench and a name. Leaves: what the commands answered. Commands that fail end the measurement.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from orchestration.errors import StageFailedError
from orchestration.settings import load_settings

from ..bench import Bench

__all__ = ["CommandLine"]


class CommandLine:
    """An empty data folder of the bench's profile."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.settings = load_settings(data_dir=bench.folder / name, profile=bench.profile.name)
        self._environment: Mapping[str, str] = {}

    @classmethod
    def at(cls, folder: Path, environment: Mapping[str, str]) -> Self:
        """One of the default profile, whose commands see these variables too."""
        command_line = cls.__new__(cls)
        command_line.settings = load_settings(data_dir=folder)
        command_line._environment = environment
        return command_line

    def command(self, *words: str) -> list[str]:
        """A command over this folder, for subprocess."""
        medkg = str(Path(sys.executable).parent / "medkg")
        folder = "--data-dir", str(self.settings.data_dir)
        return [medkg, *folder, "--profile", self.settings.profile, *words]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """`medkg up` while the block runs: models and workers are hot."""
        self.answer("up")
        try:
            yield
        finally:
            subprocess.run(self.command("down"), check=True, stdout=subprocess.DEVNULL)

    def answer(self, *words: str) -> Any:
        """The JSON that a command answers; raises StageFailedError when it ends with more than 1."""
        done = subprocess.run(
            self.command(*words, "--json"),
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **self._environment},
        )
        if done.returncode > 1:
            raise StageFailedError(
                f"`medkg {' '.join(words)}` ended with {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        return json.loads(done.stdout)

    def size(self) -> int:
        """Bytes of its files: ledger, index, vectors, documents, artifacts and Dagster's records."""
        files = (path for path in self.settings.data_dir.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    def run(self, path: Path, *options: str) -> dict[str, Any]:
        """The report of `medkg run auto` over the path."""
        report: dict[str, Any] = self.answer("run", "auto", "--path", str(path.absolute()), *options)
        return report

    def start_run(self, path: Path, *options: str) -> subprocess.Popen[str]:
        """The same, going on; its report will be on its stdout."""
        return subprocess.Popen(
            self.command("run", "auto", "--path", str(path.absolute()), *options, "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
