"""A small process that outlives a killed host for a moment, to end what Ray leaves behind.

Comes in: on stdin, a line of JSON {"folder", "processes": [[pid, start time]]}; then the end of stdin, which
is the host's death or its good end. Leaves: none of those processes, no folder. Needed because Ray's agents,
whose raylet the kernel killed with the host, wait 60 seconds for a GCS that is gone too. Standard library
only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["start_time", "start_warden"]


def start_warden(folder: Path, pids: list[int]) -> subprocess.Popen[bytes]:
    """Watch over this process; ends when this process does, or closes the warden's stdin."""
    warden = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert warden.stdin is not None
    processes = [(pid, start_time(pid)) for pid in pids]
    warden.stdin.write(json.dumps({"folder": str(folder), "processes": processes}).encode() + b"\n")
    warden.stdin.flush()
    return warden


def start_time(pid: int) -> str | None:
    """When the process began, in the kernel's ticks, so that a number used again is told apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rsplit(")", 1)[1].split()[19]


def main() -> None:
    """Wait for the host's end, then clean up."""
    watched = json.loads(sys.stdin.readline() or "{}")
    sys.stdin.read()
    for pid, started in watched.get("processes", []):
        if started is not None and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)
    if watched:
        shutil.rmtree(watched["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
