"""Why a process that follows the ledger does not project a tenant: one small file beside the data.

Input: the errors of passes. Output: the error of a tenant, for `medkg status` and `medkg doctor`, which may
find the server answering while every write fails. The file of a process that ended counts for nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from orchestration.errors import MedkgError, rebuilt_error

__all__ = ["ProjectionProblems"]


class ProjectionProblems:
    """Errors by tenant, of the process that wrote the file last."""

    def __init__(self, path: Path, owner: str, is_alive: Callable[[str], bool]) -> None:
        """`owner`: identity of this process."""
        self._path = path
        self._owner = owner
        self._is_alive = is_alive

    def note(self, errors: Mapping[str, MedkgError]) -> None:
        """Replace the errors; a folder that cannot be written keeps the earlier ones."""
        value = {
            "owner": self._owner,
            "errors": {tenant: [type(error).__name__, error.message] for tenant, error in errors.items()},
        }
        partial = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(value), encoding="utf-8")
            partial.replace(self._path)

    def of(self, tenant_id: str) -> MedkgError | None:
        """The error for which a running process does not project the tenant; None if there is none."""
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if tenant_id not in value["errors"] or not self._is_alive(value["owner"]):
            return None
        return rebuilt_error(*value["errors"][tenant_id])
