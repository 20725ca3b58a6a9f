"""Which stores a data folder's index is in, kept beside it: in others its documents would seem to be gone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from orchestration.disk_space import unwritable_disk
from orchestration.errors import ConfigurationError, StoreUnwritableError
from orchestration.stores.folder_copies import FolderRecord, current_record

__all__ = ["FILE", "check_stores"]

FILE: Final = "stores.json"
FOLDER: Final = "folder"
"""Beside the stores: which folder this is (folder_copies.py)."""
NONE: Final[Mapping[str, str]] = {}


def check_stores(data_dir: Path, chosen: Mapping[str, str], shared: Mapping[str, str] = NONE) -> None:
    """Note the stores (setting to value) of a folder that has none yet.

    `shared`: those outside of the folder. Raises ConfigurationError when the folder was started with others,
    or is a copy that shares stores with its original, StoreUnwritableError when it cannot be written.
    """
    path = data_dir / FILE
    try:
        recorded = _read(path)
        stores, folder = _parts({**chosen} if recorded is None else recorded)
        current = current_record(data_dir, folder, _record_of, shared)
        if recorded is None:
            _write(path, {**stores, FOLDER: dict(current)})
        elif current != folder:
            with suppress(OSError):  # a read-only snapshot keeps its record
                _write(path, {**stores, FOLDER: dict(current)})
    except OSError as error:
        raise unwritable_disk(error, path) or StoreUnwritableError(
            f"{path} cannot be used: {error.strerror}. Set its permissions, or choose another --data-dir."
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is damaged ({error}). It names the stores of this folder's index, e.g. "
            f"{json.dumps(dict(chosen))}; write it again."
        ) from error
    if stores != dict(chosen):
        settings = ", ".join(f"{name}={value}" for name, value in stores.items())
        raise ConfigurationError(
            f"the index of {data_dir} was created with {settings}. Set these, or choose another --data-dir "
            "and ingest there."
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _parts(value: Mapping[str, Any]) -> tuple[dict[str, str], FolderRecord | None]:
    """The stores, and the record of the folder; None before it had one."""
    return {name: text for name, text in value.items() if name != FOLDER}, value.get(FOLDER)


def _record_of(data_dir: Path) -> FolderRecord | None:
    try:
        value = _read(data_dir / FILE)
    except (OSError, ValueError):  # no data folder, or none that can be read
        return None
    return _parts(value)[1] if value is not None else None


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)
