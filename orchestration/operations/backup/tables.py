"""The columns of a copy: one row per document, one per chunk with vectors. Written and read in row groups.

Comes in: documents with their chunks, in the order in which they became visible. Leaves: the same, in that
order. Vectors are columns of numbers that pandas and DuckDB read as lists; what has no fixed shape is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from orchestration.contracts import Commit, Extraction, Origin
from orchestration.errors import CopyUnusableError
from orchestration.operations.backup.folder import CopyFolder, TenantCopy
from orchestration.records import (
    Chunk,
    Claim,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Entity,
    Locator,
    SparseMatrix,
)

__all__ = ["Copied", "TenantFiles", "read_documents"]

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


# --- columns ----------------------------------------------------------------------------------------

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


# --- writing ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A file that rows are added to."""

    path: str
    writer: pq.ParquetWriter
    rows: list[int]


@dataclass(slots=True)
class _Counts:
    documents: int = 0
    chunks: int = 0
    dense: set[str] = field(default_factory=set)
    sparse: set[str] = field(default_factory=set)


class TenantFiles:
    """Writes a tenant's documents into a folder of a copy, as one part of it; a context manager.

    One file of documents, and one of chunks for each model of dense vectors.
    """

    def __init__(self, copy: CopyFolder, folder: str, part: int) -> None:
        self._copy = copy
        self._prefix = f"{folder}/" if folder else ""
        self._part = part
        self._stack = ExitStack()
        self._documents: _Open | None = None
        self._chunks: dict[tuple[str, int], _Open] = {}
        self._waiting: list[Copied] = []
        self._counts = _Counts()

    def __enter__(self) -> TenantFiles:
        self._documents = self._opened(f"documents-{self._part}.parquet", DOCUMENTS_SCHEMA)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self._flush()
        self._stack.__exit__(kind, error, traceback)

    def add(self, copied: Copied) -> None:
        """Take a document up; rows are written in groups."""
        self._waiting.append(copied)
        chunks = sum(len(waiting.batch.chunks) for waiting in self._waiting)
        if len(self._waiting) >= DOCUMENTS_AT_ONCE or chunks >= CHUNKS_AT_ONCE:
            self._flush()

    @property
    def documents(self) -> int:
        """How many were taken up."""
        return self._counts.documents + len(self._waiting)

    @property
    def counts(self) -> TenantCopy:
        """What was written so far."""
        counts = self._counts
        return TenantCopy(
            documents=counts.documents,
            chunks=counts.chunks,
            dense_models=tuple(sorted(counts.dense)),
            sparse_models=tuple(sorted(counts.sparse)),
            parts=self._part,
        )

    def _opened(self, name: str, schema: pa.Schema) -> _Open:
        path, rows = self._stack.enter_context(self._copy.file(f"{self._prefix}{name}"))
        writer = self._stack.enter_context(pq.ParquetWriter(path, schema, compression=COMPRESSION))
        return _Open(name, writer, rows)

    def _flush(self) -> None:
        assert self._documents is not None
        if not self._waiting:
            return
        by_file: dict[str, list[Copied]] = {}
        rows = []
        for copied in self._waiting:
            file = self._file_of(copied.batch)
            rows.append(_document_row(copied, file.path if file else None))
            if file is not None:
                by_file.setdefault(file.path, []).append(copied)
            self._count(copied)
        for file in self._chunks.values():
            if file.path in by_file:
                _write(file, _chunk_table(by_file[file.path], file.writer.schema))
        _write(self._documents, pa.Table.from_pylist(rows, DOCUMENTS_SCHEMA))
        self._waiting.clear()

    def _file_of(self, batch: EmbeddingBatch) -> _Open | None:
        if not batch.chunks:
            return None
        shape = batch.model_ids["dense"], batch.dense.shape[1]
        if shape not in self._chunks:
            number = len(self._chunks) + 1
            name = f"chunks-{self._part}-{number}.parquet"
            self._chunks[shape] = self._opened(name, chunks_schema(batch.dense.shape[1]))
        return self._chunks[shape]

    def _count(self, copied: Copied) -> None:
        self._counts.documents += 1
        self._counts.chunks += len(copied.batch.chunks)
        if copied.batch.chunks:
            self._counts.dense.add(copied.batch.model_ids["dense"])
        if copied.batch.sparse is not None:
            self._counts.sparse.add(copied.batch.model_ids["sparse"])


