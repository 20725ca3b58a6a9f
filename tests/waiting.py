"""Waiting for an event: as long as a slow machine needs, and no longer than the process that brings it lives.

Input: a condition, and the process or log that it depends on. Output: a return as soon as the condition
holds; AssertionError with the end of the log when the process has ended first, or after `seconds`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

__all__ = ["PATIENCE", "log_tail", "wait_for_file", "wait_until"]

PATIENCE: Final = 600.0
"""Seconds that a machine several times slower than the developer's needs for the slowest event of a test."""

POLL_SECONDS: Final = 0.05
LOG_LINES: Final = 30


def wait_until(
    condition: Callable[[], object],
    seconds: float = PATIENCE,
    *,
    process: subprocess.Popen[str] | subprocess.Popen[bytes] | psutil.Process | None = None,
    log: Path | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Return as soon as the condition holds; fail when `process` has ended before, or after `seconds`."""

    def held_or_ended() -> bool:
        if condition():
            return True
        if process is not None and _has_ended(process):
            # what it did last may have brought the event
            assert condition(), f"the process that should bring the event has ended.{_evidence(process, log)}"
            return True
        return False

    try:
        Retrying(
            retry=retry_if_result(lambda held: not held),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(poll_seconds),
        )(held_or_ended)
    except RetryError:
        raise AssertionError(f"not within {seconds:g} s.{_evidence(None, log)}") from None


def wait_for_file(path: Path, *, log: Path | None = None) -> None:
    """Return as soon as the file exists."""
    wait_until(path.exists, log=log, poll_seconds=0.01)


def log_tail(path: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log; empty if there is none."""
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _has_ended(process: subprocess.Popen[str] | subprocess.Popen[bytes] | psutil.Process) -> bool:
    if isinstance(process, psutil.Process):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return process.poll() is not None


def _evidence(
    process: subprocess.Popen[str] | subprocess.Popen[bytes] | psutil.Process | None, log: Path | None
) -> str:
    """Exit code, captured streams and the end of the log, as far as there are any."""
    parts = []
    if isinstance(process, subprocess.Popen):
        parts.append(f"exit code {process.returncode}")
        streams = process.communicate()
        parts += [stream[-3000:] for stream in map(_text, streams) if stream]
    if log is not None and (tail := log_tail(log)):
        parts.append(f"{log} ends with:\n{tail}")
    return "".join(f"\n{part}" for part in parts)


def _text(stream: str | bytes | None) -> str:
    return stream.decode(errors="replace") if isinstance(stream, bytes) else stream or ""
