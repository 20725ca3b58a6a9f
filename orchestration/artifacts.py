"""What ops hand to one another: a window's documents with one stage's values, kept as Parquet files.

Comes in: a WindowBatch. Leaves: the same WindowBatch, in another process or after a restart, so that a
run can be re-executed from the stage that failed. One row a document; vectors are columns of float32.
Files are written under a temporary name and renamed, so a reader sees all of one or nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import numpy as np
from pydantic import TypeAdapter

from orchestration.errors import StageContractError, StoreCorruptError, StoreUnwritableError
from orchestration.records import (
    Chunk,
    Claim,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Entity,
    GraphWriteReceipt,
    IndexReceipt,
    RawPayload,
    SparseMatrix,
    StageContext,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "VALUE_TYPES",
    "WindowBatch",
    "is_value",
    "prune_artifacts",
    "read_artifact",
    "remove_artifacts_of",
    "value_kind",
    "write_artifact",
]

VALUE_TYPES: Final[Mapping[str, Any]] = {
    "payloads": list[RawPayload],
    "document": Document,
    "chunks": list[Chunk],
    "embeddings": EmbeddingBatch,
    "extraction": tuple[list[Entity], list[Claim]],
    "index_receipt": IndexReceipt,
    "graph_receipt": GraphWriteReceipt,
}
"""Kinds of values between ops, by name: what the stage protocols return."""


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """A window's documents that are still in the run, each with the value of one kind."""

    window_id: str
    job_id: str
    kind: str
    items: tuple[tuple[StageContext, Any], ...]


def value_kind(annotation: Any) -> str:
    """The kind whose values have this type; raises StageContractError naming what is possible."""
    for kind, known in VALUE_TYPES.items():
        if annotation == known:
            return kind
    raise StageContractError(
        f"{annotation!r} does not flow between stages; a stage returns one of "
        f"{', '.join(str(known) for known in VALUE_TYPES.values())}."
    )


def is_value(kind: str, value: object) -> bool:
    """Whether a value is of the kind, looking at its first element where it is a collection."""
    shape = VALUE_TYPES[kind]
    if get_origin(shape) is list:
        (element,) = get_args(shape)
        return isinstance(value, list) and all(isinstance(item, element) for item in value[:1])
    if get_origin(shape) is tuple:
        return isinstance(value, tuple) and len(value) == len(get_args(shape))
    return isinstance(value, shape)


def write_artifact(path: Path, batch: WindowBatch) -> int:
    """Write the batch; returns its bytes. Raises StoreUnwritableError (disk full, read-only folder)."""
    import pyarrow.parquet as pq

    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_to_table(batch), partial, compression="zstd")
        partial.replace(path)
        return path.stat().st_size
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StoreUnwritableError(
            f"artifact {path} cannot be written: {error.strerror or error}. "
            "Free disk space or choose another --data-dir; the window's documents are handed back."
        ) from error