def _write(file: _Open, table: pa.Table) -> None:
    file.writer.write_table(table)
    file.rows.append(table.num_rows)


def _document_row(copied: Copied, chunks_file: str | None) -> dict[str, Any]:
    commit, origin, models = copied.commit, copied.origin, copied.batch.model_ids
    return {
        "source": commit.key.source,
        "doc_id": commit.key.doc_id,
        "version": commit.version,
        "fingerprint": commit.fingerprint,
        "pipeline_name": commit.pipeline,
        "intent_id": commit.intent_id,
        "revision": commit.revision,
        "title": copied.document.title,
        "language": copied.document.language,
        "chunk_count": commit.chunk_count,
        "chunks_file": chunks_file,
        "dense_model": models.get("dense"),
        "sparse_model": models.get("sparse"),
        **origin.model_dump(exclude={"locator"}),
        "locator": origin.locator.model_dump_json(),
        "document": copied.document.model_dump_json(exclude={"tenant_id"}),
        "graph_intent_id": commit.graph_intent_id,
        "entity_count": commit.entity_count,
        "claim_count": commit.claim_count,
        "extraction": _extraction_json(copied.extraction),
        "parse_fingerprint": commit.parse_fingerprint,
        "graph_fingerprint": commit.graph_fingerprint,
    }


def _extraction_json(extraction: Extraction | None) -> str | None:
    if extraction is None:
        return None
    records = [[each.model_dump(mode="json", exclude={"tenant_id"}) for each in part] for part in extraction]
    return json.dumps(records, ensure_ascii=False)


def _chunk_table(documents: Sequence[Copied], schema: pa.Schema) -> pa.Table:
    rows = [row for copied in documents for row in _chunk_rows(copied)]
    dense = np.concatenate([copied.batch.dense for copied in documents])
    table = pa.Table.from_pylist(rows, pa.schema([column for column in schema if column.name != DENSE]))
    flat = pa.array(np.ascontiguousarray(dense).reshape(-1), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, type=schema.field(DENSE).type)
    return table.append_column(schema.field(DENSE), vectors)


def _chunk_rows(copied: Copied) -> Iterator[dict[str, Any]]:
    batch = copied.batch
    for number, chunk in enumerate(batch.chunks):
        row = {name: getattr(chunk, name) for name in CHUNK_FIELDS}
        row["source"], row["doc_id"] = copied.commit.key.source, copied.commit.key.doc_id
        row["title_path"], row["block_ids"] = list(chunk.title_path), list(chunk.block_ids)
        row["metadata"] = json.dumps(chunk.metadata, ensure_ascii=False)
        row["dense_model"] = batch.model_ids["dense"]
        if batch.sparse is not None:
            terms, weights = batch.sparse.row(number)
            row["sparse_model"] = batch.model_ids["sparse"]
            row["sparse_terms"], row["sparse_weights"] = terms, weights
        yield row


# --- reading ----------------------------------------------------------------------------------------


