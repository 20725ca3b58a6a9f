"""The topologies and resilience policies that medkg ships, as package data.

`shipped_folder()` is where they lie; a user's own folder (--topologies-dir) has the same layout:
<name>.yaml, resilience.yaml and versions/YYYY-MM-DD/<name>.yaml.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_folder"]


def shipped_folder() -> Path:
    """Folder of the shipped topologies."""
    return Path(__file__).resolve().parent
