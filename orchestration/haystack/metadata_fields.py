"""What documents have in their `meta`: fields, types, ranges and values, as Haystack's stores tell them.

Comes in: documents. Leaves: plain values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from haystack import Document

__all__ = ["field_ranges", "field_types", "unique_counts", "unique_values"]

TYPES: Final = {bool: "boolean", int: "long", float: "double", str: "keyword", list: "list", dict: "object"}
"""Names that Haystack's OpenSearch store has for these types."""

MIXED: Final = "mixed"


def field_types(documents: Iterable[Document]) -> dict[str, dict[str, str]]:
    """Type of each field; `mixed` where documents differ. Fields that are None everywhere are left out."""
    found: dict[str, str] = {}
    for document in documents:
        for name, value in document.meta.items():
            if value is not None:
                kind = TYPES[type(value)]
                found[name] = kind if found.get(name, kind) == kind else MIXED
    return {name: {"type": kind} for name, kind in found.items()}


def field_ranges(documents: Iterable[Document], field: str) -> dict[str, Any]:
    """Least and greatest value of a field: of its numbers if it has any, else of its texts."""
    values = [value for value in _values(documents, field) if not isinstance(value, bool | list | dict)]
    numbers = [value for value in values if not isinstance(value, str)]
    compared = numbers or values
    return {"min": min(compared, default=None), "max": max(compared, default=None)}


def unique_counts(documents: Iterable[Document], fields: Sequence[str]) -> dict[str, int]:
    """How many different values each field has."""
    read = list(documents)
    return {_bare(field): len(_unique(read, field)) for field in fields}


def unique_values(
    documents: Iterable[Document], field: str, search_term: str | None, start: int, size: int
) -> tuple[list[Any], int]:
    """A page of a field's different values, sorted as texts, and how many there are in all.

    With `search_term` those that hold it, whatever the case. 1, 1.0, "1" and True are four values.
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
    """Values of a field, those of lists one by one; `field` with or without `meta.`, dots lead inwards."""
    for document in documents:
        value: Any = document.meta
        for part in _bare(field).split("."):
            value = value.get(part) if isinstance(value, dict) else None
        yield from value if isinstance(value, list) else [] if value is None else [value]


def _bare(field: str) -> str:
    return field.removeprefix("meta.")
