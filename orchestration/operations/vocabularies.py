"""The vocabularies of a data folder: added from files, listed, checked, removed.

Comes in: the folder of vocabularies, files and options as a user states them. Leaves: JSON values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.parts import Parts

if TYPE_CHECKING:
    from orchestration.vocabularies.folder import VocabularyFolder

__all__ = ["Vocabularies"]


class Vocabularies:
    """Vocabularies of all tenants of a data folder."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add(
        self,
        file: Path,
        *,
        name: str | None,
        format_name: str,
        version: str | None,
        licence: str | None,
        prefix: str | None,
        kinds: Sequence[str],
        columns: Sequence[str],
        languages: Sequence[str],
        sources: Sequence[str],
    ) -> dict[str, Any]:
        """Read a file as the vocabulary of this name, which it replaces. Durable when it returns.

        `columns`: WHAT=COLUMN. Raises what `VocabularyFolder.add` raises, and UsageError for a kind that the
        graph schema lacks.
        """
        from orchestration.vocabularies.formats.reading import FileOptions

        known = self._parts.graph_schema.kinds
        if unknown := [kind for kind in kinds if kind not in known]:
            raise UsageError(f"no kind is called {unknown[0]!r}; kinds of graph.yaml: {', '.join(known)}.")
        options = FileOptions(
            prefix=prefix,
            columns=dict(_column(each) for each in columns),
            kinds=tuple(kinds),
            languages=tuple(each.lower() for each in languages),
            sources=tuple(sources),
            known_kinds=tuple(known),
        )
        about = self._folder.add(
            file, name=name, format_name=format_name, version=version, licence=licence, options=options
        )
        return about.model_dump()

    def listed(self) -> list[dict[str, Any]]:
        """Every vocabulary with what it holds; one that cannot be read has `error` alone beside its name."""
        rows: list[dict[str, Any]] = []
        for name in self._folder.names():
            try:
                index = self._folder.open(name)
            except StoreCorruptError as error:
                rows.append({"name": name, "error": error.message})
                continue
            rows.append({**index.about.model_dump(), "error": None})
            index.close()
        return rows

    def check(self, name: str | None) -> list[dict[str, Any]]:
        """Read one vocabulary, or all: each with its `damage` or None, and what is doubtful in it."""
        rows: list[dict[str, Any]] = []
        for each in [name] if name else self._folder.names():
            try:
                index = self._folder.open(each)
                findings = [finding._asdict() for finding in index.check()]
                index.close()
            except StoreCorruptError as error:
                rows.append({"name": each, "damage": error.message, "findings": []})
                continue
            rows.append({"name": each, "damage": None, "findings": findings})
        return rows

    def remove(self, name: str) -> None:
        """Remove a vocabulary; raises UsageError for one that is not there."""
        self._folder.remove(name)

    @property
    def _folder(self) -> VocabularyFolder:
        return self._parts.vocabularies


def _column(stated: str) -> tuple[str, str]:
    from orchestration.vocabularies.formats.tables import COLUMNS

    what, _, column = stated.partition("=")
    if what not in COLUMNS or not column:
        raise UsageError(
            f"--column {stated} is not WHAT=COLUMN; WHAT is one of {', '.join(COLUMNS)}, e.g. --column id=ui."
        )
    return what, column
