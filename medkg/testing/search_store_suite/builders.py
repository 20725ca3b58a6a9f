"""What the parts of the suite arrange and read: keyed chunks, term weights, candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medkg.testing.builders import TENANT
from orchestration.contracts import Candidate, ChunkRef, Filters, SparseVectors
from orchestration.records import Chunk, DocumentKey, SparseMatrix

ANY = Filters()


def everything(ref: ChunkRef) -> bool:
    return True


def a_key(doc_id: str = "doc-1", source: str = "files", tenant_id: str = TENANT) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)


def keyed(*documents: Sequence[Chunk], source: str = "files") -> list[tuple[DocumentKey, Chunk]]:
    """The chunks of documents with their keys, as an intent writes them."""
    return [(a_key(chunk.doc_id, source, chunk.tenant_id), chunk) for chunks in documents for chunk in chunks]


def found(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.ref.key.doc_id for candidate in candidates]


def terms(*rows: Mapping[int, float], model_id: str = "letters@1") -> SparseVectors:
    """Rows of term weights."""
    parts = [
        (np.array(sorted(row), np.int32), np.array([row[term] for term in sorted(row)], np.float32))
        for row in rows
    ]
    return SparseVectors(model_id, SparseMatrix.of_rows(parts, 64))


def terms_read(read: tuple[list[ChunkRef], SparseVectors] | None) -> dict[str, dict[int, float]]:
    """Weights by term, by document, as a store gives them back."""
    assert read is not None
    refs, vectors = read
    rows = [vectors.rows.row(number) for number in range(len(vectors.rows))]
    for indices, _ in rows:
        assert indices.tolist() == sorted(set(indices.tolist()))
        assert not len(indices) or indices[-1] < vectors.rows.vocabulary
    return {
        ref.key.doc_id: dict(zip(indices.tolist(), weights.tolist(), strict=True))
        for ref, (indices, weights) in zip(refs, rows, strict=True)
    }


def reordered(
    chunks: Sequence[tuple[DocumentKey, Chunk]], refs: Sequence[ChunkRef], vectors: SparseVectors
) -> SparseMatrix:
    """The rows in the order of the chunks."""
    place = {ref.key: number for number, ref in enumerate(refs)}
    return SparseMatrix.of_rows([vectors.rows.row(place[key]) for key, _ in chunks], vectors.rows.vocabulary)
