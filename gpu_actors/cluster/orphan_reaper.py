"""A small process that outlives a killed host for a moment, to end what Ray leaves behind.

Comes in: on stdin, a line of JSON {"folder", "host", "others"} before Ray starts, an empty line when it has
started, and the end of stdin, which is the host's death or its good end. Leaves: none of the processes that
the host started between the two lines, no folder. Needed because Ray's agents, whose raylet the kernel
killed with the host, wait 60 seconds for a GCS that is gone too. Standard library only.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Warden", "start_time"]

LOOK_SECONDS = 0.25
"""How often it looks for new processes while Ray starts."""


class Warden:
    """Watches over this process from before Ray starts; ends when this process does, or lets it go."""

    def __init__(self, folder: Path) -> None:
        """`folder`: Ray's, removed in the end."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        others = [self._process.pid, *_children(_parents()).get(os.getpid(), [])]
        self._tell(json.dumps({"folder": str(folder), "host": os.getpid(), "others": others}))

    def has_started(self) -> None:
        """Ray runs: what this process starts from now on is its own affair."""
        self._tell("")

    def let_go(self) -> None:
        """End what Ray left, and return when it is gone."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def start_time(pid: int) -> str | None:
    """When the process began, in the kernel's ticks, so that a number used again is told apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rsplit(")", 1)[1].split()[19]


def _parents() -> dict[int, int]:
    """Every process's parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it ended while we looked
                continue
            found[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    return found


def _children(parents: dict[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        found.setdefault(parent, []).append(pid)
    return found


def _started_by(host: int, others: list[int]) -> dict[int, str | None]:
    """Start times by pid of what is below the host, but for its other children and what is below those."""
    children = _children(_parents())
    below = [pid for pid in children.get(host, []) if pid not in others]
    for pid in below:
        below += children.get(pid, [])
    return {pid: start_time(pid) for pid in below}


def _seen_until_started(host: int, others: list[int]) -> dict[int, str | None]:
    """What the host started until it says that Ray has started, or ends."""
    seen: dict[int, str | None] = {}
    told = False
    while not told:
        told = bool(select.select([sys.stdin], [], [], LOOK_SECONDS)[0])
        seen |= _started_by(host, others)
    return seen


def main() -> None:
    """Look on while Ray starts, wait for the host's end, then clean up."""
    told = json.loads(os.read(sys.stdin.fileno(), 1 << 20).split(b"\n")[0] or b"{}")
    if not told:
        return
    seen = _seen_until_started(told["host"], told["others"])
    sys.stdin.read()
    for pid, started in seen.items():
        if started is not None and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(told["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
