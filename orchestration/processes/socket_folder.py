"""A private folder for Unix sockets, whose paths must be short however long the temporary folder's is.

Input: a name and how much of the path the sockets will take. Output: a new folder of mode 0700.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["socket_folder"]

MAX_SOCKET_PATH: Final = 107
"""Bytes of a Unix socket's path (unix(7): sun_path is 108 with its end mark)."""

RANDOM_PART: Final = "12345678"
"""What mkdtemp puts behind a prefix."""


def socket_folder(prefix: str, below: str) -> Path:
    """A new folder; in /tmp if `below`, the longest path in it, would not fit the temporary folder."""
    base = tempfile.gettempdir()
    longest = os.fsencode(f"{base}/{prefix}{RANDOM_PART}/{below}")
    return Path(tempfile.mkdtemp(prefix=prefix, dir=base if len(longest) <= MAX_SOCKET_PATH else "/tmp"))
