"""Data folders to be copied, filled without a model, and processes that copy and may die.

`python -m tests.orchestration.operations.backup.copies DATA_DIR import|restore COPY BOUNDARY` does so and
kills itself (kill -9) at a boundary. Stores and ledger are those that MEDKG_* variables name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest

from medkg.testing.builders import TENANT, a_context, a_document, chunks_of
from medkg.testing.ledger_suite.builders import a_commit
from orchestration.assembly import Assembly
from orchestration.contracts import ChunkRef, Commit, Filters, Origin, Provenance, SparseVectors, values_of
from orchestration.operations.backup import importing, restoring
from orchestration.operations.backup.backing_up import committed_in
from orchestration.operations.backup.exporting import export_tenant
from orchestration.operations.backup.importing import Imported, import_tenant
from orchestration.operations.backup.restoring import restore
from orchestration.processes.child_process import own_identity
from orchestration.records import Chunk, EmbeddingBatch, Locator
from orchestration.settings import load_settings
from tests.orchestration.stores.data_folder import MODEL, WORDS, die, dying_after, encode, expand

Bodies = Mapping[str, Sequence[str]]
"""Texts of chunks by document id."""


@contextmanager
def opened(data_dir: Path, tenant: str = TENANT) -> Iterator[Assembly]:
    parts = Assembly(load_settings(data_dir=data_dir, tenant=tenant))
    try:
        yield parts
    finally:
        parts.close()


def unwatched(done: int, total: int) -> None:
    """Ignores the progress."""


def ingest(
    parts: Assembly,
    documents: Bodies,
    version: str = "1",
    *,
    sparse: bool = True,
    tenant_id: str = TENANT,
    mesh: Mapping[str, str] | None = None,
) -> None:
    """Index and commit documents with these chunks, with ledger rows as a run leaves them.

    `mesh` has a heading for all chunks of a document, by document.
    """
    items = []
    for doc_id, bodies in documents.items():
        ctx = a_context(
            doc_id, source="files", version=version * 64, tenant_id=tenant_id, revision=f"revision {version}"
        )
        chunks = chunks_of(
            *bodies, doc_id=doc_id, version=ctx.version, tenant_id=tenant_id, section="results"
        )
        if mesh is not None and doc_id in mesh:
            metadata = {"mesh": [mesh[doc_id]]}
            chunks = [chunk.model_copy(update={"metadata": metadata}) for chunk in chunks]
        items.append((ctx, _embedded(chunks, sparse)))
        title = f"{doc_id} in {version}"
        document = a_document(doc_id, tenant_id=tenant_id, version=ctx.version, title=title)
        parts.stores.documents.put([(ctx, document)])
    receipts = values_of(parts.index.stage(tenant_id, own_identity(), items))
    commits = [
        a_commit(ctx, receipt.intent_id, receipt.chunk_count, MODEL)
        for (ctx, _), receipt in zip(items, receipts, strict=True)
    ]
    taken = parts.ledger.copies.import_documents(
        str(uuid4()), [(commit, an_origin(commit)) for commit in commits], replace=True
    )
    parts.index.clean(taken.superseded)


def _embedded(chunks: Sequence[Chunk], sparse: bool) -> EmbeddingBatch:
    bodies = [chunk.body for chunk in chunks]
    models = {"dense": MODEL, **({"sparse": WORDS} if sparse else {})}
    terms = expand(bodies).rows if sparse else None
    return EmbeddingBatch(
        tuple(chunks), encode(bodies) if bodies else np.empty((0, 26), np.float32), terms, models
    )


def an_origin(commit: Commit) -> Origin:
    return Origin(
        pipeline_version="2025-01-01",
        current_stage="index",
        missing_stages=(),
        source_plugin="files",
        locator=Locator(uri=f"/corpus/{commit.key.doc_id}", format="text"),
        pdf_downloaded=False,
        pdf_ir_ready=False,
        created_at=1_700_000_000.25,
        updated_at=1_700_000_001.5,
    )


def export(parts: Assembly, folder: Path) -> Path:
    export_tenant(parts, folder, unwatched)
    return folder


def import_all(parts: Assembly, folder: Path, *, replace: bool = False) -> Imported:
    return import_tenant(parts, folder, unwatched, replace=replace, other_models=True)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Every row of an export, vectors bit by bit; without the writes they came with."""
    return [
        {name: value for name, value in row.items() if name != "intent_id"}
        for path in sorted(folder.glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def provenance_of(parts: Assembly, tenant_id: str = TENANT) -> list[Provenance]:
    """What the document store records of each document of the tenant, sorted by document."""
    return sorted(
        parts.stores.documents.provenance(tenant_id), key=lambda each: (each.key.doc_id, each.version)
    )


def answers(parts: Assembly, query: str, tenant_id: str = TENANT) -> dict[str, list[tuple[str, float]]]:
    """(chunk, score) by leg, best first."""
    intents = {commit.key: commit.intent_id for commit in parts.ledger.commits.committed(tenant_id)}

    def seen(ref: ChunkRef) -> bool:
        return intents.get(ref.key) == ref.intent_id

    search, vectors = parts.stores.search, parts.stores.vectors
    terms = SparseVectors(WORDS, expand([query]).rows)
    legs = {
        "bm25": search.bm25(tenant_id, query, 50, Filters(), seen),
        "sparse": search.sparse(tenant_id, terms, 50, Filters(), seen),
        "dense": vectors.search(tenant_id, MODEL, encode([query])[0], 50, Filters(), seen),
    }
    return {
        leg: [(difference.ref.chunk_id, difference.score) for difference in differences]
        for leg, differences in legs.items()
    }


def verified(parts: Assembly, tenant_id: str = TENANT) -> bool:
    """Whether `medkg verify` finds nothing."""
    return parts.verification.differences(tenant_id) == []


# --- dying ------------------------------------------------------------------------------------------

IMPORTING = (
    "after the documents",
    "after the search rows",
    "after the vectors",
    "before the commit",
    "after the commit",
    "in the second batch",
)
RESTORING = (
    "at the beginning",
    "after the search rows",
    "after the vectors",
    "before the ledger",
    "at the end",
)


def prepare_to_die(parts: Any, boundary: str) -> None:
    if boundary in ("at the beginning", "after the documents"):
        parts.stores.documents.put = dying_after(parts.stores.documents.put)
    elif boundary == "after the search rows":
        parts.stores.search.write = dying_after(parts.stores.search.write)
    elif boundary == "after the vectors":
        parts.stores.vectors.write = dying_after(parts.stores.vectors.write)
    elif boundary == "before the commit":
        parts.ledger.copies.import_documents = lambda *_, **__: die()
    elif boundary == "after the commit":
        parts.index.clean = lambda *_: die()
    elif boundary == "in the second batch":
        _die_at_the_second(parts)
    elif boundary == "before the ledger":
        parts.ledger.copies.import_tables = lambda *_: die()
    else:
        assert boundary == "at the end"
        parts.ledger.copies.import_tables = dying_after(parts.ledger.copies.import_tables)


def _die_at_the_second(parts: Any) -> None:
    stage, calls = parts.index.stage, []

    def call(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            die()
        return stage(*arguments)

    parts.index.stage = call


def main(data_dir: Path, deed: str, copy: Path, boundary: str) -> None:
    importing.DOCUMENTS_AT_ONCE = 2  # type: ignore[misc]
    with opened(data_dir) as parts:
        if deed == "restore":
            _restore_and_die(parts, copy, boundary)
            return
        prepare_to_die(parts, boundary)
        import_all(parts, copy)


def _restore_and_die(parts: Assembly, copy: Path, boundary: str) -> None:
    """Prepared when the folder has been found empty, since what prepares opens its stores."""

    def prepared(folder: Path) -> Any:
        prepare_to_die(parts, boundary)
        return committed_in(folder)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restoring, "committed_in", prepared)
        restore(parts, copy, unwatched)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4])
