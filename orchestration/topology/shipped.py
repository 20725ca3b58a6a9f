"""The topologies and policies that medkg ships: `topologies/` of a checkout, package data of a wheel.

A user's own folder (--topologies-dir) has the same layout: <name>.yaml, resilience.yaml and
versions/YYYY-MM-DD/<name>.yaml.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_folder"]


def shipped_folder() -> Path:
    """Folder of the shipped topologies."""
    here = Path(__file__).resolve()
    installed = here.parent / "topologies"
    return installed if installed.is_dir() else here.parents[2] / "topologies"
