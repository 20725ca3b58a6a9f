"""Notes when a backup or a verification of the data folder ended last, for metrics and alerts.

Comes in: the end of an operation. Leaves: a file `cache/last-CHECK.json`, which metrics/readings.py reads.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

__all__ = ["note_check"]


def note_check(data_dir: Path, check: str, differences: int = 0) -> None:
    """Record that `check` (backup, verify) ended now; one that left differences has not succeeded."""
    path = data_dir / "cache" / f"last-{check}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"succeeded_at": None}
    succeeded_at = before["succeeded_at"] if differences else time.time()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(
        json.dumps({"succeeded_at": succeeded_at, "differences": differences}), encoding="utf-8"
    )
    temporary.replace(path)
