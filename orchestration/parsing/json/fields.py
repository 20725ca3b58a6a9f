"""The fields of a JSON record by their type.

Comes in: a record of a data model that medkg does not control. Leaves: the value under a key, empty where
there is none; TypeError where it is of another type, which the parser turns into the error of that record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["list_at", "module_at", "text_at", "without"]


def module_at(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, {} if there is none; TypeError if it is something else."""
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"`{key}` is a {type(value).__name__}, not an object")
    return value


def list_at(record: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The list of objects under `key`, [] if there is none; TypeError if it is something else."""
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise TypeError(f"`{key}` is not a list of objects")
    return value


def text_at(record: Mapping[str, Any], key: str) -> str:
    """The text or number under `key` as text, '' if there is none; TypeError if it is something else."""
    value = record.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"`{key}` is a {type(value).__name__}, not a text")
    return str(value)


def without(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The fields of the record but for those of `keys`."""
    return {key: value for key, value in record.items() if key not in keys}
