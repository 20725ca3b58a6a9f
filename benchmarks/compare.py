"""Two results side by side: every figure that both have, and its ratio.

Comes in: two result files. Leaves: rows (case, figure, before, now, ratio), largest change first. Figures
of two runs share no machine mood: only ratios within a run are evidence, and this is where to look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestration.errors import UsageError

__all__ = ["compared", "read_result"]

Row = tuple[str, str, float, float, float]


def read_result(path: Path) -> dict[str, Any]:
    """A result of `medkg bench`; raises UsageError naming the file and what is wrong with it."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"result {path} cannot be read: {error}. Give a file that `medkg bench` wrote."
        ) from error
    if not isinstance(result, dict) or not isinstance(result.get("cases"), dict):
        raise UsageError(f"result {path} has no cases. Give a file that `medkg bench` wrote.")
    return result


def compared(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """Figures of both results, those that changed most first."""
    rows = [
        (case, figure, old, new, new / old)
        for case in now["cases"]
        if case in before["cases"]
        for figure, new in _figures(now["cases"][case])
        for other, old in _figures(before["cases"][case])
        if figure == other and old
    ]
    return sorted(rows, key=lambda row: -abs(row[4] - 1))


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number with its path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _figures(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)
