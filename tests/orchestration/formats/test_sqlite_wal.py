"""Several processes may open a new SQLite file at once, and all of them get it in WAL mode."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from orchestration.formats.sqlite_wal import BUSY_SECONDS, use_wal

CONNECTIONS = 8
FILES = 40


def test_connections_that_open_a_new_file_at_once_all_get_it_in_wal_mode(tmp_path: Path) -> None:
    refused: list[sqlite3.OperationalError] = []

    def open_and_write(path: Path, together: threading.Barrier) -> None:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        together.wait()
        try:
            use_wal(connection)
            connection.execute("CREATE TABLE IF NOT EXISTS notes (note TEXT)")
        except sqlite3.OperationalError as error:
            refused.append(error)
        connection.close()

    for number in range(FILES):
        path = tmp_path / f"{number}.sqlite"
        together = threading.Barrier(CONNECTIONS)
        threads = [threading.Thread(target=open_and_write, args=(path, together)) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with sqlite3.connect(path) as reopened:
            assert reopened.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not refused
