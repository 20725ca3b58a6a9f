"""Datasets of the lineage: what a job reads, what its stages pass on, what becomes visible in the end.

Comes in: requests of jobs, kinds of stage outputs, the places of a data folder. Leaves: names by
OpenLineage's naming rules (a file: namespace `file` and its path; a table: its database) and their columns.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts.facts import JobOpened
from orchestration.lineage.runs import DatasetName

__all__ = ["COLUMNS", "Column", "Places", "dataset_columns", "inputs_of"]

MOST_PATHS: Final = 50
"""Paths of a job that are separate datasets; of more, the folder that they have in common is."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a data folder keeps what its runs write, by tenant."""

    artifacts: DatasetName
    """Folder of the outputs of stages."""
    search_index: Callable[[str], DatasetName]
    vectors: Callable[[str], DatasetName]
    mentions: DatasetName
    claims: DatasetName

    def between(self, tenant: str, pipeline: str, kind: str) -> DatasetName:
        """The outputs of one kind that stages of a pipeline pass on."""
        namespace, name = self.artifacts
        return DatasetName(namespace, f"{name}/{tenant}/{pipeline}/{kind}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset."""

    name: str
    type: str
    description: str


def inputs_of(body: JobOpened) -> list[DatasetName]:
    """What a job reads: its files and folders, or the records of a service."""
    paths = body.request.paths if body.request is not None else ()
    if not paths:
        return [DatasetName(body.source, "records")]
    if len(paths) > MOST_PATHS:
        paths = (_common(paths),)
    return [DatasetName("file", path) for path in dict.fromkeys(paths)]


def _common(paths: Sequence[str]) -> str:
    try:
        return os.path.commonpath(paths)
    except ValueError:  # absolute and relative ones
        return "/"


def dataset_columns(kind: str) -> list[Column]:
    """Columns of what stages pass on or stores hold; [] for a kind of a plugin."""
    return COLUMNS.get(kind, [])


_DOCUMENT: Final = [
    Column("source", "string", "Where the record comes from."),
    Column("doc_id", "string", "The source's own id."),
    Column("version", "string", "Hash of the content."),
]
_CHUNK: Final = [
    *_DOCUMENT,
    Column("chunk_id", "string", "Of the chunk in its document."),
    Column("section", "string", "Section of the document."),
    Column("body", "string", "Its text, a slice of that of the document."),
    Column("start_char", "int64", "Offset of the first character."),
    Column("end_char", "int64", "Offset behind the last character."),
]

COLUMNS: Final[Mapping[str, list[Column]]] = {
    "payloads": [
        *_DOCUMENT,
        Column("format", "string", "Format."),
        Column("content", "binary", "As fetched."),
    ],
    "document": [
        *_DOCUMENT,
        Column("title", "string", "Title."),
        Column("text", "string", "Text, which offsets refer to."),
        Column("sections", "array<struct>", "Sections with their roles."),
    ],
    "chunks": _CHUNK,
    "embeddings": [
        *_CHUNK,
        Column("dense", "array<float32>", "Unit vector."),
        Column("sparse", "map<int32,float32>", "Term weights, where the profile has a sparse model."),
    ],
    "extraction": [
        *_DOCUMENT,
        Column("mentions", "array<struct>", ""),
        Column("claims", "array<struct>", ""),
    ],
    "search_index": [*_CHUNK, Column("terms", "map<int32,float32>", "Term weights of the sparse model.")],
    "vectors": [
        Column("chunk_id", "string", "Of the chunk."),
        Column("vector", "array<float32>", "Unit vector of the dense model."),
    ],
    "mentions": [
        Column("mention_id", "string", "Of the mention."),
        *_DOCUMENT,
        Column("kind", "string", "Of the entity."),
        Column("name", "string", "As written."),
        Column("concept", "string", "That it is linked to."),
    ],
    "claims": [
        Column("claim_id", "string", "Of the claim."),
        *_DOCUMENT,
        Column("subject", "string", "Mention."),
        Column("predicate", "string", "Of the graph schema."),
        Column("object", "string", "Mention or value."),
        Column("evidence", "array<struct>", "Characters that state it."),
    ],
}
"""Columns by kind of stage output or store."""
