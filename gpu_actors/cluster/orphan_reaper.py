"""A small process that outlives a killed host for a moment, to end the processes that Ray leaves behind.

Input: on stdin, a line of JSON {"folder", "host", "others"} before Ray starts, an empty line when it has
started, and the end of stdin, which is the host's end. Output: none of the processes that
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

__all__ = ["OrphanReaper", "start_time"]

LOOK_SECONDS = 0.25
"""How often it looks for new processes while Ray starts."""


class OrphanReaper:
    """The reaper of this process, started before Ray; it ends with this process or with `close`."""

    def __init__(self, folder: Path) -> None:
        """`folder`: Ray's, which is removed at the end."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        others = [self._process.pid, *_children(_parents()).get(os.getpid(), [])]
        self._send(json.dumps({"folder": str(folder), "host": os.getpid(), "others": others}))

    def has_started(self) -> None:
        """Ray runs: processes that this one starts from now on are not Ray's."""
        self._send("")

    def close(self) -> None:
        """Kill the processes that Ray left; returns when they are gone."""
        self._process.communicate()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def start_time(pid: int) -> str | None:
    """The start of the process in clock ticks since boot; differs for a later process of the same pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rsplit(")", 1)[1].split()[19]


def _parents() -> dict[int, int]:
    """The parent of every process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it has ended since
                continue
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    return parents


def _children(parents: dict[int, int]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    return children


def _started_by(host: int, others: list[int]) -> dict[int, str | None]:
    """Start times by pid of the host's descendants, without its other children and their descendants."""
    children = _children(_parents())
    descendants = [pid for pid in children.get(host, []) if pid not in others]
    for pid in descendants:
        descendants += children.get(pid, [])
    return {pid: start_time(pid) for pid in descendants}


def _started_before_ray_runs(host: int, others: list[int]) -> dict[int, str | None]:
    """Processes that the host started until it reports that Ray has started, or ends."""
    started: dict[int, str | None] = {}
    reported = False
    while not reported:
        reported = bool(select.select([sys.stdin], [], [], LOOK_SECONDS)[0])
        started |= _started_by(host, others)
    return started


def main() -> None:
    """Watch while Ray starts, wait for the host's end, then clean up."""
    request = json.loads(os.read(sys.stdin.fileno(), 1 << 20).split(b"\n")[0] or b"{}")
    if not request:
        return
    started = _started_before_ray_runs(request["host"], request["others"])
    sys.stdin.read()
    for pid, since in started.items():
        if since is not None and start_time(pid) == since:
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(request["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
