"""Budgets: how long a search waits, in all and for each leg.

Comes in: seconds. Leaves: the moments at which legs are given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestration.errors import UsageError

__all__ = ["LEG_SECONDS", "TOTAL_SECONDS", "Budgets"]

LEG_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 8.0
"""Longer than a leg's, since a search by document may ask its legs more than once."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Seconds of a search: a leg is waited for no longer than its own, nor than what is left of the total.

    Fusing and reading the found text come after the last leg, in time that no budget limits: they take
    milliseconds. Raises UsageError unless all are above 0.
    """

    total_seconds: float = TOTAL_SECONDS
    leg_seconds: Mapping[str, float] = field(default_factory=dict)
    """Of the legs that differ from `other_legs_seconds`."""
    other_legs_seconds: float = LEG_SECONDS

    def __post_init__(self) -> None:
        given = {"total": self.total_seconds, **self.leg_seconds, "other legs": self.other_legs_seconds}
        wrong = [f"{name} {seconds:g}" for name, seconds in given.items() if not seconds > 0]
        if wrong:
            raise UsageError(f"time budgets are seconds above 0, not {', '.join(wrong)}.")

    def of_leg(self, name: str) -> float:
        """Seconds that a leg may take each time it is asked."""
        return self.leg_seconds.get(name, self.other_legs_seconds)
