"""Artifacts give back exactly what was written, whatever the values are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestration.artifacts import WindowBatch, prune_artifacts, read_artifact, value_kind, write_artifact
from orchestration.errors import StageContractError, StoreCorruptError, StoreUnwritableError
from orchestration.records import Chunk, EmbeddingBatch, RawPayload, SparseMatrix, StageContext


def a_context(doc_id: str = "D1") -> StageContext:
    return StageContext(
        tenant_id="default",
        job_id="job",
        doc_id=doc_id,
        correlation_id="c",
        metadata={"source": "files", "version": "v", "fingerprint": "f"},
        pipeline_name="auto",
        pipeline_version="2026-11-23",
    )


def a_chunk(ordinal: int = 0) -> Chunk:
    return Chunk(
        chunk_id=f"files:D1:v:{ordinal}",
        doc_id="D1",
        tenant_id="default",
        version="v",
        ordinal=ordinal,
        body="β-blocker",
        title_path=("T",),
        section="",
        start_char=0,
        end_char=9,
        block_ids=("b0",),
        token_count=3,
        granularity="chunk",
        chunker="haystack/default",
        chunker_version="1",
    )


def a_batch(kind: str, *values: object) -> WindowBatch:
    return WindowBatch("w", "j", kind, tuple((a_context(f"D{i}"), v) for i, v in enumerate(values)))


def test_payload_bytes_survive_even_when_they_are_not_text(tmp_path: Path) -> None:
    payload = RawPayload(
        doc_id="D0", source="files", format="text", content=bytes(range(256)), uri="x", version="v"
    )
    batch = a_batch("payloads", [payload])
    write_artifact(tmp_path / "a.parquet", batch)
    assert read_artifact(tmp_path / "a.parquet") == batch


def test_vectors_survive_bit_for_bit_with_their_sparse_part(tmp_path: Path) -> None:
    dense = np.random.default_rng(7).standard_normal((2, 5)).astype(np.float32)
    sparse = SparseMatrix(
        np.array([0, 1, 3], np.int64), np.array([4, 1, 2], np.int32), np.array([1, 2, 3], np.float32), 10
    )
    batch = EmbeddingBatch((a_chunk(0), a_chunk(1)), dense, sparse, {"dense": "m"})
    write_artifact(tmp_path / "a.parquet", a_batch("embeddings", batch))
    ((_, read),) = read_artifact(tmp_path / "a.parquet").items
    assert read.chunks == batch.chunks and dict(read.model_ids) == {"dense": "m"}
    assert read.dense.tobytes() == dense.tobytes()
    assert read.sparse.indices.tolist() == [4, 1, 2] and read.sparse.vocabulary == 10


def test_an_empty_window_is_an_artifact_too(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a.parquet", a_batch("embeddings"))
    assert read_artifact(tmp_path / "a.parquet").items == ()


def test_a_missing_and_a_damaged_artifact_are_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(StoreCorruptError, match="expire"):
        read_artifact(tmp_path / "gone.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(StoreCorruptError, match=r"bad\.parquet"):
        read_artifact(tmp_path / "bad.parquet")


def test_an_artifact_that_cannot_be_written_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where the folder should be")
    with pytest.raises(StoreUnwritableError, match="Free disk space"):
        write_artifact(tmp_path / "blocked" / "a.parquet", a_batch("chunks", [a_chunk()]))


def test_only_contract_types_flow_between_stages() -> None:
    assert value_kind(list[Chunk]) == "chunks"
    with pytest.raises(StageContractError, match="does not flow"):
        value_kind(dict[str, int])


def test_expired_artifacts_are_removed(tmp_path: Path) -> None:
    write_artifact(tmp_path / "run" / "a.parquet", a_batch("chunks", [a_chunk()]))
    assert prune_artifacts(tmp_path, older_than_days=1) == 0
    assert prune_artifacts(tmp_path, older_than_days=-1) == 1
