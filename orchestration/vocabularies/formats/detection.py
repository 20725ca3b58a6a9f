"""Which format a file has, and its reader.

Comes in: a file, and the format that a user names or `auto`. Leaves: a ReadVocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from orchestration.errors import UsageError
from orchestration.vocabularies.formats.mesh import read_mesh_ascii, read_mesh_xml
from orchestration.vocabularies.formats.ontologies import read_obo, read_owl
from orchestration.vocabularies.formats.reading import FileOptions, ReadVocabulary, fault, open_bytes
from orchestration.vocabularies.formats.skos import read_skos
from orchestration.vocabularies.formats.tables import read_table
from orchestration.vocabularies.formats.umls import read_rrf

__all__ = ["FORMATS", "detected_format", "read_vocabulary"]

_HEAD: Final = 8192
"""Bytes that are looked at."""

_SIGNS: Final[Mapping[str, str]] = {
    "mesh-ascii": r"\A\s*\*NEWRECORD\s*$",
    "mesh-xml": r"<(DescriptorRecordSet|SupplementalRecordSet)\b",
    "owl": r"<(rdf:RDF|RDF)\b(?s:.*?)(<owl:(Ontology|Class)\b|xml:base=\S*\.owl\b)",
    "skos-xml": r"<rdf:RDF\b(?s:.*?)http://www\.w3\.org/2004/02/skos/core#",
    "skos": r"^\s*(@prefix|PREFIX|@base)\s(?s:.*?)http://www\.w3\.org/2004/02/skos/core#",
    "obo": r"\A\s*(format-version:|\[Term\]|ontology:)",
    "rrf": r"\A[^|\t\n]+(\|[^|\t\n]*){16,18}\|\s*$",
    "tsv": r"\A[^\n<]*\t",
    "csv": r"\A[^\n<|%{\[]*,",
}
"""What the start of a file of each format has, in the order in which it is looked for."""

FORMATS: Final[Mapping[str, Callable[[Path, FileOptions], ReadVocabulary]]] = {
    "tsv": partial(read_table, delimiter="\t"),
    "csv": partial(read_table, delimiter=","),
    "obo": read_obo,
    "owl": read_owl,
    "skos": partial(read_skos, syntax="turtle"),
    "skos-xml": partial(read_skos, syntax="xml"),
    "rrf": read_rrf,
    "mesh-xml": read_mesh_xml,
    "mesh-ascii": read_mesh_ascii,
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
    chosen = next((name for name, signs in _SIGNS.items() if re.search(signs, head, re.MULTILINE)), None)
    if chosen is None:
        raise fault(path, None, f"has none of the formats {', '.join(FORMATS)}. Name it with --format.")
    return chosen
