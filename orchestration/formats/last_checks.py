"""Notes when a backup or a verification of the data folder ended last, for status, metrics and alerts.

Comes in: the end of an operation. Leaves: a file `cache/last-CHECK.json`, also for metrics.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from pydantic import Field, ValidationError

from orchestration.records import Record

__all__ = ["Check", "LastCheck", "last_check", "last_check_path", "note_check"]

Check: TypeAlias = Literal["backup", "verify"]


class LastCheck(Record):
    """The last outcome of a check."""

    succeeded_at: float | None = Field(
        description="When it last succeeded, seconds since the epoch; a verification: without differences."
    )
    differences: int = Field(default=0, ge=0, description="Differences that the last verification left.")
    place: str = Field(default="", description="Folder of the last backup.")


def last_check_path(data_dir: Path, check: Check) -> Path:
    """The file of a check."""
    return data_dir / "cache" / f"last-{check}.json"


def last_check(data_dir: Path, check: Check) -> LastCheck | None:
    """The last outcome; None if there is none, or its file cannot be read."""
    try:
        return LastCheck.model_validate_json(last_check_path(data_dir, check).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def note_check(
    data_dir: Path, check: Check, differences: int = 0, *, place: str = "", at: float | None = None
) -> None:
    """Record that a check ended now, or at a moment; one that left differences has not succeeded. Atomic.

    What cannot be written is logged: the check itself has its result.
    """
    before = last_check(data_dir, check)
    moment = time.time() if at is None else at
    succeeded_at = moment if not differences else (before.succeeded_at if before is not None else None)
    outcome = LastCheck(succeeded_at=succeeded_at, differences=differences, place=place)
    path = last_check_path(data_dir, check)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".new")
        partial.write_text(outcome.model_dump_json(), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        structlog.get_logger(__name__).warning("check not noted", check=check, reason=error.strerror)