def read_documents(folder: Path, part: int, tenant_id: str) -> Iterator[Copied]:
    """The documents of a part for a tenant, in the order of the file. Raises CopyUnusableError."""
    cursors: dict[str, _Chunks] = {}
    path = folder / f"documents-{part}.parquet"
    for row in _rows(path, DOCUMENTS_AT_ONCE):
        try:
            chunks_file, count = row["chunks_file"], row["chunk_count"]
            if chunks_file is not None and chunks_file not in cursors:
                cursors[chunks_file] = _Chunks(folder / Path(chunks_file).name)
            batch = cursors[chunks_file].take(row, tenant_id) if chunks_file is not None else _no_chunks(row)
            if len(batch.chunks) != count:
                raise ValueError(f"{len(batch.chunks)} of {count} chunks of {row['doc_id']}")
            copied = _copied(row, tenant_id, batch)
        except (KeyError, ValueError, TypeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise CopyUnusableError(
                f"{path} or its chunks do not hold what this format promises: {reason}."
            ) from error
        yield copied


class _Chunks:
    """A file of chunks that is read once, from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches = _batches(path, CHUNKS_AT_ONCE)
        self._left: pa.Table | None = None

    def take(self, document: Mapping[str, Any], tenant_id: str) -> EmbeddingBatch:
        """The chunks of a document, which come next. Raises ValueError if others do."""
        rows = self._next(document["chunk_count"])
        dense_type = rows.schema.field(DENSE).type
        vectors = rows.column(DENSE).combine_chunks()
        dense = vectors.flatten().to_numpy(zero_copy_only=False).reshape(-1, dense_type.list_size)
        values = rows.drop_columns([DENSE]).to_pylist()
        key = document["source"], document["doc_id"]
        if any((value["source"], value["doc_id"]) != key for value in values):
            raise ValueError(f"{self._path.name} has not the chunks of {document['doc_id']} in its order")
        sparse = None
        if document["sparse_model"] is not None:
            sparse = _sparse(values)
        return EmbeddingBatch(
            tuple(_chunk(value, tenant_id) for value in values),
            np.array(dense, np.float32),
            sparse,
            _models(document),
        )

    def _next(self, count: int) -> pa.Table:
        parts = [] if self._left is None else [self._left]
        while sum(part.num_rows for part in parts) < count:
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError(f"{self._path.name} ends too early")
            parts.append(pa.Table.from_batches([batch]))
        rows = pa.concat_tables(parts)
        self._left = rows.slice(count)
        return rows.slice(0, count)


def _models(row: Mapping[str, Any]) -> dict[str, str]:
    named = {"dense": row["dense_model"], "sparse": row["sparse_model"]}
    return {leg: model for leg, model in named.items() if model is not None}


def _no_chunks(row: Mapping[str, Any]) -> EmbeddingBatch:
    return EmbeddingBatch((), np.empty((0, 0), np.float32), None, _models(row))


def _chunk(row: Mapping[str, Any], tenant_id: str) -> Chunk:
    return Chunk(
        **{name: row[name] for name in CHUNK_FIELDS},
        doc_id=row["doc_id"],
        tenant_id=tenant_id,
        title_path=tuple(row["title_path"]),
        block_ids=tuple(row["block_ids"]),
        metadata=json.loads(row["metadata"]),
    )


def _sparse(rows: Sequence[Mapping[str, Any]]) -> SparseMatrix:
    terms = [np.array(row["sparse_terms"], np.int32) for row in rows]
    weights = [np.array(row["sparse_weights"], np.float32) for row in rows]
    last = max((int(row[-1]) for row in terms if len(row)), default=-1)
    return SparseMatrix.of_rows(list(zip(terms, weights, strict=True)), last + 1)


def _copied(row: Mapping[str, Any], tenant_id: str, batch: EmbeddingBatch) -> Copied:
    key = DocumentKey(tenant_id=tenant_id, source=row["source"], doc_id=row["doc_id"])
    commit = Commit(
        key=key,
        version=row["version"],
        fingerprint=row["fingerprint"],
        pipeline=row["pipeline_name"],
        intent_id=row["intent_id"],
        chunk_count=row["chunk_count"],
        namespace=row["dense_model"] or "",
        revision=row.get("revision"),  # not in exports of before revisions
        graph_intent_id=row.get("graph_intent_id"),  # nor these in exports of before the graph
        entity_count=row.get("entity_count") or 0,
        claim_count=row.get("claim_count") or 0,
        parse_fingerprint=row.get("parse_fingerprint"),  # nor these in exports of before branches
        graph_fingerprint=row.get("graph_fingerprint"),
    )
    known = {name: row[name] for name in Origin.model_fields if name != "locator"}
    origin = Origin(**known, locator=Locator.model_validate_json(row["locator"]))
    document = Document.model_validate({**json.loads(row["document"]), "tenant_id": tenant_id})
    return Copied(commit, origin, document, batch, _extraction(row.get("extraction"), tenant_id))


def _extraction(stored: str | None, tenant_id: str) -> Extraction | None:
    """Mentions and claims as those of a tenant."""
    if stored is None:
        return None
    mentions, claims = json.loads(stored)
    return (
        [Entity.model_validate({**each, "tenant_id": tenant_id}) for each in mentions],
        [Claim.model_validate({**each, "tenant_id": tenant_id}) for each in claims],
    )


def _rows(path: Path, at_once: int) -> Iterator[dict[str, Any]]:
    for batch in _batches(path, at_once):
        yield from batch.to_pylist()


def _batches(path: Path, at_once: int) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=at_once)
