"""Events to a file: the sink `file`, which appends a CloudEvent in JSON per line.

Guarantees. Delivery: at least once, in the order of the facts. Durability: written and synchronised to the
disk when `publish` returns. A line that a crash cut off is ended before the next ones are appended. The file
may be moved away at any time (logrotate): the next events go to a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestration.contracts.facts import Fact
from orchestration.disk_space import unwritable_disk
from orchestration.errors import StoreUnwritableError
from orchestration.events.factory import Event

__all__ = ["FileSink"]


class FileSink:
    """FactSink to a JSON Lines file."""

    name = "file"

    def __init__(self, path: Path, events: Callable[[Fact], Sequence[Event]]) -> None:
        """`events` makes the events of a fact."""
        self._path = path
        self._events = events

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Append the events of these facts; see FactSink.publish. Keeps no state."""
        lines = b"".join(event.structured() + b"\n" for fact in facts for event in self._events(fact))
        if not lines:
            return state
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as file:
                size = file.seek(0, os.SEEK_END)
                if size and _last_byte(file.fileno(), size) != b"\n":
                    file.write(b"\n")
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable_disk(error, self._path) or StoreUnwritableError(
                f"events cannot be appended to {self._path}: {error.strerror}. Make the file writable, or "
                "set MEDKG_EVENTS_FILE to another one. They wait in the ledger."
            ) from error
        return state

    def close(self) -> None:
        """Nothing is open between two calls."""


def _last_byte(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 1, size - 1)
