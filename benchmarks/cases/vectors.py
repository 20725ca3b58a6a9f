"""Vectors by the hundred thousand: writes, start-up and searches against the same FAISS index used bare.

`python -m benchmarks.cases.vectors 1000000` measures that many; as a case of the suite, ROWS.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import psutil

from orchestration.contracts import ChunkRef, Filters, VectorRow
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.faiss.approximate import Approximate
from orchestration.stores.faiss.derived import load
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors

from ..bench import Bench
from ..load.latency import latencies

ROWS: Final = 100_000
WIDTH: Final = 384
CLUSTERS: Final = 2_000
PART: Final = 5_000
"""Rows an intent: the chunks of some 500 articles."""
QUERIES: Final = 500
LIMIT: Final = 10
TENANT: Final = "default"
NAMESPACE: Final = "bench"
FILTERS: Final = Filters(section=("results",), since="2015")

Query = Callable[[Float32Matrix], Any]


def measure(bench: Bench) -> dict[str, Any]:
    """ROWS clustered unit vectors of 384 dimensions."""
    return measured(bench.folder / "vectors", ROWS, bench.seed)


def measured(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Rates, seconds, MiB and milliseconds; ratios are to FAISS alone on the same vectors."""
    dense = clustered(count + QUERIES + PART, seed)
    dense, queries, more = dense[:count], dense[count : count + QUERIES], dense[count + QUERIES :]
    store = FaissVectors(folder, IndexSizes(build_threads=psutil.cpu_count() or 1))
    started = time.perf_counter()
    for part in range(0, count, PART):
        _write(store, f"i{part}", part, dense[part : part + PART])
    written = time.perf_counter() - started
    started = time.perf_counter()
    flat = faiss.IndexFlatIP(WIDTH)
    for part in range(0, count, PART):
        flat.add(dense[part : part + PART])
    faiss.write_index(flat, str(folder / "bare.flat"))
    bare_written = time.perf_counter() - started
    started = time.perf_counter()
    store.compact(TENANT)
    built = time.perf_counter() - started
    derived = load(folder / TENANT / NAMESPACE)
    assert derived is not None
    _, exact = flat.search(queries, LIMIT)
    del flat
    return {
        "vectors": count,
        "kind": derived.manifest.kind,
        "vectors_written_per_second": round(count / written),
        "written_to_bare_flat_add_and_write": round(bare_written / written, 3),
        "built_seconds": round(built, 1),
        "index_mib": round(sum(path.stat().st_size for path in folder.rglob("derived/*")) / 2**20),
        "recall_when_built": round(derived.manifest.recall, 4),
        "recall_at_10": round(_recall(store, queries, exact), 4),
        **_started(folder),
        **_searched(store, derived.approximate, queries, more, count),
    }


def clustered(count: int, seed: int) -> Float32Matrix:
    """Unit vectors around CLUSTERS centres; neighbours within a cluster have a cosine of some 0.6."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((CLUSTERS, WIDTH), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    dense = random.standard_normal((count, WIDTH), dtype=np.float32)
    dense *= 0.8 / np.sqrt(WIDTH)
    dense += centres[random.integers(CLUSTERS, size=count)]
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    return dense


def _write(store: FaissVectors, intent_id: str, first: int, dense: Float32Matrix) -> None:
    """Ten chunks a document, each with its source, section, condition and date."""
    rows = []
    for number in range(first, first + len(dense)):
        doc_id = str(number // 10)
        facets = {
            "source": ("pmc",),
            "section": (("methods", "results", "discussion")[number % 3],),
            "condition": (f"condition {number // 10 % 500}",),
            "date": (f"{1990 + number // 10 % 35}-01-01",),
        }
        key = DocumentKey(tenant_id=TENANT, source="pmc", doc_id=doc_id)
        rows.append(VectorRow(key, f"pmc:{doc_id}:v:{number}", facets))
    store.write(TENANT, NAMESPACE, intent_id, rows, dense)


def _searched(
    store: FaissVectors,
    approximate: Approximate | None,
    queries: Float32Matrix,
    more: Float32Matrix,
    count: int,
) -> dict[str, Any]:
    """Milliseconds of consecutive searches, ours and bare round robin, at rest and beside a writer."""

    def ours(query: Float32Matrix) -> Any:
        return store.search(TENANT, NAMESPACE, query, LIMIT, Filters(), _everything)

    def filtered(query: Float32Matrix) -> Any:
        return store.search(TENANT, NAMESPACE, query, LIMIT, FILTERS, _everything)

    bare = _bare(approximate)
    contenders: dict[str, Query] = {"medkg": ours} if bare is None else {"medkg": ours, "bare": bare}
    at_rest = latencies(contenders, queries)
    stop = threading.Event()
    writer = threading.Thread(target=_write_on, args=(store, count, more, stop))
    writer.start()
    try:
        while_writing = latencies(contenders, queries)
    finally:
        stop.set()
        writer.join()
    figures = {
        "at_rest": at_rest,
        "while_writing": while_writing,
        "filtered": latencies({"medkg": filtered}, queries[:100])["medkg"],
    }
    if bare is not None:
        figures["rate_to_bare"] = round(at_rest["bare"]["mean_ms"] / at_rest["medkg"]["mean_ms"], 3)
        figures["rate_to_bare_while_writing"] = round(
            while_writing["bare"]["mean_ms"] / while_writing["medkg"]["mean_ms"], 3
        )
    return figures


def _bare(approximate: Approximate | None) -> Query | None:
    """The same index with the same effort, hits as FAISS numbers them; None where search is exact."""
    if approximate is None:
        return None
    engine: Any = faiss
    depth = approximate.effort.depth
    parameters = (
        engine.SearchParametersHNSW(efSearch=depth)
        if approximate.kind == "hnsw"
        else engine.SearchParametersIVF(nprobe=depth)
    )
    wanted = LIMIT * approximate.effort.widening
    return lambda query: approximate.index.search(query[None], wanted, params=parameters)


def _write_on(store: FaissVectors, count: int, more: Float32Matrix, stop: threading.Event) -> None:
    """A segment of 100 rows every tenth of a second, as an ingest of 1,000 chunks a second makes them."""
    for start in range(0, len(more), 100):
        if stop.wait(0.1):
            return
        _write(store, f"more{start}", count + start, more[start : start + 100])


def _recall(store: FaissVectors, queries: Float32Matrix, exact: Any) -> float:
    """Share of the ten nearest that the store finds; its chunk ids end with the row."""
    shares = []
    for query, rows in zip(queries, exact, strict=True):
        hits = store.search(TENANT, NAMESPACE, query, LIMIT, Filters(), _everything)
        rows_found = {int(hit.ref.chunk_id.rsplit(":", 1)[1]) for hit in hits}
        shares.append(len(rows_found & set(rows.tolist())) / LIMIT)
    return float(np.mean(shares))


def _started(folder: Path) -> dict[str, Any]:
    """Seconds and MiB that a new process needs for its first search."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_first_search, folder).result()


def _first_search(folder: Path) -> dict[str, Any]:
    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    query = np.ones(WIDTH, dtype=np.float32)
    FaissVectors(folder).search(TENANT, NAMESPACE, query, LIMIT, Filters(), _everything)
    return {
        "startup_seconds": round(time.perf_counter() - started, 2),
        "startup_rss_mib": round((psutil.Process().memory_info().rss - before) / 2**20),
    }


def _everything(ref: ChunkRef) -> bool:
    return True


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="medkg-vectors-"))
    try:
        figures = measured(place, int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, 7)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
