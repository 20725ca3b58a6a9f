"""The `medkg` command as tests use it: in this process for quick commands, as a process to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from orchestration.cli.main import app, hoist_global_options

MEDKG = [sys.executable, "-c", "from orchestration.cli import medkg; medkg()"]


@dataclass(frozen=True)
class Medkg:
    """Commands over one data folder."""

    data_dir: Path

    def __call__(self, *arguments: str, expect: int = 0) -> Any:
        """The command's JSON answer; fails unless it ends with `expect`."""
        command = hoist_global_options(["--data-dir", str(self.data_dir), *arguments, "--json"])
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == expect, (arguments, result.exit_code, result.stdout, result.stderr)
        return json.loads(result.stdout)

    def text(self, *arguments: str, expect: int = 0) -> str:
        """What a person sees on stdout."""
        command = hoist_global_options(["--data-dir", str(self.data_dir), *arguments])
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == expect, (arguments, result.exit_code, result.stdout, result.stderr)
        return result.stdout

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """The command as a process of its own, whose stdout is a pipe."""
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MEDKG_DATA_DIR": str(self.data_dir)}
        return subprocess.Popen(
            [*MEDKG, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
