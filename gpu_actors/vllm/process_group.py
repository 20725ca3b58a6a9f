"""The process-group guard: ends a command and all its children when the command's owner ends or is killed.

`python process_group.py COMMAND...` runs the command in its own process group and reads its stdin, whose
other end the owner holds: stdin ends when the owner ends. Then, or when the command ends by itself, the whole
group is killed. Needed because vLLM's engine is a child of its server: when only the server is killed, the
engine keeps the device's memory. Exits with the command's status; standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["run_guarded"]


def run_guarded(
    command: Sequence[str], log_path: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the command and its guard; closing its stdin, or the end of this process, ends both.

    `environment` is the command's whole environment; its output goes to `log_path`.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )


def main() -> None:
    """Run the command until it or its owner ends, in its own session.

    Ray kills the children of an actor that it ends, before they could end theirs; it does not find this one.
    """
    guard = os.fork()
    if guard:
        _, status = os.waitpid(guard, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.setsid()
    _guard(sys.argv[1:])


def _guard(command_line: Sequence[str]) -> None:
    command = subprocess.Popen(command_line, stdin=subprocess.DEVNULL, process_group=0)

    def end_group() -> None:
        with suppress(ProcessLookupError):  # the whole group has ended
            os.killpg(command.pid, signal.SIGKILL)

    def end_with_owner() -> None:
        sys.stdin.buffer.read()
        end_group()

    threading.Thread(target=end_with_owner, daemon=True).start()
    status = command.wait()
    end_group()
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
