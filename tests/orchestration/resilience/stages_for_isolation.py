"""Stages that misbehave in worker processes, in a separate module that those processes can import."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import time
from pathlib import Path

import anyio

from orchestration.errors import MalformedDocumentError
from orchestration.records import StageContext


class Misbehaving:
    """Misbehaves as its value demands; otherwise returns the id of the process that ran it."""

    def execute(self, ctx: StageContext, value: str) -> object:
        what, _, argument = value.partition(":")
        match what:
            case "hang-in-c":
                ctypes.CDLL(None).sleep(600)
            case "hang-in-regex":
                re.match(r"(a+)+$", "a" * 60 + "b")
            case "hang-ignoring-sigterm":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(600)
            case "hang-and-write-pid":
                Path(argument).write_text(str(os.getpid()))
                ctypes.CDLL(None).sleep(600)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "crash-once":
                if not Path(argument).exists():
                    Path(argument).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                sys.exit(3)
            case "malformed":
                raise MalformedDocumentError(f"{ctx.doc_id} is malformed")
            case "unpicklable":
                return lambda: None
        return os.getpid()


def broken_stage() -> Misbehaving:
    """A plugin that cannot be made."""
    raise ImportError("no module named thermometer")


async def written(path: Path) -> int:
    """The number in a file, as soon as another process has written it."""
    with anyio.fail_after(30):
        while not (path.exists() and path.read_text()):
            await anyio.sleep(0.01)
    return int(path.read_text())
