"""Reads the tables of a copy: documents with their chunks, vectors, mentions and claims.

Input: the folder of a tenant in a copy. Output: its documents in the order of the file, as those of a tenant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from orchestration.contracts import Commit, Extraction, Origin
from orchestration.errors import CopyUnusableError
from orchestration.operations.backup.columns import (
    CHUNK_FIELDS,
    CHUNKS_AT_ONCE,
    DENSE,
    DOCUMENTS_AT_ONCE,
    Copied,
)
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

__all__ = ["read_documents"]


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
