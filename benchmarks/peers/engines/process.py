"""The client of an engine's process: start it, have rows encoded, end it.

Comes in: a contender and files of rows. Leaves: seconds and vectors. An engine whose package is absent or
that fails is an AbsentEngineError with the command that installs it or the end of its stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from .contenders import ENGINES_PYTHON, Contender
from .contract import Vectors

__all__ = ["AbsentEngineError", "Encoded", "EngineProcess"]

ROOT: Final = Path(__file__).parents[3]
STDERR_TAIL: Final = 400
"""Characters of a process's stderr in an error."""


class AbsentEngineError(Exception):
    """The engine cannot be measured here; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What one turn gave."""

    vectors: Vectors
    seconds: float
    cpu_seconds: float
    """Of the engine's process and its children: what holds still while others use the cores, too."""


class EngineProcess:
    """A started engine; close it in the end."""

    def __init__(self, contender: Contender, folder: Path, sample: Path, scratch: Path) -> None:
        """Raises AbsentEngineError."""
        self._name = contender.name
        scratch.mkdir(parents=True)
        self._vectors = scratch / "vectors.npy"
        self._stderr = scratch / "stderr"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [
                    _python(contender),
                    "-m",
                    f"{__package__}.worker",
                    contender.module,
                    contender.variant,
                    *map(str, (folder, sample, scratch)),
                ],
                cwd=ROOT,
                env=os.environ | {"HF_HUB_OFFLINE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        ready = self._answer()
        if "absent" in ready:
            self.close()
            raise AbsentEngineError(f"{ready['absent']} ({contender.install})")
        self.layout: str = ready["layout"]

    def encode(self, rows: Path) -> Encoded:
        """The rows' vectors, in order; raises AbsentEngineError."""
        if self._process.stdin is None or self._process.poll() is not None:
            raise AbsentEngineError(self._stderr_tail())
        spent = self._cpu_seconds()
        self._process.stdin.write(json.dumps({"rows": str(rows), "vectors": str(self._vectors)}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        return Encoded(np.load(self._vectors), float(answer["seconds"]), self._cpu_seconds() - spent)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.close()
            raise AbsentEngineError(self._stderr_tail())
        return json.loads(line)

    def _cpu_seconds(self) -> float:
        own = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return float(sum(time.user + time.system for time in times))

    def _stderr_tail(self) -> str:
        words = self._stderr.read_text(encoding="utf-8", errors="replace").strip()[-STDERR_TAIL:]
        return f"{self._name} ended with {self._process.returncode}: {words or 'without a word'}"


def _python(contender: Contender) -> str:
    if contender.environment == "none":
        raise AbsentEngineError(contender.install)
    if contender.environment == "medkg":
        return sys.executable
    if not ENGINES_PYTHON.exists():
        raise AbsentEngineError(f"there is no {ENGINES_PYTHON.parents[1].name} ({contender.install})")
    return str(ENGINES_PYTHON)
