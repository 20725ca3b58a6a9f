"""Chunks by the hundred thousand in a search store: writes and BM25, against the same engine used bare.

`python -m benchmarks.cases.chunks 1000000` measures SQLite's; with `--opensearch URL` the server's words and
vectors. Bare means the same rows, settings and queries through sqlite3 and FTS5 alone, or through
opensearch-py's bulk helper and search: no intents, no facets' table, no visibility, no references.
No case of the suite: a million take an hour.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from orchestration.formats.match_expression import TOKENIZER, match_expression
from orchestration.formats.words import indexed_words
from orchestration.stores.sqlite.search import SqliteSearch

from ..data.synthetic_chunks import (
    ANYTHING,
    PART,
    QUERIES,
    TENANT,
    Figures,
    Part,
    Texts,
    Timed,
    everything,
    searched,
)
from .chunks_opensearch import measured_opensearch
from .vectors import LIMIT

__all__ = ["measured_sqlite"]


class BareFts:
    """The words' index and the rows, as one would write them by hand: same pragmas, words and columns."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(
            f"""
            PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE chunks (
                number INTEGER PRIMARY KEY, chunk_id TEXT UNIQUE, body TEXT, titles TEXT, record TEXT);
            CREATE VIRTUAL TABLE words USING fts5(
                body, titles, content='', tokenize='{TOKENIZER}');
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
            connection.executemany(
                "INSERT INTO words (rowid, body, titles) VALUES (?, ?, ?)",
                [
                    (number, indexed_words(body), indexed_words(titles))
                    for number, (_, body, titles, _) in enumerate(rows, last + 1)
                ],
            )

    def search(self, query: str) -> list[Any]:
        searches = (
            "SELECT c.chunk_id, words.rank FROM words CROSS JOIN chunks c ON c.number = words.rowid "
            "WHERE words MATCH ? AND words.rank MATCH 'bm25(1.0, 0.5)' ORDER BY words.rank LIMIT ?"
        )
        return self._connection.execute(searches, (match_expression(query), LIMIT)).fetchall()


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

    figures = searched(contenders, questions, write_on)
    size = sum(path.stat().st_size for path in (folder / "search").rglob("*")) / 2**20
    store.close()
    return {
        "chunks": count,
        **timed.figures(count),
        **figures,
        "mib": round(size),
        **started(folder / "search"),
    }


def started(folder: Path) -> Figures:
    """Seconds and MiB that a new process needs for its first search."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_first_search, folder).result()


def _first_search(folder: Path) -> Figures:
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    SqliteSearch(folder).bm25(TENANT, "the first search", LIMIT, ANYTHING, everything)
    return {
        "startup_seconds": round(time.perf_counter() - started, 3),
        "startup_rss_mib": round((psutil.Process().memory_info().rss - before) / 2**20, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", type=int)
    parser.add_argument("--opensearch", help="URL of a server; without it SQLite is measured")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="medkg-bench-"))
    try:
        if arguments.opensearch:
            figures = measured_opensearch(arguments.opensearch, arguments.count, 20261124)
        else:
            figures = measured_sqlite(folder, arguments.count, 20261124)
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
