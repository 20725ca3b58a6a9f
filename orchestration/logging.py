"""Log lines: structlog, JSON unless a person watches, on stderr, with the ids that find a document again.

Comes in: lines of medkg and of the libraries in its processes. Leaves: one JSON object per line, in the shape
of docs/guides/logs.md, in UTC. Text of documents and secrets are never logged; as a second line of defence,
known secrets and what looks like one are blotted out where a line is written. Called once by each process'
entry.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Collection, MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter

from orchestration.shown_addresses import KEYS
from orchestration.tracing import trace_ids

__all__ = ["ProcessLog", "StderrLog", "configure_logging", "redacted"]

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


LIBRARIES_AT_WARNING: Final = (
    "alembic",
    "httpx",
    "httpcore",
    "opensearch",
    "urllib3",
    "asyncio",
    "confluent_kafka",
    "neo4j",
)
"""Libraries whose info lines name addresses with what was asked, one per request."""

BLOT: Final = "***"
SECRET: Final = re.compile(
    r"(?<=://)[^\s/@\"']*:[^\s/@\"']+(?=@)"  # user and password of an address
    r"|(?<=[Bb]earer )[\w.~+/=-]{4,}"
    r"|(?<=[Bb]asic )[A-Za-z0-9+/=]{8,}"
    r"|(?<=password=)[^\s&\"']+"
)
"""What looks like a secret, whatever setting or server it is of."""
KEY: Final = re.compile(rf"(?i)([?&](?:{'|'.join(KEYS)})=)[^&\s\"']+")
"""Keys in the query of an address."""


def redacted(text: str, secrets: Collection[str] = ()) -> str:
    """The text without these secrets and without what looks like one."""
    for secret in secrets:
        text = text.replace(secret, BLOT)
    return KEY.sub(rf"\g<1>{BLOT}", SECRET.sub(BLOT, text))


class _Redacting:
    """A stream that blots secrets out of what is written."""

    def __init__(self, log: StderrLog, secrets: Collection[str]) -> None:
        self._log = log
        # as they are written in JSON, too; the longest first, since one may contain another
        forms = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
        self._secrets = sorted(forms, key=len, reverse=True)

    def write(self, text: str) -> None:
        self._log.write(redacted(text, self._secrets))

    def flush(self) -> None:
        self._log.flush()


class _Logger(structlog.PrintLogger):
    """A logger that knows its name, for `add_logger_name`."""

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self.name = name


def configure_logging(
    level: str, log: StderrLog | None = None, secrets: Collection[str] = (), process: str = "command"
) -> None:
    """Set up the log of this process, for structlog and the standard library's loggers.

    Lines go to `log`, by default to stderr alone. `secrets` are blotted out (`known_secrets`); `process` is
    a field of each line.
    """
    stream = cast(TextIO, _Redacting(log or StderrLog(), secrets))
    tty = sys.stderr.isatty()
    number: int = logging.getLevelName(level.upper())

    def add_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        ids = trace_ids()
        if ids is not None:
            event["trace_id"], event["span_id"] = ids
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_ids,
    ]
    ending: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if tty
        else [
            structlog.processors.format_exc_info,
            _ordered,
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Logger(stream, names[0] if names else ""),
        cache_logger_on_first_use=False,
    )
    _catch_libraries(stream, number, shared, ending)


def _catch_libraries(stream: TextIO, level: int, shared: list[Any], ending: list[Any]) -> None:
    """Write the lines of the standard library's loggers in the same shape; replaces an earlier set-up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, *ending]
        )
    )
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not hasattr(each, "of_medkg")]
    handler.of_medkg = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for name in LIBRARIES_AT_WARNING:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


FIRST_FIELDS: Final = (
    *("timestamp", "level", "event", "process", "logger", "trace_id", "span_id"),
    *("tenant", "job", "window", "stage", "document", "correlation", "code", "message"),
)


def _ordered(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The fields of every line first, in the order of the guide."""
    first = {name: event.pop(name) for name in FIRST_FIELDS if name in event}
    return {**first, **event}
