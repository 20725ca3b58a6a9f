"""Fields of documents' `meta`: types, ranges and values, as Haystack's stores report them.

Comes in: documents. Leaves: plain values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from haystack import Document

__all__ = ["field_ranges", "field_types", "unique_counts", "unique_values"]

TYPES: Final = {bool: "boolean", int: "long", float: "double", str: "keyword", list: "list", dict: "object"}
"""Names of types in Haystack's OpenSearch store."""

MIXED: Final = "mixed"


def field_types(documents: Iterable[Document]) -> dict[str, dict[str, str]]:
    """Type of each field; `mixed` where documents differ. Fields that are None everywhere are left out."""
    kinds: dict[str, str] = {}
    for document in documents:
        for name, value in document.meta.items():
            if value is not None:
                kind = TYPES[type(value)]
                kinds[name] = kind if kinds.get(name, kind) == kind else MIXED
    return {name: {"type": kind} for name, kind in kinds.items()}


def field_ranges(documents: Iterable[Document], field: str) -> dict[str, Any]:
    """Minimum and maximum of a field: of its numbers if it has any, else of its texts."""
    values = [value for value in _values(documents, field) if not isinstance(value, bool | list | dict)]
    numbers = [value for value in values if not isinstance(value, str)]
    compared = numbers or values
    return {"min": min(compared, default=None), "max": max(compared, default=None)}


def unique_counts(documents: Iterable[Document], fields: Sequence[str]) -> dict[str, int]:
    """Number of distinct values of each field."""
    read = list(documents)
    return {_bare(field): len(_unique(read, field)) for field in fields}


def unique_values(
    documents: Iterable[Document], field: str, search_term: str | None, start: int, size: int
) -> tuple[list[Any], int]:
    """A page of a field's distinct values, sorted as texts, and their total number.

    With `search_term` only those that contain it, in any case. 1, 1.0, "1" and True are four values.
    """
    values = _unique(documents, field)
    if search_term:
        wanted = search_term.casefold()
        values = [value for value in values if wanted in str(value).casefold()]
    values.sort(key=lambda value: (str(value), type(value).__name__))
    return values[start : start + size], len(values)


def _unique(documents: Iterable[Document], field: str) -> list[Any]:
    different: dict[tuple[str, str], Any] = {}
    for value in _values(documents, field):
        different.setdefault((type(value).__name__, json.dumps(value, sort_keys=True)), value)
    return list(different.values())


def _values(documents: Iterable[Document], field: str) -> Iterator[Any]:
    """Values of a field, items of lists one by one; `field` with or without `meta.`, dots separate levels."""
    for document in documents:
        value: Any = document.meta
        for part in _bare(field).split("."):
            value = value.get(part) if isinstance(value, dict) else None
        yield from value if isinstance(value, list) else [] if value is None else [value]


def _bare(field: str) -> str:
    return field.removeprefix("meta.")
