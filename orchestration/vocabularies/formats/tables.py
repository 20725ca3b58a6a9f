"""Tables: TSV and CSV with named columns, a row per concept or per name.

Comes in: a file whose first row names its columns. Leaves: concepts. `id` and `name` are needed; further ones
are `synonyms`, `scope`, `language`, `kinds`, `xrefs`, `parents` and `documents`; several values of a cell are
separated by |. Rows of the same id add up, and the first name of an id is its preferred one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from orchestration.vocabularies.concepts import Scope
from orchestration.vocabularies.formats.reading import (
    Concepts,
    FileOptions,
    ReadVocabulary,
    fault,
    text_lines,
)

__all__ = ["COLUMNS", "read_table"]

COLUMNS: Final = (
    *("id", "name", "synonyms", "scope", "language", "kinds", "xrefs", "parents", "documents", "preferred"),
)
_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


def read_table(path: Path, options: FileOptions, *, delimiter: str) -> ReadVocabulary:
    """Concepts of a table; raises VocabularyUnreadableError with file and line."""
    rows = _rows(path, delimiter)
    header = next(rows, None)
    if header is None:
        raise fault(path, None, "is empty.")
    columns = _columns(path, header[1], options)
    concepts = Concepts(path, options)
    named: set[str] = set()
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header[1]):
            raise fault(
                path, line, f"has {len(row)} cells where the first row names {len(header[1])} columns."
            )
        cells = {what: row[place].strip() for what, place in columns.items()}
        _check_kinds(path, line, cells, options.known_kinds)
        _add_row(path, concepts, cells, line, named)
    return ReadVocabulary("csv" if delimiter == "," else "tsv", concepts.gathered())


def _add_row(path: Path, concepts: Concepts, cells: dict[str, str], line: int, named: set[str]) -> None:
    if not cells["id"] or not cells["name"]:
        raise fault(path, line, "has no id or no name.")
    curie = concepts.curie(cells["id"], line)
    scope = cells.get("scope") or "exact"
    if scope not in _SCOPES:
        raise fault(path, line, f"scope {scope!r} is none of {', '.join(_SCOPES)}.")
    documents = cells.get("documents") or "0"
    if not documents.isdecimal():
        raise fault(path, line, f"documents {documents!r} is no number.")
    first = curie not in named and scope == "exact"
    named.add(curie)
    language = cells.get("language") or "en"
    if cells.get("preferred"):
        concepts.add_name(curie, cells["preferred"], line, scope="preferred", language=language)
        first = False
    concepts.add_name(
        curie,
        cells["name"],
        line,
        scope="preferred" if first else scope,
        language=language,
        documents=int(documents),
    )
    for synonym in _values(cells, "synonyms"):
        concepts.add_name(curie, synonym, line, language=language)
    concepts.add_kinds(curie, *_values(cells, "kinds"))
    for reference in _values(cells, "xrefs"):
        concepts.add_reference(curie, reference)
    for parent in _values(cells, "parents"):
        concepts.add_parent(curie, concepts.curie(parent, line))


def _check_kinds(path: Path, line: int, cells: dict[str, str], known: Sequence[str]) -> None:
    unknown = next((kind for kind in _values(cells, "kinds") if known and kind not in known), None)
    if unknown is not None:
        raise fault(path, line, f"the kind {unknown!r} is none of graph.yaml, which has {', '.join(known)}.")


def _values(cells: dict[str, str], what: str) -> list[str]:
    return [value.strip() for value in cells.get(what, "").split("|") if value.strip()]


def _columns(path: Path, header: Sequence[str], options: FileOptions) -> dict[str, int]:
    """Place of each column in a row, by what is in it."""
    places = {name.strip().lstrip("#").strip().lower(): place for place, name in enumerate(header)}
    wanted = {what: options.columns.get(what, what).lower() for what in COLUMNS}
    for what, name in wanted.items():
        if name not in places and (what in ("id", "name") or what in options.columns):
            raise fault(
                path,
                1,
                f"no column is called {name!r}; columns: {', '.join(header)[:300]}. Say which one holds "
                f"{what}, e.g. --column {what}={header[0].strip() or 'COLUMN'}.",
            )
    return {what: places[name] for what, name in wanted.items() if name in places}


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their last line."""
    lines = text_lines(path)
    reader = csv.reader(
        (text + "\n" for _, text in lines),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise fault(path, reader.line_num, f"is no row of the table: {error}.") from error
