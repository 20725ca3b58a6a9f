"""Sparse vectors as an inverted index in SQLite: for each term and intent, who has it and how strongly.

Comes in: rows of term weights with the numbers of their chunks; a query's row. Leaves: chunk numbers with
inner products. Written in the transaction that writes the chunks, so neither is ever without the other. A
segment is what one intent wrote under one model: postings of two models never meet.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import SparseVectors
from orchestration.records import SparseMatrix

__all__ = ["SCHEMA", "models", "read", "remove", "scored", "write"]

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS sparse_segments (
        segment INTEGER PRIMARY KEY,
        intent_id TEXT NOT NULL UNIQUE,
        model_id TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS sparse_postings (
        term INTEGER NOT NULL,
        segment INTEGER NOT NULL,
        numbers BLOB NOT NULL,
        weights BLOB NOT NULL,
        PRIMARY KEY (term, segment)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS sparse_postings_by_segment ON sparse_postings (segment)",
)
"""numbers: int32 chunk numbers, ascending. weights: fp16, which rounds a weight by less than 0.05 %."""

NUMBER: Final = np.dtype("<i4")
WEIGHT: Final = np.dtype("<f2")

INSERT_SEGMENT: Final = "INSERT INTO sparse_segments (intent_id, model_id) VALUES (?, ?)"
INSERT_POSTINGS: Final = "INSERT INTO sparse_postings (term, segment, numbers, weights) VALUES (?, ?, ?, ?)"
MODEL_OF: Final = "SELECT segment, model_id FROM sparse_segments WHERE intent_id = ?"
MODELS: Final = "SELECT intent_id, model_id FROM sparse_segments"
SEGMENT_OF: Final = "SELECT segment FROM sparse_segments WHERE intent_id = ?"
POSTINGS_OF: Final = "SELECT term, numbers, weights FROM sparse_postings WHERE segment = ?"
OF_TERMS: Final = """
SELECT p.term, p.numbers, p.weights FROM sparse_postings p JOIN sparse_segments s USING (segment)
WHERE p.term IN (SELECT value FROM json_each(?)) AND s.model_id = ?
"""


def write(
    connection: sqlite3.Connection, intent_id: str, numbers: Sequence[int], vectors: SparseVectors
) -> None:
    """Postings of an intent that has none yet; row i belongs to the chunk numbers[i], ascending."""
    rows = vectors.rows
    segment = connection.execute(INSERT_SEGMENT, (intent_id, vectors.model_id)).lastrowid
    owners = np.repeat(np.asarray(numbers, dtype=NUMBER), np.diff(rows.indptr))
    order = np.argsort(rows.indices, kind="stable")
    terms, starts = np.unique(rows.indices[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)][: len(terms)]  # none where no row has a term
    owners, weights = owners[order], rows.values[order].astype(WEIGHT)
    connection.executemany(
        INSERT_POSTINGS,
        (
            (term, segment, owners[start:end].tobytes(), weights[start:end].tobytes())
            for term, start, end in zip(terms.tolist(), starts.tolist(), ends, strict=True)
        ),
    )


def remove(connection: sqlite3.Connection, intent_id: str, numbers: Sequence[int] | None) -> None:
    """Forget these chunks of an intent, or all it wrote. Idempotent."""
    row = connection.execute(SEGMENT_OF, (intent_id,)).fetchone()
    if row is None:
        return
    (segment,) = row
    remaining = [] if numbers is None else _kept(connection, segment, np.asarray(numbers, dtype=NUMBER))
    connection.execute("DELETE FROM sparse_postings WHERE segment = ?", (segment,))
    if remaining:
        connection.executemany(INSERT_POSTINGS, remaining)
    else:
        connection.execute("DELETE FROM sparse_segments WHERE segment = ?", (segment,))


def models(connection: sqlite3.Connection) -> dict[str, str]:
    """Model by intent."""
    return dict(map(tuple, connection.execute(MODELS)))


def read(connection: sqlite3.Connection, intent_id: str, numbers: Sequence[int]) -> SparseVectors | None:
    """The rows of an intent's chunks, given by number; None where it has no terms. No weights of 0."""
    stored = connection.execute(MODEL_OF, (intent_id,)).fetchone()
    if stored is None:
        return None
    segment, model_id = stored
    terms, owners, weights = [], [], []
    for term, of_term, its_weights in connection.execute(POSTINGS_OF, (segment,)):
        owners.append(np.frombuffer(of_term, dtype=NUMBER))
        weights.append(np.frombuffer(its_weights, dtype=WEIGHT))
        terms.append(np.full(len(owners[-1]), term, np.int32))
    term = np.concatenate([np.empty(0, np.int32), *terms])
    owner = np.concatenate([np.empty(0, NUMBER), *owners])
    weight = np.concatenate([np.empty(0, WEIGHT), *weights]).astype(np.float32)
    place = {number: row for row, number in enumerate(numbers)}
    row = np.array([place[number] for number in owner.tolist()], np.int64)
    order = np.lexsort((term, row))
    order = order[weight[order] != 0]
    ends = np.searchsorted(row[order], np.arange(len(numbers) + 1))
    vocabulary = int(term.max(initial=-1)) + 1
    matrix = SparseMatrix(ends.astype(np.int64), term[order], weight[order], vocabulary)
    return SparseVectors(model_id, matrix)


def scored(
    connection: sqlite3.Connection, query: SparseVectors
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(chunk numbers, inner products) of all chunks that share a term with the query's one row."""
    indices, values = query.rows.row(0)
    weight_of = dict(zip(indices.tolist(), values.tolist(), strict=True))
    numbers: list[npt.NDArray[np.int32]] = []
    products: list[npt.NDArray[np.float64]] = []
    for term, owners, weights in connection.execute(OF_TERMS, (json.dumps(indices.tolist()), query.model_id)):
        numbers.append(np.frombuffer(owners, dtype=NUMBER))
        products.append(np.frombuffer(weights, dtype=WEIGHT).astype(np.float64) * weight_of[term])
    if not numbers:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    owner = np.concatenate(numbers)
    lowest = int(owner.min())
    sums = np.bincount(owner - lowest, weights=np.concatenate(products))
    nonzero = np.flatnonzero(sums).astype(np.int64)
    return nonzero + lowest, sums[nonzero].astype(np.float64)


def _kept(
    connection: sqlite3.Connection, segment: int, gone: npt.NDArray[np.int32]
) -> list[tuple[int, int, bytes, bytes]]:
    """The segment's postings without those of some chunks."""
    left = []
    for term, owners, weights in connection.execute(POSTINGS_OF, (segment,)):
        numbers = np.frombuffer(owners, dtype=NUMBER)
        stays = ~np.isin(numbers, gone)
        if stays.any():
            kept_weights = np.frombuffer(weights, dtype=WEIGHT)[stays]
            left.append((term, segment, numbers[stays].tobytes(), kept_weights.tobytes()))
    return left
