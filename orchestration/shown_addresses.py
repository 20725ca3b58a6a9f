"""Addresses as messages, logs and dead letters may show them: without passwords and keys.

Comes in: an address that is requested, or a text with addresses. Leaves: the same with its secrets blotted
out.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["KEYS", "shown"]

KEYS: Final = (
    "api_?key",
    "key",
    "token",
    "access_token",
    "password",
    "signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
)
"""Query parameters that services take keys in, as patterns."""

USER: Final = re.compile(r"(?<=://)[^/?#\s]*@")
KEY: Final = re.compile(rf"(?i)(?<=[?&])({'|'.join(KEYS)})=[^&#\s]*")


def shown(text: str) -> str:
    """The text without users and passwords of its addresses, and with *** for the values of keys."""
    return KEY.sub(r"\1=***", USER.sub("", text))
