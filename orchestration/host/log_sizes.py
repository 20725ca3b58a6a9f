"""Logs of a bounded size: one that is full starts again, and its previous part is kept.

Input: the folder of logs, whose processes append to them. Output: at most two parts per log. A log is
copied and emptied rather than renamed, since its processes keep it open.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

__all__ = ["PREVIOUS", "limit_logs"]

PREVIOUS: Final = ".1"
"""Suffix of the previous part."""


def limit_logs(folder: Path, most_bytes: int) -> int:
    """Start logs of more bytes again; returns their number. Lines written during the copy may be lost."""
    full = [path for path in sorted(folder.glob("*.log")) if path.stat().st_size > most_bytes]
    for path in full:
        part = path.with_name(f"{path.name}{PREVIOUS}.part")
        shutil.copyfile(path, part)
        part.replace(path.with_name(path.name + PREVIOUS))
        os.truncate(path, 0)
    return len(full)
