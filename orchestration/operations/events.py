"""Events of a data folder, for commands: the last ones, those to come, and reading again.

Comes in: the outbox. Leaves: events that match, oldest first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from orchestration.contracts.outbox import OutboxLedger, OutboxState
from orchestration.errors import UsageError
from orchestration.events.factory import CloudEventFactory, Event

__all__ = ["Events"]

FACTS_AT_ONCE: Final = 200
FOLLOW_SECONDS: Final = 1.0
COUNTED: Final = "metrics"
"""The reader whose state are totals: facts must not be counted again."""


class Events:
    """Reads the outbox; changes nothing but the places of readers."""

    def __init__(self, outbox: OutboxLedger) -> None:
        self._outbox = outbox
        self._factory = CloudEventFactory()

    def last(self, since: float, limit: int, matches: Callable[[Event], bool]) -> tuple[list[Event], int]:
        """The last matching events since a moment (seconds since the epoch), and the position behind them."""
        position = self._outbox.position_at(since)
        newest: deque[Event] = deque(maxlen=limit)
        while facts := self._outbox.read(position, FACTS_AT_ONCE):
            position = facts[-1].position
            newest.extend(event for fact in facts for event in self._factory.events(fact) if matches(event))
        return list(newest), position

    def follow(self, position: int, matches: Callable[[Event], bool]) -> Iterator[Event]:
        """Matching events behind a position, as they come; never ends."""
        while True:  # no-retry-loop: a clock
            facts = self._outbox.read(position, FACTS_AT_ONCE)
            for fact in facts:
                position = fact.position
                yield from (event for event in self._factory.events(fact) if matches(event))
            if not facts:
                time.sleep(FOLLOW_SECONDS)

    def replay(self, sink: str, since: float) -> int:
        """Let a sink have everything since a moment again, under the same ids; the number of facts."""
        if sink == COUNTED:
            raise UsageError("metrics count every fact once; they cannot be replayed.")
        position = self._outbox.position_at(since)
        self._outbox.rewind(sink, position)
        return next((reader.behind for reader in self.state().readers if reader.name == sink), 0)

    def forget(self, sink: str) -> None:
        """Forget a sink that is not used any more, so that nothing is kept for it."""
        self._outbox.forget(sink)

    def state(self) -> OutboxState:
        """What is kept, and how far each sink is."""
        return self._outbox.state()
