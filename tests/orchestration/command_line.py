"""The `medkg` command as tests use it: in this process for quick commands, as a process to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from orchestration.cli.main import app, hoist_global_options
from orchestration.errors import MedkgError
from orchestration.jobs.host_client import HostClient
from orchestration.settings import load_settings
from tests.waiting import wait_until

MEDKG = [sys.executable, "-c", "from orchestration.cli import medkg; medkg()"]


@dataclass(frozen=True)
class Medkg:
    """Commands over one data folder, for one tenant."""

    data_dir: Path
    tenant: str = "default"

    def __call__(self, *arguments: str, expect: int = 0) -> Any:
        """The command's JSON answer; fails unless it ends with `expect`."""
        return json.loads(self.text(*arguments, "--json", expect=expect))

    def text(self, *arguments: str, expect: int = 0) -> str:
        """What a person sees on stdout."""
        options = ["--data-dir", str(self.data_dir), "--tenant", self.tenant]
        command = hoist_global_options([*options, *arguments])
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == expect, (arguments, result.exit_code, result.stdout, result.stderr)
        return result.stdout

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """The command as its own process, whose stdout is a pipe."""
        own = {"HF_HUB_OFFLINE": "1", "MEDKG_DATA_DIR": str(self.data_dir), "MEDKG_TENANT": self.tenant}
        return subprocess.Popen(
            [*MEDKG, *arguments],
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def count(self, status: str) -> int:
        """Documents of the tenant with that status; 0 before there is a ledger."""
        if not (self.data_dir / "ledger.sqlite").exists():
            return 0
        return int(self("status")["documents"].get(status, 0))

    def wait_until(
        self, condition: Callable[[], object], process: subprocess.Popen[str] | None = None
    ) -> None:
        """Wait for what `process`, or else the host, brings; if that ends first, fail with the host's log."""
        wait_until(
            condition,
            process=process or self._host(),
            log=self.data_dir / "logs" / "host.log",
            poll_seconds=0.2,
        )

    def _host(self) -> psutil.Process | None:
        try:
            return psutil.Process(HostClient(load_settings(data_dir=self.data_dir)).status().pid)
        except (MedkgError, psutil.NoSuchProcess):
            return None
