"""The mark of a data folder that a restore has started to fill: until it is gone nothing else may use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError

__all__ = ["MARK", "check_restored"]

MARK: Final = "restore.unfinished"


def check_restored(data_dir: Path) -> None:
    """Raise ConfigurationError if a restore into the folder was interrupted."""
    path = data_dir / MARK
    if path.exists():
        backup = json.loads(path.read_text(encoding="utf-8"))["backup"]
        raise ConfigurationError(
            f"{data_dir} is incomplete: a restore from {backup} was interrupted, or still runs. Run "
            f"`medkg restore {backup}` again with this --data-dir; it starts again."
        )
