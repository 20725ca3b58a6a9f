"""Aliases from files of mappings: SSSOM tables, of which exact matches count.

Input: a TSV or CSV file with a header of `#` lines, as biomappings and ontologies publish them, also .gz.
Output: aliases, and how many rows were left out for which reason.
Source: https://mapping-commons.github.io/sssom/spec-formats-tsv/ (read 2026-11-30).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orchestration.contracts import Alias
from orchestration.errors import UsageError
from orchestration.vocabularies.curies import KNOWN_PREFIXES, curie_of, prefix_of

__all__ = ["EXACT", "Mappings", "key_of_curie", "read_mappings"]

EXACT: Final = "skos:exactMatch"
SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
COLUMNS: Final = ("subject_id", "predicate_id", "object_id")
NEGATED: Final = "not"
HASH_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Mappings:
    """What a file of mappings states."""

    origin: str
    """Name of the file."""
    version: str
    """mapping_set_version of its header, else a hash of its bytes."""
    aliases: tuple[Alias, ...]
    left_out: Mapping[str, int]
    """Rows by the reason for which they are no alias."""


def read_mappings(path: Path) -> Mappings:
    """Read a file. Raises UsageError for one that is no table of mappings, naming file, line and cause."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_CHARACTERS]
        with _opened(path) as file:
            return _read(path, file, digest)
    except (OSError, EOFError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}); convert it, then import it.") from error


def key_of_curie(text: str, curie_map: Mapping[str, str] | None = None) -> str | None:
    """The key of a concept for a CURIE or IRI, in the spelling of vocabularies; None for anything else.

    `curie_map`: namespaces by prefix, for prefixes that only the file knows.
    """
    curie = curie_of(text)
    if curie is None or prefix_of(curie) in KNOWN_PREFIXES or not curie_map:
        return curie
    prefix, _, local = text.strip().partition(":")
    expanded = curie_of(curie_map[prefix] + local) if prefix in curie_map else None
    return expanded if expanded and prefix_of(expanded) in KNOWN_PREFIXES else curie


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read(path: Path, file: TextIO, digest: str) -> Mappings:
    header, columns, delimiter, first_row = _header(path, file)
    curie_map = {str(key): str(value) for key, value in dict(header.get("curie_map") or {}).items()}
    version = str(header.get("mapping_set_version") or digest)
    reader = csv.DictReader(file, columns, delimiter=delimiter)
    aliases: dict[str, Alias] = {}
    left_out: Counter[str] = Counter()
    for row in _rows(path, reader, first_row):
        reason, pair = _pair(row, curie_map)
        if pair is None:
            left_out[reason] += 1
            continue
        alias = Alias.of(*pair, EXACT, path.name, version=version, reason=row.get("comment") or "")
        if alias.alias_id in aliases:
            left_out["repeated"] += 1
        aliases.setdefault(alias.alias_id, alias)
    return Mappings(path.name, version, tuple(aliases.values()), dict(sorted(left_out.items())))


def _header(path: Path, file: TextIO) -> tuple[Mapping[str, Any], list[str], str, int]:
    """The YAML of the lines that begin with #, the columns, what separates them, and the next line."""
    lines: list[str] = []
    line = ""
    for line in file:
        if not line.startswith("#"):
            break
        lines.append(line[1:])
    number = len(lines) + 1
    delimiter = "\t" if "\t" in line else ","
    columns = [each.strip().strip('"') for each in line.rstrip("\r\n").split(delimiter)]
    if missing := [name for name in COLUMNS if name not in columns]:
        raise UsageError(
            f"{path}, line {number}: there is no column {missing[0]!r}. A table of mappings (SSSOM) has the "
            f"columns {', '.join(COLUMNS)}."
        )
    try:
        header = YAML(typ="safe", pure=True).load(textwrap.dedent("".join(lines))) if lines else {}
    except YAMLError as error:
        raise UsageError(f"{path}: its header of # lines is not YAML: {error}.") from error
    return (header if isinstance(header, Mapping) else {}), columns, delimiter, number + 1


def _rows(path: Path, reader: csv.DictReader[str], first: int) -> Iterator[Mapping[str, str]]:
    try:
        for row in reader:
            yield {name: value or "" for name, value in row.items() if isinstance(name, str)}
    except csv.Error as error:
        raise UsageError(f"{path}, line {first + reader.line_num}: {error}.") from error


def _pair(row: Mapping[str, str], curie_map: Mapping[str, str]) -> tuple[str, tuple[str, str] | None]:
    """The keys that the row makes one concept; else why it does not."""
    predicate = row["predicate_id"].strip()
    if predicate.replace(SKOS, "skos:") != EXACT:
        return predicate or "without predicate", None
    if row.get("predicate_modifier", "").strip().lower() == NEGATED:
        return "not an exact match", None
    subject, object_ = (key_of_curie(row[name], curie_map) for name in ("subject_id", "object_id"))
    if subject is None or object_ is None:
        return "without an id", None
    if subject == object_:
        return "the same key twice", None
    return "", (subject, object_)
