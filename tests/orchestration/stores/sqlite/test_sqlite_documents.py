"""The document store on SQLite passes the suite, and notices damage."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from medkg.testing.builders import a_document
from medkg.testing.document_store_suite import F1, V1, V2, DocumentStoreSuite, a_version
from orchestration.errors import StoreCorruptError
from orchestration.stores.sqlite.documents import SqliteDocuments


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "documents.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteDocuments]:
    opened = SqliteDocuments(path)
    yield opened
    opened.close()


class TestSqliteDocuments(DocumentStoreSuite):
    pass


def test_a_damaged_document_is_named_and_counts_as_not_held(store: SqliteDocuments, path: Path) -> None:
    store.put([(a_version(), a_document(version=V1))])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE documents SET document = substr(document, 1, 40)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorruptError, match="doc-1"):
        store.get(a_version().key, V1, F1)
    assert list(store.held("default")) == []


def test_a_damaged_file_is_set_aside(store: SqliteDocuments, path: Path) -> None:
    store.put([(a_version(), a_document(version=V1))])
    store.close()
    path.write_bytes(b"\x55" * path.stat().st_size)
    assert store.damage() is not None
    store.repair()
    assert store.damage() is None
    assert store.get(a_version().key, V1, F1) is None


def test_a_file_of_the_first_schema_keeps_its_documents(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE documents (tenant_id TEXT NOT NULL, source TEXT NOT NULL, doc_id TEXT NOT NULL, "
            "version TEXT NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL, document BLOB NOT NULL, "
            "UNIQUE (tenant_id, source, doc_id, version, fingerprint))"
        )
        content = zlib.compress(a_document(version=V1).model_dump_json().encode())
        row = ("default", "files", "doc-1", V1, F1, "title", content)
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("PRAGMA user_version = 1")
    with closing(SqliteDocuments(path)) as store:
        assert list(store.provenance("default")) == [(a_version().key, V1, F1, "", "", None)]
        store.put([(a_version(V2), a_document(version=V2))])
        assert len(list(store.held("default"))) == 2
