"""File descriptors of a process that serves many tenants stay bounded, and so do those of ended threads."""

from __future__ import annotations

import threading
from pathlib import Path

from orchestration.stores.faiss.vectors import OPEN_INDEXES, FaissVectors
from orchestration.stores.sqlite.search import OPEN_TENANTS, SqliteSearch
from tests.exhaustive import fewer

TENANTS = fewer(3 * OPEN_TENANTS, 20 * OPEN_TENANTS)
PER_FILE = 3
"""The database, its write-ahead log, and the memory that connections share."""


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_stores_of_many_tenants_keep_few_files_open(tmp_path: Path) -> None:
    search = SqliteSearch(tmp_path)
    before = descriptors()
    for _ in range(2):
        for number in range(TENANTS):
            assert list(search.holdings(f"tenant-{number}", None)) == []
            assert descriptors() - before <= PER_FILE * OPEN_TENANTS
    search.close()
    assert descriptors() == before


def test_a_file_in_use_is_not_closed(tmp_path: Path) -> None:
    search = SqliteSearch(tmp_path)
    file = search._file("tenant")
    with file.reading() as connection:
        for number in range(2 * OPEN_TENANTS):
            list(search.holdings(f"tenant-{number}", None))
        assert not file.close_if_idle()
        assert connection.execute("SELECT 1").fetchone()[0] == 1
    assert file.close_if_idle()
    search.close()


def test_connections_of_ended_threads_are_closed(tmp_path: Path) -> None:
    search = SqliteSearch(tmp_path)
    before = descriptors()
    for _ in range(30):
        thread = threading.Thread(target=lambda: list(search.holdings("tenant", None)))
        thread.start()
        thread.join()
        assert descriptors() - before <= 2 * PER_FILE
    search.close()


def test_indexes_of_many_tenants_are_dropped(tmp_path: Path) -> None:
    vectors = FaissVectors(tmp_path)
    for number in range(3 * OPEN_INDEXES):
        vectors._recent(f"tenant-{number}", "model")
    assert len(vectors._searched) == len(vectors._indexes) == OPEN_INDEXES
