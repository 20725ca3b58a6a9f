"""Index writes: the dual write with its commits against bare SQLite FTS5 and FAISS, on the same chunks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np

from orchestration.batching import batched
from orchestration.contracts import Commit, values_of
from orchestration.ledger import open_ledger
from orchestration.processes.child_process import own_identity
from orchestration.records import Chunk, EmbeddingBatch, SparseMatrix, StageContext, content_version
from orchestration.stores.dual_write import DualWrite
from orchestration.stores.faiss.vectors import FaissVectors
from orchestration.stores.sqlite.documents import SqliteDocuments
from orchestration.stores.sqlite.search import SqliteSearch

from ..bench import Bench
from ..load.round_robin import best_rates

WINDOW: Final = 500
WIDTH: Final = 384
TERMS: Final = 150
VOCABULARY: Final = 30_522
TENANT: Final = "default"

Item = tuple[StageContext, EmbeddingBatch]


def measure(bench: Bench) -> dict[str, Any]:
    """Chunks a second, every text one chunk, with random vectors and terms; windows of 500."""
    rng = np.random.default_rng(bench.seed)
    items = [_item(number, text, rng) for number, text in enumerate(bench.texts)]
    rounds = count()
    contenders: dict[str, Callable[[], Any]] = {
        "dual_write": lambda: _dual_write(bench.folder / f"index-{next(rounds)}", items),
        "bare_fts5_and_faiss": lambda: _bare(bench.folder / f"bare-{next(rounds)}.sqlite", items),
    }
    rates = best_rates(contenders, len(items), bench.rounds)
    return {
        "chunks": len(items),
        "terms_per_chunk": TERMS,
        "chunks_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "dual_write_to_bare_fts5_and_faiss": round(rates["dual_write"] / rates["bare_fts5_and_faiss"], 3),
    }


def _dual_write(folder: Path, items: list[Item]) -> None:
    """Intent, words, terms, vectors and commit, durable, as a window's index stage does it."""
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    search, documents = SqliteSearch(folder / "search"), SqliteDocuments(folder / "documents.sqlite")
    index = DualWrite(ledger.commits, search, FaissVectors(folder / "vectors"), documents, ledger.graph)
    for window in batched(items, WINDOW):
        receipts = values_of(index.stage(TENANT, own_identity(), window))
        ledger.commits.commit(
            [Commit.of(ctx, receipt) for (ctx, _), receipt in zip(window, receipts, strict=True)]
        )
    for part in (search, documents, ledger):
        part.close()


def _bare(path: Path, items: list[Item]) -> None:
    """The same bodies and vectors into the engines alone: no terms, ids, versions, offsets or commits."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(body, tokenize='porter unicode61')")
    vectors = faiss.IndexFlatIP(WIDTH)
    for window in batched(items, WINDOW):
        with connection:
            connection.executemany(
                "INSERT INTO words (body) VALUES (?)", [(batch.chunks[0].body,) for _, batch in window]
            )
        vectors.add(np.concatenate([batch.dense for _, batch in window]))
    faiss.write_index(vectors, str(path.with_suffix(".faiss")))
    connection.close()


def _item(number: int, text: str, rng: np.random.Generator) -> Item:
    version = content_version(text.encode())
    ctx = StageContext(
        tenant_id=TENANT,
        job_id="bench",
        doc_id=str(number),
        correlation_id="bench",
        metadata={"source": "files", "version": version, "fingerprint": "bench"},
        pipeline_name="bench",
        pipeline_version="1",
    )
    chunk = Chunk(
        chunk_id=f"files:{number}:{version[:12]}:0",
        doc_id=str(number),
        tenant_id=TENANT,
        version=version,
        ordinal=0,
        body=text,
        title_path=(),
        section="",
        start_char=0,
        end_char=len(text),
        block_ids=(),
        token_count=max(1, len(text) // 4),
        granularity="chunk",
        chunker="bench",
        chunker_version="1",
    )
    dense = rng.standard_normal((1, WIDTH)).astype(np.float32)
    terms = np.sort(rng.choice(VOCABULARY, TERMS, replace=False)).astype(np.int32)
    sparse = SparseMatrix.of_rows([(terms, rng.random(TERMS, dtype=np.float32))], VOCABULARY)
    return ctx, EmbeddingBatch(
        (chunk,), dense / np.linalg.norm(dense), sparse, {"dense": "random@1", "sparse": "random@1"}
    )
