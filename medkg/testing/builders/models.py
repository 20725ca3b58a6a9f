"""Variants of models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def a_shallower_model(folder: Path, to: Path) -> Path:
    """A copy of a model that leaves its last layer out, so that it gives other vectors."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    (to / "config.json").write_text(json.dumps(config))
    return to
