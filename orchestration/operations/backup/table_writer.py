"""Writes the documents of a tenant, with chunks and vectors, as tables of a copy.

Input: documents with their chunks, in the order in which they became visible. Output: files of one part of
the copy in that order, one of documents and one of chunks for each model of dense vectors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Extraction
from orchestration.operations.backup.columns import (
    CHUNK_FIELDS,
    CHUNKS_AT_ONCE,
    COMPRESSION,
    DENSE,
    DOCUMENTS_AT_ONCE,
    DOCUMENTS_SCHEMA,
    Copied,
    chunks_schema,
)
from orchestration.operations.backup.folder import CopyFolder, TenantCopy
from orchestration.records import EmbeddingBatch

__all__ = ["TenantFiles"]


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
