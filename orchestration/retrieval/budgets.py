"""Time budgets of a search, in total and per leg.

Comes in: seconds. Leaves: how long each leg may take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestration.errors import UsageError

__all__ = ["LEG_SECONDS", "TOTAL_SECONDS", "Budgets"]

LEG_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 8.0
"""Longer than a leg's, since a search by document may query its legs more than once."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Seconds of a search: each leg has its own budget, within what remains of the total.

    No budget limits fusion and the reading of hits, which follow the last leg and take milliseconds. Raises
    UsageError unless all are above 0.
    """

    total_seconds: float = TOTAL_SECONDS
    leg_seconds: Mapping[str, float] = field(default_factory=dict)
    """By leg, where it differs from `other_legs_seconds`."""
    other_legs_seconds: float = LEG_SECONDS

    def __post_init__(self) -> None:
        budgets = {"total": self.total_seconds, **self.leg_seconds, "other legs": self.other_legs_seconds}
        invalid = [f"{name} {seconds:g}" for name, seconds in budgets.items() if not seconds > 0]
        if invalid:
            raise UsageError(f"time budgets are seconds above 0, not {', '.join(invalid)}.")

    def of_leg(self, name: str) -> float:
        """Seconds that a leg may take each time it is queried."""
        return self.leg_seconds.get(name, self.other_legs_seconds)
