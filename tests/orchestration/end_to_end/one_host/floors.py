"""The floors of retrieval quality on the demo's questions (demo/floors.json), and what lies below them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["fallen", "read_floors"]

Figures = Mapping[str, Mapping[str, float]]
"""By leg, then by measure."""


def read_floors(path: Path) -> dict[str, Any]:
    """What was measured, when, and how far below it a figure may lie."""
    floors: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return floors


def fallen(figures: Figures, floors: Mapping[str, Any]) -> list[str]:
    """A sentence for each leg and measure below its floor, and for each leg that was not measured."""
    margin, problems = floors["margin"], []
    for leg, measured in floors["measured"].items():
        if leg not in figures:
            problems.append(f"{leg} was not measured at all.")
            continue
        for measure, then in measured.items():
            now = figures[leg][measure]
            if now < then - margin:
                problems.append(
                    f"{leg}: {measure} fell by {then - now:.4f}, from {then:.4f} ({floors['measured_on']}) "
                    f"to {now:.4f}; {margin:g} is allowed. If that is meant, see demo/floors.json.",
                )
    return problems
