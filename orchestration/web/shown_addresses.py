"""Addresses as messages, logs and dead letters may show them: without passwords and keys.

Comes in: an address that is requested. Leaves: the same with its secrets blotted out.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["shown"]

USER: Final = re.compile(r"(?<=://)[^/?#\s]*@")
KEY: Final = re.compile(
    r"(?i)(?<=[?&])(api_?key|apikey|key|token|access_token|password|signature|x-amz-signature|x-amz-credential"
    r"|x-amz-security-token)=[^&#]*"
)
"""Query parameters that services take keys in."""


def shown(url: str) -> str:
    """The address without user and password, and with *** for the values of keys."""
    return KEY.sub(r"\1=***", USER.sub("", url))
