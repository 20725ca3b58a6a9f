"""An outbox whose state a test sets."""

from __future__ import annotations

from typing import Any

from orchestration.contracts.outbox import OutboxReader, OutboxState


class SetOutbox:
    """The `state` of an OutboxLedger; a test that calls anything else fails."""

    def __init__(self, *readers: OutboxReader, facts: int = 0) -> None:
        self.now = OutboxState(facts=facts, oldest_at=None, readers=readers)

    def state(self) -> OutboxState:
        return self.now

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a scrape reads the state alone, not {name}")


def a_reader(
    name: str = "kafka", behind: int = 7, oldest_at: float | None = 1.0, dropped: int = 2
) -> OutboxReader:
    return OutboxReader(
        name=name, position=3, behind=behind, oldest_at=oldest_at, dropped=dropped, owner=None, problem=None
    )
