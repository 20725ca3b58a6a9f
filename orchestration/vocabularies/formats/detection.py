"""Which format a file has, and its reader.

Comes in: a file, and the format that a user names or `auto`. Leaves: a ReadVocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from orchestration.errors import UsageError
from orchestration.vocabularies.formats.reading import FileOptions, ReadVocabulary, fault, open_bytes
from orchestration.vocabularies.formats.tables import read_table

__all__ = ["FORMATS", "detected_format", "read_vocabulary"]

_HEAD: Final = 8192
"""Bytes that are looked at."""

FORMATS: Final[Mapping[str, Callable[[Path, FileOptions], ReadVocabulary]]] = {
    "tsv": partial(read_table, delimiter="\t"),
    "csv": partial(read_table, delimiter=","),
}


def read_vocabulary(path: Path, format_name: str, options: FileOptions) -> ReadVocabulary:
    """Concepts of a file; raises UsageError, InputUnreadableError and VocabularyUnreadableError."""
    if format_name != "auto" and format_name not in FORMATS:
        raise UsageError(f"no format is called {format_name!r}; formats: auto, {', '.join(FORMATS)}.")
    chosen = detected_format(path) if format_name == "auto" else format_name
    return FORMATS[chosen](path, options)


def detected_format(path: Path) -> str:
    """The format of a file by its content; raises VocabularyUnreadableError for one that has none of them."""
    with open_bytes(path) as content:
        head = content.read(_HEAD).decode("utf-8", "replace").lstrip("\ufeff")
    first = head.split("\n", 1)[0]
    if "\t" in first:
        return "tsv"
    if "," in first:
        return "csv"
    raise fault(path, None, f"has none of the formats {', '.join(FORMATS)}. Name it with --format.")
