"""Artifacts give back exactly what was written, whatever the values are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestration.contracts import ObjectStore
from orchestration.errors import StageContractError, StoreCorruptError, StoreUnwritableError
from orchestration.records import Chunk, DocumentKey, EmbeddingBatch, RawPayload, SparseMatrix, StageContext
from orchestration.runs.artifacts import (
    WindowBatch,
    artifact_key,
    prune_artifacts,
    prune_landed,
    read_artifact,
    remove_artifacts_of,
    remove_landed_of,
    value_kind,
    write_artifact,
)
from orchestration.stores.objects.opening import open_objects

KEY = artifact_key("run", "a")


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects(tmp_path.as_uri())


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


def test_payload_bytes_survive_even_when_they_are_not_text(objects: ObjectStore) -> None:
    payload = RawPayload(
        doc_id="D0", source="files", format="text", content=bytes(range(256)), uri="x", version="v"
    )
    batch = a_batch("payloads", [payload])
    write_artifact(objects, KEY, batch)
    assert read_artifact(objects, KEY) == batch


def test_vectors_survive_bit_for_bit_with_their_sparse_part(objects: ObjectStore) -> None:
    dense = np.random.default_rng(7).standard_normal((2, 5)).astype(np.float32)
    sparse = SparseMatrix(
        np.array([0, 1, 3], np.int64), np.array([4, 1, 2], np.int32), np.array([1, 2, 3], np.float32), 10
    )
    batch = EmbeddingBatch((a_chunk(0), a_chunk(1)), dense, sparse, {"dense": "m"})
    write_artifact(objects, KEY, a_batch("embeddings", batch))
    ((_, read),) = read_artifact(objects, KEY).items
    assert read.chunks == batch.chunks and dict(read.model_ids) == {"dense": "m"}
    assert read.dense.tobytes() == dense.tobytes()
    assert read.sparse.indices.tolist() == [4, 1, 2] and read.sparse.vocabulary == 10


def test_an_empty_window_is_an_artifact_too(objects: ObjectStore) -> None:
    write_artifact(objects, KEY, a_batch("embeddings"))
    assert read_artifact(objects, KEY).items == ()


def test_a_missing_and_a_damaged_artifact_are_named_with_the_next_step(objects: ObjectStore) -> None:
    with pytest.raises(StoreCorruptError, match="expire"):
        read_artifact(objects, KEY)
    objects.put(KEY, b"PAR1 but not really")
    with pytest.raises(StoreCorruptError, match=r"a\.parquet"):
        read_artifact(objects, KEY)


def test_an_artifact_that_cannot_be_written_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(StoreUnwritableError, match="Free space"):
        write_artifact(open_objects(tmp_path.as_uri()), KEY, a_batch("chunks", [a_chunk()]))


def test_only_contract_types_flow_between_stages() -> None:
    assert value_kind(list[Chunk]) == "chunks"
    with pytest.raises(StageContractError, match="does not flow"):
        value_kind(dict[str, int])


def test_landed_pages_expire_and_those_that_name_an_erased_document_go_at_once(
    objects: ObjectStore,
) -> None:
    objects.put("raw/default/clinicaltrials/1", b'{"nctId": "NCT00000001"}')
    objects.put("raw/default/clinicaltrials/2", b'{"nctId": "NCT00000002"}')
    objects.put("raw/_readers/clinicaltrials/1", b'{"nctId": "NCT00000001"}')
    key = DocumentKey(tenant_id="default", source="clinicaltrials", doc_id="NCT00000001")
    assert remove_landed_of(objects, [key]) == 2
    assert [stored.key for stored in objects.list("raw")] == ["raw/default/clinicaltrials/2"]
    assert prune_landed(objects, 1) == 0
    assert prune_landed(objects, -1) == 1


def test_expired_artifacts_are_removed(objects: ObjectStore) -> None:
    write_artifact(objects, KEY, a_batch("chunks", [a_chunk()]))
    write_artifact(objects, artifact_key("other", "a"), a_batch("chunks"))
    assert prune_artifacts(objects, older_than_days=1) == 0
    assert read_artifact(objects, KEY).items
    assert prune_artifacts(objects, older_than_days=-1) == 2
    assert list(objects.list("artifacts")) == []


def test_artifacts_that_hold_a_document_or_are_unreadable_are_removed(objects: ObjectStore) -> None:
    held, other, damaged = (artifact_key("run", step) for step in "abc")
    write_artifact(objects, held, a_batch("chunks", [a_chunk()], [a_chunk(1)]))
    write_artifact(objects, other, a_batch("chunks", [a_chunk()]))
    objects.put(damaged, b"PAR1 but not really")
    key = DocumentKey(tenant_id="default", source="files", doc_id="D1")
    assert remove_artifacts_of(objects, [key]) == 2
    assert [stored.key for stored in objects.list("artifacts")] == [other]


@pytest.mark.needs_service("s3")
def test_a_run_on_s3_is_pruned_by_its_own_age_too(s3_url: str) -> None:
    on_s3 = open_objects(s3_url)
    write_artifact(on_s3, KEY, a_batch("chunks", [a_chunk()]))
    assert len(read_artifact(on_s3, KEY).items) == 1
    assert prune_artifacts(on_s3, older_than_days=1) == 0
    assert prune_artifacts(on_s3, older_than_days=-1) == 1
    with pytest.raises(StoreCorruptError, match="expire"):
        read_artifact(on_s3, KEY)
