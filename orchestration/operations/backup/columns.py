"""The columns of a copy: one row per document, one per chunk with vectors.

Vectors are columns of numbers that pandas and DuckDB read as lists; what has no fixed shape is JSON. Rows are
in the order in which their documents became visible, in row groups that fit in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from orchestration.contracts import Commit, Extraction, Origin
from orchestration.records import Document, EmbeddingBatch

__all__ = [
    "CHUNKS_AT_ONCE",
    "CHUNK_FIELDS",
    "COMPRESSION",
    "DENSE",
    "DOCUMENTS_AT_ONCE",
    "DOCUMENTS_SCHEMA",
    "Copied",
    "chunks_schema",
]

CHUNKS_AT_ONCE: Final = 2_000
"""Chunks of a row group, so what is in memory: some 15 MB with vectors."""

DOCUMENTS_AT_ONCE: Final = 200
COMPRESSION: Final = "zstd"


@dataclass(frozen=True, slots=True)
class Copied:
    """A document as a copy has it."""

    commit: Commit
    origin: Origin
    document: Document
    batch: EmbeddingBatch
    extraction: Extraction | None = None
    """Its mentions and claims; None where none were made, and in a backup, whose ledger has them."""


_TEXTS: Final = pa.list_(pa.string())

DOCUMENT_COLUMNS: Final[Sequence[tuple[str, pa.DataType, str]]] = (
    ("source", pa.string(), "where the record comes from: clinicaltrials, pmc, pubmed, files"),
    ("doc_id", pa.string(), "the source's own id"),
    ("version", pa.string(), "sha256 of the content"),
    ("fingerprint", pa.string(), "sha256 of everything else that shaped chunks and vectors"),
    ("pipeline_name", pa.string(), "topology that made it"),
    ("pipeline_version", pa.string(), "version of that topology"),
    ("intent_id", pa.string(), "the write that it was indexed with; another one after an import"),
    ("revision", pa.string(), "revision of its record, which orders records of one id; may be null"),
    ("title", pa.string(), "title of the document"),
    ("language", pa.string(), "BCP 47 language tag"),
    ("chunk_count", pa.int32(), "rows in the file of chunks"),
    ("chunks_file", pa.string(), "file of its chunks, in the same folder; null without chunks"),
    ("dense_model", pa.string(), "model of its vectors"),
    ("sparse_model", pa.string(), "model of its terms; null without terms"),
    ("current_stage", pa.string(), "last stage that was finished"),
    ("missing_stages", _TEXTS, "optional stages that failed"),
    ("source_plugin", pa.string(), "source plugin that fetched it"),
    ("locator", pa.string(), "where its bytes were, JSON"),
    ("pdf_downloaded", pa.bool_(), "whether its PDF was fetched"),
    ("pdf_ir_ready", pa.bool_(), "whether its PDF was parsed elsewhere"),
    ("created_at", pa.float64(), "first known, seconds since the epoch"),
    ("updated_at", pa.float64(), "last changed, seconds since the epoch"),
    ("document", pa.large_string(), "the parsed document, JSON; offsets are into its `text`"),
    ("graph_intent_id", pa.string(), "the write of its mentions and claims; null: none were made"),
    ("entity_count", pa.int32(), "mentions"),
    ("claim_count", pa.int32(), "claims"),
    ("extraction", pa.large_string(), "JSON [mentions, claims]; null in a backup, whose ledger has them"),
    ("parse_fingerprint", pa.string(), "sha256 of what shaped the parsed document; null: not known"),
    ("graph_fingerprint", pa.string(), "sha256 of what shaped mentions and claims; null: due or none"),
)
CHUNK_COLUMNS: Final[Sequence[tuple[str, pa.DataType, str]]] = (
    ("source", pa.string(), "source of the document"),
    ("doc_id", pa.string(), "document it was cut from"),
    ("version", pa.string(), "version of the document"),
    ("chunk_id", pa.string(), "source, document, version, ordinal"),
    ("ordinal", pa.int32(), "position in the document, from 0"),
    ("body", pa.large_string(), "the text"),
    ("title_path", _TEXTS, "document title, then the headings above it"),
    ("section", pa.string(), "role or heading of its section"),
    ("start_char", pa.int64(), "first character in the document's text"),
    ("end_char", pa.int64(), "one past the last character"),
    ("block_ids", _TEXTS, "blocks it touches"),
    ("page_no", pa.int32(), "page of its first block"),
    ("token_count", pa.int32(), "tokens of the embedding model"),
    ("granularity", pa.string(), "chunk, table, outcome or eligibility"),
    ("chunker", pa.string(), "name and profile of the chunker"),
    ("chunker_version", pa.string(), "its version"),
    ("metadata", pa.string(), "what it can be filtered by, JSON"),
    ("dense_model", pa.string(), "model of the vector"),
    ("sparse_model", pa.string(), "model of the terms; null without terms"),
    ("sparse_terms", pa.list_(pa.int32()), "terms in the model's vocabulary, ascending"),
    ("sparse_weights", pa.list_(pa.float32()), "their weights, as the store keeps them"),
)
DENSE: Final = "dense"
CHUNK_FIELDS: Final = (
    "version",
    "chunk_id",
    "ordinal",
    "body",
    "section",
    "start_char",
    "end_char",
    "page_no",
    "token_count",
    "granularity",
    "chunker",
    "chunker_version",
)
"""Fields of a chunk that are columns as they are."""

DOCUMENTS_SCHEMA: Final = pa.schema(
    [pa.field(name, kind, metadata={"description": about}) for name, kind, about in DOCUMENT_COLUMNS]
)


def chunks_schema(dimensions: int) -> pa.Schema:
    """Columns of chunks whose vectors have so many dimensions."""
    fields = [pa.field(name, kind, metadata={"description": about}) for name, kind, about in CHUNK_COLUMNS]
    about = {"description": "the vector, as the store keeps it"}
    return pa.schema([*fields, pa.field(DENSE, pa.list_(pa.float32(), dimensions), metadata=about)])