def read_artifact(path: Path) -> WindowBatch:
    """Read a batch; raises StoreCorruptError when the file is gone or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _from_table(pq.read_table(path))
    except FileNotFoundError as error:
        raise StoreCorruptError(
            f"artifact {path} is gone (artifacts expire). Launch the window anew instead of re-executing it."
        ) from error
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise StoreCorruptError(
            f"artifact {path} cannot be read: {error}. Re-execute the run from its first step."
        ) from error


def prune_artifacts(folder: Path, older_than_days: float) -> int:
    """Remove the artifacts of runs older than so many days; returns how many runs."""
    oldest = time.time() - older_than_days * 86_400
    expired = [run for run in folder.glob("*") if run.is_dir() and run.stat().st_mtime < oldest]
    for run in expired:
        shutil.rmtree(run, ignore_errors=True)
    return len(expired)


def remove_artifacts_of(folder: Path, keys: Collection[DocumentKey]) -> int:
    """Remove the artifacts that hold one of these documents; returns how many files.

    A run that is re-executed from one says that it is gone. Damaged files are removed too: what they hold
    cannot be told.
    """
    holding = [path for path in sorted(folder.glob("*/*.parquet")) if _may_hold(path, keys)]
    for path in [*holding, *folder.glob("*/*.partial")]:
        path.unlink(missing_ok=True)
    return len(holding)


def _may_hold(path: Path, keys: Collection[DocumentKey]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        contexts = pq.read_table(path, columns=["context"])["context"].to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError):
        return True
    return any(StageContext.model_validate_json(context).key in keys for context in contexts)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(VALUE_TYPES[kind])


_CHUNKS: Final[TypeAdapter[tuple[Chunk, ...]]] = TypeAdapter(tuple[Chunk, ...])
_MODEL_IDS: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(dict[str, str])


def _to_table(batch: WindowBatch) -> pa.Table:
    import pyarrow as pa

    values = [value for _, value in batch.items]
    columns: dict[str, pa.Array] = {
        "context": pa.array([ctx.model_dump_json() for ctx, _ in batch.items], pa.string()),
    }
    if batch.kind == "embeddings":
        columns.update(_embedding_columns(values))
    else:
        adapter = _adapter(batch.kind)
        columns["value"] = pa.array([adapter.dump_json(value) for value in values], pa.large_binary())
    described = {"window_id": batch.window_id, "job_id": batch.job_id, "kind": batch.kind}
    return pa.table(columns).replace_schema_metadata(described)


def _from_table(table: pa.Table) -> WindowBatch:
    described = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    contexts = [StageContext.model_validate_json(row) for row in table["context"].to_pylist()]
    kind = described["kind"]
    if kind == "embeddings":
        values: Sequence[Any] = _embeddings(table)
    else:
        adapter = _adapter(kind)
        values = [adapter.validate_json(row) for row in table["value"].to_pylist()]
    return WindowBatch(
        described["window_id"], described["job_id"], kind, tuple(zip(contexts, values, strict=True))
    )


def _embedding_columns(batches: Sequence[EmbeddingBatch]) -> dict[str, pa.Array]:
    """Vectors as raw float32 bytes a document: exact, and read back without a copy a number."""
    import pyarrow as pa

    return {
        "chunks": pa.array([_CHUNKS.dump_json(batch.chunks) for batch in batches], pa.large_binary()),
        "dense": pa.array([batch.dense.tobytes() for batch in batches], pa.large_binary()),
        "dimensions": pa.array([batch.dense.shape[1] for batch in batches], pa.int32()),
        "sparse": pa.array([_sparse_bytes(batch.sparse) for batch in batches], _sparse_type()),
        "model_ids": pa.array([_MODEL_IDS.dump_json(dict(batch.model_ids)) for batch in batches]),
    }


def _embeddings(table: pa.Table) -> list[EmbeddingBatch]:
    return [
        EmbeddingBatch(
            chunks=_CHUNKS.validate_json(row["chunks"]),
            dense=np.frombuffer(row["dense"], dtype=np.float32).reshape(-1, row["dimensions"]),
            sparse=_sparse_matrix(row["sparse"]),
            model_ids=_MODEL_IDS.validate_json(row["model_ids"]),
        )
        for row in table.to_pylist()
    ]


def _sparse_type() -> pa.StructType:
    import pyarrow as pa

    parts = [pa.field(name, pa.large_binary()) for name in ("indptr", "indices", "values")]
    return pa.struct([*parts, pa.field("vocabulary", pa.int32())])


def _sparse_bytes(matrix: SparseMatrix | None) -> dict[str, object] | None:
    if matrix is None:
        return None
    return {
        "indptr": matrix.indptr.tobytes(),
        "indices": matrix.indices.tobytes(),
        "values": matrix.values.tobytes(),
        "vocabulary": matrix.vocabulary,
    }


def _sparse_matrix(row: Mapping[str, Any] | None) -> SparseMatrix | None:
    if row is None:
        return None
    return SparseMatrix(
        indptr=np.frombuffer(row["indptr"], dtype=np.int64),
        indices=np.frombuffer(row["indices"], dtype=np.int32),
        values=np.frombuffer(row["values"], dtype=np.float32),
        vocabulary=row["vocabulary"],
    )
