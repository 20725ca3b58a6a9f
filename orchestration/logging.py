"""Log lines: structlog, JSON unless a person watches, on stderr, with the ids that find a document again.

Text of documents and secrets are never logged at info or above. Called once by each process' entry.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog

__all__ = ["ProcessLog", "StderrLog", "configure_logging"]

STDERR: Final = 2
"""File descriptor of stderr."""


class StderrLog:
    """Stderr as it is when a line is written.

    A line that cannot be written (disk full, closed pipe) is lost: no work fails because of its log.
    """

    def write(self, text: str) -> None:
        """Write to stderr."""
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush stderr."""
        with suppress(OSError):
            sys.stderr.flush()


class ProcessLog(StderrLog):
    """Stderr, and beside it the stderr that this process started with, while a step's output is captured.

    Dagster points file descriptor 2 at the run's output while a step runs. Lines then go to both, so that
    the run's page shows them and the log of the process has no gaps.
    """

    def __init__(self) -> None:
        """Keep the present stderr; for the main of a process, before anything is captured."""
        self._own = os.fdopen(os.dup(STDERR), "w", buffering=1)

    def write(self, text: str) -> None:
        """Write to stderr and, where that is another file, to the log of the process."""
        super().write(text)
        with suppress(OSError):
            if not os.path.sameopenfile(STDERR, self._own.fileno()):
                self._own.write(text)

    def flush(self) -> None:
        """Flush both."""
        super().flush()
        with suppress(OSError):
            self._own.flush()


def configure_logging(level: str, log: StderrLog | None = None) -> None:
    """Set up structlog for this process; the standard library's loggers keep their own handlers.

    Lines go to `log`, by default to stderr alone.
    """
    stream = cast(TextIO, log or StderrLog())
    tty = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if tty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(stream),
        cache_logger_on_first_use=False,
    )
