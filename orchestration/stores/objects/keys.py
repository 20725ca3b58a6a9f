"""Which keys objects may have: such as are file names in any folder and need no escaping on any server."""

from __future__ import annotations

import re
from typing import Final

from orchestration.errors import RequestRejectedError

__all__ = ["check_key"]

PART: Final = re.compile(r"[A-Za-z0-9_.~@%=+, -]{1,200}")
LONGEST: Final = 900
"""S3 takes 1,024 bytes with the store's own prefix."""


def check_key(key: str) -> str:
    """The key (or prefix) itself; raises RequestRejectedError for one that is none."""
    parts = key.split("/")
    if len(key) > LONGEST or not all(PART.fullmatch(part) and part.strip(".") for part in parts):
        raise RequestRejectedError(
            f"{key[:200]!r} is no key of an object: keys are parts of up to 200 letters, digits and "
            "'_.~@%=+, -', joined by '/'. This is a defect of its writer; please report it."
        )
    return key
