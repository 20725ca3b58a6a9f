"""Whether tests run in their exhaustive form (`make test-exhaustive`): every case instead of some of each.

Each exhaustive test has a smaller form of the same shape that `make test` runs; docs/testing.md lists both.
"""

from __future__ import annotations

import os
from typing import Final, TypeVar

__all__ = ["EXHAUSTIVE", "fewer"]

EXHAUSTIVE: Final = os.environ.get("MEDKG_TEST_EXHAUSTIVE", "") == "1"

T = TypeVar("T")


def fewer(few: T, exhaustive: T) -> T:
    """What `make test` takes, or what `make test-exhaustive` takes."""
    return exhaustive if EXHAUSTIVE else few
