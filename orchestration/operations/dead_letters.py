"""Dead letters of one tenant: what failed for good, and its replay.

Comes in: the parts of a data folder, and numbers of dead letters. Leaves: dead letters, and jobs that process
their documents again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from orchestration.contracts import DeadLetter, Submission
from orchestration.errors import UsageError
from orchestration.operations.parts import Parts

__all__ = ["DeadLetters"]


class DeadLetters:
    """Dead letters of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant

    def all(self, *, only_waiting: bool) -> list[DeadLetter]:
        """Dead letters that wait for replay, or all; newest first."""
        return self._parts.ledger.dead_letters.find(self._tenant_id, only_waiting=only_waiting)

    def get(self, letter_id: int) -> DeadLetter:
        """The dead letter of that number; raises UsageError if there is none."""
        for letter in self.all(only_waiting=False):
            if letter.id == letter_id:
                return letter
        raise UsageError(f"there is no dead letter {letter_id}; `medkg dlq list --all` lists all of them.")

    def replay(self, ids: Sequence[int] | None) -> list[Submission]:
        """Queue the documents of dead letters (default: all) again, in one job per topology they failed in.

        Raises UsageError, before anything is queued, for a number that does not wait for replay.
        """
        by_topology: dict[str, list[int]] = defaultdict(list)
        for letter in self._parts.ledger.dead_letters.waiting(self._tenant_id, ids or None):
            by_topology[letter.failure.ctx.pipeline_name].append(letter.id)
        return [
            self._parts.submissions.replay(
                letter_ids,
                self._parts.topologies.load(topology_name),
                tenant_id=self._tenant_id,
                window_size=self._parts.settings.window_size,
            )
            for topology_name, letter_ids in by_topology.items()
        ]
