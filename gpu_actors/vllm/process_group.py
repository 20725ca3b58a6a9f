"""A process that ends a command, with all it started, when the command's owner ends in whatever way.

`python leash.py COMMAND...` runs the command in a process group of its own and reads its stdin, whose other
end the owner holds: the end of stdin is the owner's good end or its death. Then, or when the command ends by
itself, the whole group is killed. Needed because vLLM's engine is a child of its server, which a killed
server leaves behind with the device's memory. Exits with the command's status; standard library only.
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

__all__ = ["run_on_leash"]


def run_on_leash(
    command: Sequence[str], log_path: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the command; closing the returned process's stdin, or the end of this process, ends it.

    `environment` is all it sees; its output goes to `log_path`.
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
    """Run the command until it or its owner ends, in a child that is nobody's to kill.

    Ray kills the children of an actor that it ends, before they could end theirs.
    """
    holder = os.fork()
    if holder:
        _, status = os.waitpid(holder, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.setsid()
    _hold(sys.argv[1:])


def _hold(command_line: Sequence[str]) -> None:
    command = subprocess.Popen(command_line, stdin=subprocess.DEVNULL, process_group=0)

    def end_group() -> None:
        with suppress(ProcessLookupError):  # all of it has ended
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
