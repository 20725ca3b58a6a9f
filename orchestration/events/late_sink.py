"""A sink that is opened with its first facts, so that one that cannot be opened keeps no other back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestration.contracts.facts import Fact
from orchestration.contracts.outbox import FactSink

__all__ = ["LateSink"]


class LateSink:
    """FactSink that opens another one; an error of the opening is one of `publish`, which opens it again."""

    def __init__(self, name: str, opening: Callable[[], FactSink]) -> None:
        self.name = name
        self._opening = opening
        self._sink: FactSink | None = None

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Publish through the opened sink; see FactSink.publish. Raises what its opening raises, too."""
        if self._sink is None:
            self._sink = self._opening()
        return self._sink.publish(facts, state)

    def close(self) -> None:
        """Close the sink if it was opened. Idempotent."""
        if self._sink is not None:
            self._sink.close()
