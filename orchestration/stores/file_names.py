"""File names for tenants and models: one name, one file, whatever characters the name has.

Two names never share a file, and no name leaves its folder: stores hold tenants and models apart by it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from orchestration.errors import ConfigurationError

__all__ = ["file_name", "name_of"]

LONGEST: Final = 150


@lru_cache(maxsize=1024)
def file_name(name: str) -> str:
    """The file name of a tenant or model id; plain names stay as they are. Raises ConfigurationError."""
    if not name:
        raise ConfigurationError("a store was asked without a tenant or model; name one.")
    quoted = quote(name, safe="@ ")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if len(quoted) <= LONGEST:
        return quoted
    return f"{quoted[:80]}%{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def name_of(file: str) -> str | None:
    """The tenant or model that has this file name; None for one that was shortened."""
    name = unquote(file)
    return name if name and file_name(name) == file else None
