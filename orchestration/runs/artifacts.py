"""Artifacts between ops: the documents of a window with the values of one stage, as Parquet objects.

Comes in: a WindowBatch. Leaves: the same WindowBatch, in another process or after a restart, so that a
run can be re-executed from the stage that failed. One row per document; vectors are columns of float32.
They are in the object store, so the run may go on elsewhere, and a reader sees all of one or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import numpy as np
from pydantic import TypeAdapter

from orchestration.contracts.objects import LANDED, READERS, ObjectStore
from orchestration.errors import StageContractError, StoreCorruptError
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
    "PREFIX",
    "VALUE_TYPES",
    "WindowBatch",
    "artifact_key",
    "is_value",
    "prune_artifacts",
    "prune_landed",
    "read_artifact",
    "remove_artifacts_of",
    "remove_landed_of",
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

PREFIX: Final = "artifacts"
"""Outputs of ops; those of documents at a gate are below `jobs.gate_payloads.PREFIX`."""
SUFFIX: Final = ".parquet"


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


def artifact_key(run_id: str, step: str) -> str:
    """Return the key of the output of a step of a run."""
    return f"{PREFIX}/{run_id}/{step}{SUFFIX}"


def write_artifact(objects: ObjectStore, key: str, batch: WindowBatch) -> int:
    """Write the batch; returns its bytes. Raises what a store that cannot be written raises."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = pa.BufferOutputStream()
    pq.write_table(_to_table(batch), written, compression="zstd")
    content = written.getvalue().to_pybytes()
    objects.put(key, content)
    return len(content)


def read_artifact(objects: ObjectStore, key: str) -> WindowBatch:
    """Read a batch; raises StoreCorruptError when it is gone or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = objects.get(key)
    if content is None:
        raise StoreCorruptError(
            f"artifact {key} in {objects.name} is gone (they expire). Launch the window again instead of "
            "re-executing it."
        )
    try:
        return _from_table(pq.read_table(pa.BufferReader(content.data)))
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise StoreCorruptError(
            f"artifact {key} in {objects.name} cannot be read: {error}. Re-execute the run from its "
            "first step."
        ) from error


def prune_landed(objects: ObjectStore, older_than_days: float) -> int:
    """Remove answers of services older than so many days; returns the number of pages.

    A record of theirs that is needed again is asked for again.
    """
    oldest = time.time() - older_than_days * 86_400
    expired = [listed.key for listed in objects.list(LANDED) if listed.changed < oldest]
    objects.delete(expired)
    return len(expired)


def remove_landed_of(objects: ObjectStore, keys: Collection[DocumentKey]) -> int:
    """Remove the landed pages that name one of these documents; returns how many."""
    names = [key.doc_id.encode() for key in keys]
    removed = 0
    for tenant_id in sorted({READERS, *(key.tenant_id for key in keys)}):
        for key in [listed.key for listed in objects.list(f"{LANDED}/{tenant_id}")]:
            content = objects.get(key)
            if content is not None and any(name in content.data for name in names):
                objects.delete([key])
                removed += 1
    objects.sweep(LANDED)
    return removed


def prune_artifacts(objects: ObjectStore, older_than_days: float) -> int:
    """Remove the artifacts of runs whose newest is older than so many days; returns how many runs."""
    newest: dict[str, float] = {}
    for listed in objects.list(PREFIX):
        run = listed.key.split("/")[1]
        newest[run] = max(listed.changed, newest.get(run, 0))
    oldest = time.time() - older_than_days * 86_400
    expired = [run for run, changed in newest.items() if changed < oldest]
    for run in expired:
        objects.delete_all(f"{PREFIX}/{run}")
    return len(expired)


def remove_artifacts_of(objects: ObjectStore, keys: Collection[DocumentKey]) -> int:
    """Remove artifacts with one of these documents; returns how many.

    A re-executed run that needs one fails with its name. Damaged ones are removed too, since their content
    is unknown.
    """
    affected = [
        key for key in sorted(listed.key for listed in objects.list(PREFIX)) if _may_hold(objects, key, keys)
    ]
    objects.delete(affected)
    objects.sweep(PREFIX)
    return len(affected)


def _may_hold(objects: ObjectStore, key: str, keys: Collection[DocumentKey]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = objects.get(key)
    if content is None:  # pruned by another process just now
        return False
    try:
        table = pq.read_table(pa.BufferReader(content.data), columns=["context"])
    except (OSError, pa.ArrowInvalid, KeyError):
        return True
    contexts = table["context"].to_pylist()
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
    """Vectors as raw float32 bytes per document: exact, and read without converting each number."""
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
