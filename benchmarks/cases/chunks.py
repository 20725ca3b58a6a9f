"""Chunks by the hundred thousand in a search store: writes and BM25, against the same engine used bare.

`python -m benchmarks.cases.chunks 1000000` measures SQLite's; with `--opensearch URL` the server's words and
vectors. Bare means the same rows, settings and queries through sqlite3 and FTS5 alone, or through
opensearch-py's bulk helper and search: no intents, no facets' table, no visibility, no references. Texts are
words drawn by Zipf's law. No case of the suite: a million take an hour.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import uuid4

import numpy as np
import psutil
from opensearchpy import OpenSearch, helpers
from opensearchpy.exceptions import TransportError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from benchmarks.cases.vectors import LIMIT, WIDTH, clustered
from benchmarks.latency import latencies
from orchestration.contracts import ChunkRef, Filters, VectorRow, chunk_facets
from orchestration.errors import UnavailableError
from orchestration.query_words import match_expression
from orchestration.records import Chunk, DocumentKey
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.vectors import OpenSearchVectors
from orchestration.stores.sqlite.search import TOKENIZER, SqliteSearch

__all__ = ["measured_opensearch", "measured_sqlite"]

TENANT: Final = "bench"
NAMESPACE: Final = "bench@1"
PART: Final = 1_000
"""Chunks an intent: those of a window of 100 articles."""
A_DOCUMENT: Final = 10
WORDS: Final = 50_000
LENGTH: Final = 80
QUERIES: Final = 300
ANYTHING: Final = Filters()

Part = list[tuple[DocumentKey, Chunk]]
Figures = dict[str, Any]


def everything(ref: ChunkRef) -> bool:
    return True


class Texts:
    """Chunks and queries of made-up words, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        letters = self._random.integers(97, 123, size=(WORDS, 9), dtype=np.uint8)
        lengths = self._random.integers(3, 10, size=WORDS)
        self._words = [bytes(row[:length]).decode() for row, length in zip(letters, lengths, strict=True)]
        shares = 1 / np.arange(2, WORDS + 2)
        self._shares = np.cumsum(shares / shares.sum())

    def _drawn(self, count: int) -> list[str]:
        numbers = np.searchsorted(self._shares, self._random.random(count))
        return [self._words[number] for number in numbers.tolist()]

    def part(self, first: int) -> Part:
        """PART chunks, A_DOCUMENT of them a document."""
        made: Part = []
        words = self._drawn(PART * LENGTH)
        for number in range(first, first + PART):
            doc_id = str(number // A_DOCUMENT)
            key = DocumentKey(tenant_id=TENANT, source="pmc", doc_id=doc_id)
            start = (number - first) * LENGTH
            body = " ".join(words[start : start + LENGTH])
            ordinal = number % A_DOCUMENT
            made.append((key, a_chunk(doc_id, ordinal, body)))
        return made

    def queries(self, count: int) -> list[str]:
        """Four words each, none among the commonest fifty."""
        rare = (word for word in iter(lambda: self._drawn(1)[0], None) if word not in self._words[:50])
        return [" ".join(next(rare) for _ in range(4)) for _ in range(count)]


def a_chunk(doc_id: str, ordinal: int, body: str) -> Chunk:
    """With the metadata of an article's section."""
    return Chunk(
        chunk_id=f"pmc:{doc_id}:v:{ordinal}",
        doc_id=doc_id,
        tenant_id=TENANT,
        version="v",
        ordinal=ordinal,
        body=body,
        title_path=(f"Article {doc_id}", "Results"),
        section="results",
        start_char=ordinal * 1_000,
        end_char=ordinal * 1_000 + len(body),
        block_ids=(f"b{ordinal}",),
        token_count=LENGTH,
        granularity="chunk",
        chunker="written",
        chunker_version="1",
    )


def ratio(bare: float, ours: float) -> float:
    return round(bare / ours, 3)


class Timed:
    """Seconds spent in calls, by contender; a server that is overloaded is asked again, as a stage does."""

    AGAIN: ClassVar = Retrying(
        retry=retry_if_exception_type((UnavailableError, TransportError)),
        wait=wait_exponential(max=10),
        stop=stop_after_attempt(8),
        reraise=True,
    )

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[..., Any], *arguments: Any) -> None:
        started = time.perf_counter()
        self.AGAIN(call, *arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def figures(self, count: int) -> Figures:
        ours, bare = self.seconds["medkg"], self.seconds["bare"]
        return {
            "written_per_second": round(count / ours),
            "bare_written_per_second": round(count / bare),
            "write_rate_to_bare": ratio(bare, ours),
        }


def searched(
    contenders: dict[str, Callable[[Any], Any]], questions: Sequence[Any], write_on: Callable[[], Any]
) -> Figures:
    """At rest, and while one thread writes a part after the other."""
    at_rest = latencies(contenders, questions)
    stop = threading.Event()

    def writing() -> None:
        while not stop.wait(0.5):
            write_on()

    writer = threading.Thread(target=writing)
    writer.start()
    try:
        under_ingest = latencies(contenders, questions[: len(questions) // 2])
    finally:
        stop.set()
        writer.join()
    return {
        "at_rest": at_rest,
        "under_ingest": under_ingest,
        "rate_to_bare": ratio(at_rest["bare"]["p50_ms"], at_rest["medkg"]["p50_ms"]),
        "rate_to_bare_under_ingest": ratio(under_ingest["bare"]["p50_ms"], under_ingest["medkg"]["p50_ms"]),
    }


# --- SQLite -------------------------------------------------------------------------------------------


class BareFts:
    """The words' index and the rows, as one would write them by hand: same pragmas, tokenizer and columns."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(
            f"""
            PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE chunks (
                number INTEGER PRIMARY KEY, chunk_id TEXT UNIQUE, body TEXT, titles TEXT, record TEXT);
            CREATE VIRTUAL TABLE words USING fts5(
                body, titles, content='chunks', content_rowid='number', tokenize='{TOKENIZER}');
            """
        )

    def write(self, part: Part) -> None:
        rows = [
            (chunk.chunk_id, chunk.body, " ".join(chunk.title_path), chunk.model_dump_json(exclude={"body"}))
            for _, chunk in part
        ]
        with self._connection as connection:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM chunks").fetchone()
            connection.executemany(
                "INSERT INTO chunks (chunk_id, body, titles, record) VALUES (?, ?, ?, ?)", rows
            )
            connection.execute(
                "INSERT INTO words (rowid, body, titles) SELECT number, body, titles FROM chunks "
                "WHERE number > ?",
                (last,),
            )

    def search(self, query: str) -> list[Any]:
        asked = (
            "SELECT c.chunk_id, words.rank FROM words CROSS JOIN chunks c ON c.number = words.rowid "
            "WHERE words MATCH ? AND words.rank MATCH 'bm25(1.0, 0.5)' ORDER BY words.rank LIMIT ?"
        )
        return self._connection.execute(asked, (match_expression(query), LIMIT)).fetchall()


def measured_sqlite(folder: Path, count: int, seed: int) -> Figures:
    """Rates, milliseconds, start-up and MiB of SqliteSearch beside FTS5."""
    folder.mkdir(parents=True, exist_ok=True)
    texts, timed = Texts(seed), Timed()
    store, bare = SqliteSearch(folder / "search"), BareFts(folder / "bare.sqlite")
    for first in range(0, count, PART):
        part = texts.part(first)
        timed("medkg", store.write, TENANT, f"i{first}", part, None)
        timed("bare", bare.write, part)
    questions = texts.queries(QUERIES)
    contenders: dict[str, Callable[[Any], Any]] = {
        "medkg": lambda query: store.bm25(TENANT, query, LIMIT, ANYTHING, everything),
        "bare": bare.search,
    }
    more = iter(range(count, sys.maxsize, PART))

    def write_on() -> None:
        first = next(more)
        store.write(TENANT, f"i{first}", texts.part(first), None)

    found = searched(contenders, questions, write_on)
    size = sum(path.stat().st_size for path in (folder / "search").rglob("*")) / 2**20
    store.close()
    return {
        "chunks": count,
        **timed.figures(count),
        **found,
        "mib": round(size),
        **started(folder / "search"),
    }


def started(folder: Path) -> Figures:
    """Seconds and MiB that a new process needs for its first search."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_first_search, folder).result()


def _first_search(folder: Path) -> Figures:
    before, begun = psutil.Process().memory_info().rss, time.perf_counter()
    SqliteSearch(folder).bm25(TENANT, "the first search", LIMIT, ANYTHING, everything)
    return {
        "startup_seconds": round(time.perf_counter() - begun, 3),
        "startup_rss_mib": round((psutil.Process().memory_info().rss - before) / 2**20, 1),
    }


# --- OpenSearch ---------------------------------------------------------------------------------------


def measured_opensearch(url: str, count: int, seed: int) -> Figures:
    """Rates and milliseconds of both stores on a server beside opensearch-py on indexes like theirs."""
    connection, prefix = Connection(url), f"bench-{uuid4().hex[:8]}"
    client = OpenSearch(url, timeout=120)
    try:
        return {
            "chunks": count,
            "words": _words(connection, client, prefix, count, seed),
            "vectors": _vectors(connection, client, prefix, count, seed),
        }
    finally:
        client.indices.delete(index=f"{prefix}-*", ignore=404)
        client.indices.delete_index_template(name=f"{prefix}-*", ignore=404)
        connection.close()


def _twin(client: OpenSearch, index: str, name: str) -> str:
    """An empty index with the same settings and mappings."""
    (found,) = client.indices.get(index=index).values()
    settings = {
        key: value
        for key, value in found["settings"]["index"].items()
        if key not in ("uuid", "version", "creation_date", "provided_name", "replication")
    }
    client.indices.create(index=name, body={"settings": {"index": settings}, "mappings": found["mappings"]})
    return name


def _bulk(client: OpenSearch, index: str, documents: Sequence[dict[str, Any]]) -> None:
    """As opensearch-py's guide has it, and searchable when it returns, as ours is."""
    helpers.bulk(client, ({"_index": index, **one} for one in documents), chunk_size=500, refresh=True)


def _words(connection: Connection, client: OpenSearch, prefix: str, count: int, seed: int) -> Figures:
    texts, timed, store = Texts(seed), Timed(), OpenSearchSearch(connection, prefix)
    store.write(TENANT, "first", texts.part(0)[:1], None)
    store.discard(TENANT, "first", None)
    mine = next(iter(client.indices.get_alias(name=f"{prefix}-*")))
    twin = _twin(client, mine, f"{prefix}-bare-words")

    def documents(part: Part) -> Iterator[dict[str, Any]]:
        for key, chunk in part:
            yield {
                "_id": chunk.chunk_id,
                "source": key.source,
                "doc_id": key.doc_id,
                "chunk_id": chunk.chunk_id,
                "facets": {name: list(values) for name, values in chunk_facets(key, chunk).items()},
                "ordinal": chunk.ordinal,
                "body": chunk.body,
                "titles": " ".join(chunk.title_path),
                "record": chunk.model_dump_json(exclude={"body"}),
            }

    for first in range(0, count, PART):
        part = texts.part(first)
        timed("medkg", store.write, TENANT, f"i{first}", part, None)
        timed("bare", _bulk, client, twin, list(documents(part)))

    def bare(query: str) -> Any:
        fields = {"query": query, "fields": ["body", "titles^0.5"], "type": "most_fields"}
        body = {"query": {"multi_match": fields}, "size": LIMIT, "_source": ["doc_id", "chunk_id"]}
        return client.search(index=twin, body=body)

    more = iter(range(count, sys.maxsize, PART))

    def write_on() -> None:
        first = next(more)
        store.write(TENANT, f"i{first}", texts.part(first), None)

    contenders: dict[str, Callable[[Any], Any]] = {
        "medkg": lambda query: store.bm25(TENANT, query, LIMIT, ANYTHING, everything),
        "bare": bare,
    }
    return {**timed.figures(count), **searched(contenders, texts.queries(QUERIES), write_on)}


def _vectors(connection: Connection, client: OpenSearch, prefix: str, count: int, seed: int) -> Figures:
    timed, store = Timed(), OpenSearchVectors(connection, prefix)
    dense = clustered(count + QUERIES + 20 * PART, seed)
    dense, queries, rest = dense[:count], dense[count : count + QUERIES], dense[count + QUERIES :]

    def rows(first: int) -> list[VectorRow]:
        return [
            VectorRow(
                DocumentKey(tenant_id=TENANT, source="pmc", doc_id=str(number // A_DOCUMENT)),
                f"pmc:{number // A_DOCUMENT}:v:{number % A_DOCUMENT}",
                {"source": ("pmc",), "section": ("results",)},
            )
            for number in range(first, first + PART)
        ]

    store.write(TENANT, NAMESPACE, "first", rows(0)[:1], dense[:1])
    store.discard(TENANT, "first")
    mine = next(iter(client.indices.get(index=f"{prefix}-vectors.*")))
    twin = _twin(client, mine, f"{prefix}-bare-vectors")

    def documents(first: int) -> Iterator[dict[str, Any]]:
        for row, vector in zip(rows(first), dense[first : first + PART], strict=True):
            facets = {name: list(values) for name, values in row.facets.items()}
            yield {
                "_id": row.chunk_id,
                "source": row.key.source,
                "doc_id": row.key.doc_id,
                "chunk_id": row.chunk_id,
                "facets": facets,
                "vector": vector.tolist(),
            }

    for first in range(0, count, PART):
        part = dense[first : first + PART]
        timed("medkg", store.write, TENANT, NAMESPACE, f"i{first}", rows(first), part)
        timed("bare", _bulk, client, twin, list(documents(first)))

    def bare(query: Any) -> Any:
        near = {"vector": query.tolist(), "k": LIMIT}
        body = {"query": {"knn": {"vector": near}}, "size": LIMIT, "_source": ["doc_id", "chunk_id"]}
        return client.search(index=twin, body=body)

    more = iter(range(0, len(rest) - PART, PART))

    def write_on() -> None:
        first = next(more)
        store.write(TENANT, NAMESPACE, f"more{first}", rows(count + first), rest[first : first + PART])

    contenders: dict[str, Callable[[Any], Any]] = {
        "medkg": lambda query: store.search(TENANT, NAMESPACE, query, LIMIT, ANYTHING, everything),
        "bare": bare,
    }
    return {**timed.figures(count), "width": WIDTH, **searched(contenders, list(queries), write_on)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", type=int)
    parser.add_argument("--opensearch", help="URL of a server; without it SQLite is measured")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="medkg-bench-"))
    try:
        if asked.opensearch:
            figures = measured_opensearch(asked.opensearch, asked.count, 20261124)
        else:
            figures = measured_sqlite(folder, asked.count, 20261124)
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
