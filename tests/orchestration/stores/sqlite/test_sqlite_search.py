"""The search store on SQLite passes the suite, and tells damaged and unwritable files apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite import SearchStoreSuite
from medkg.testing.search_store_suite.builders import ANY, everything, keyed
from orchestration.errors import ConfigurationError, StoreCorruptError, StoreUnwritableError
from orchestration.stores.sqlite import due_words
from orchestration.stores.sqlite.search import SqliteSearch


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteSearch]:
    opened = SqliteSearch(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"{TENANT}.sqlite"


class TestSqliteSearch(SearchStoreSuite):
    pass


def changed_behind(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def overwritten(path: Path) -> None:
    """Damage a closed file from its second page on."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)


def test_a_word_index_that_does_not_fit_its_chunks_is_reported_and_repaired(
    store: SqliteSearch, path: Path
) -> None:
    store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
    changed_behind(path, "UPDATE chunks SET body = 'walking'")
    problem = store.damage(TENANT)
    assert problem is not None
    assert str(path) in problem
    store.repair(TENANT)
    assert store.damage(TENANT) is None
    assert len(store.bm25(TENANT, "walking", 10, ANY, everything)) == 1


def test_a_damaged_file_is_named_and_set_aside(store: SqliteSearch, path: Path) -> None:
    store.write(TENANT, "i1", keyed(*(chunks_of("sleep " * 50, doc_id=str(n)) for n in range(50))), None)
    store.close()
    overwritten(path)
    with pytest.raises(StoreCorruptError, match=str(path)):
        store.bm25(TENANT, "sleep", 10, ANY, everything)
    assert store.damage(TENANT) is not None
    store.repair(TENANT)
    assert store.damage(TENANT) is None
    assert list(store.holdings(TENANT)) == []
    assert len(list(path.parent.glob(f"{path.name}.damaged-*"))) >= 1


def test_a_file_that_is_no_database_is_named(store: SqliteSearch, path: Path) -> None:
    path.write_text("not a database, but long enough to be read as one\n" * 20)
    with pytest.raises(StoreCorruptError, match=str(path)):
        store.bm25(TENANT, "sleep", 10, ANY, everything)


def test_the_word_index_of_an_earlier_medkg_is_made_again_at_its_first_use(
    store: SqliteSearch, path: Path
) -> None:
    others = [chunks_of("walking", doc_id=f"PMC{number}") for number in range(100, 400)]
    store.write(TENANT, "i1", keyed(chunks_of("PaO\u2082 of TNF\u03b1", doc_id="PMC7"), *others), None)
    store.close()
    for statement in (
        "DROP TABLE chunk_words",
        "DROP VIEW words_of_chunks",
        "DROP TABLE identifiers",
        "CREATE VIRTUAL TABLE chunk_text USING fts5(body, titles, content='chunks', content_rowid='number')",
        "INSERT INTO chunk_text (chunk_text) VALUES ('rebuild')",
        "PRAGMA user_version = 3",
    ):
        changed_behind(path, statement)
    for query in ("PaO2", "TNF-alpha"):
        assert len(store.bm25(TENANT, query, 10, ANY, everything)) == 1
    assert len(store.identified(TENANT, ["pmcid:pmc7"], 10, ANY, everything)) == 1
    of_others = [f"pmcid:pmc{number}" for number in range(100, 400)]
    assert len(store.identified(TENANT, of_others, 1_000, ANY, everything)) == 300
    assert store.damage(TENANT) is None
    store.discard(TENANT, "i1", None)
    assert store.damage(TENANT) is None


def test_a_file_of_a_newer_medkg_is_refused(store: SqliteSearch, path: Path) -> None:
    store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
    store.close()
    changed_behind(path, "PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="newer medkg"):
        store.bm25(TENANT, "sleep", 10, ANY, everything)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = SqliteSearch(tmp_path / "file" / "search")
    with pytest.raises(StoreUnwritableError, match="data-dir"):
        store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)


def test_a_full_disk_leaves_the_store_as_it_was(store: SqliteSearch, path: Path) -> None:
    store.write(TENANT, "i1", keyed(chunks_of("sleep")), None)
    with store._file(TENANT).reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreUnwritableError, match=str(path)):
        store.write(TENANT, "i2", keyed(*(chunks_of("word " * 900, doc_id=str(n)) for n in range(99))), None)
    assert [holding.intent_id for holding in store.holdings(TENANT)] == ["i1"]
    assert store.damage(TENANT) is None


def test_a_call_without_a_tenant_is_refused(store: SqliteSearch) -> None:
    with pytest.raises(ConfigurationError, match="tenant"):
        store.bm25("", "sleep", 10, ANY, everything)


def of_an_earlier_medkg(path: Path) -> None:
    """Make a closed file one of schema 3."""
    for statement in (
        "DROP TABLE chunk_words",
        "DROP VIEW words_of_chunks",
        "DROP TABLE identifiers",
        "DROP TABLE words_due",
        "PRAGMA user_version = 3",
    ):
        changed_behind(path, statement)


def test_words_are_indexed_again_in_steps_beside_writers_and_after_a_kill(
    store: SqliteSearch, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks come and go between the steps, with numbers before and behind the step that was interrupted."""
    monkeypatch.setattr(due_words, "AT_ONCE", 2)
    for number in range(6):
        store.write(TENANT, f"i{number}", keyed(chunks_of(f"walking w{number}", doc_id=str(number))), None)
    store.close()
    of_an_earlier_medkg(path)
    steps: list[int] = []

    def interrupt(seconds: float) -> None:
        steps.append(1)
        if len(steps) == 2:  # four of six are indexed
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.bm25(TENANT, "walking", 10, ANY, everything)
    other = SqliteSearch(path.parent)  # as another process after a kill
    for number in (1, 3, 4, 5):  # indexed, and not indexed yet
        other.discard(TENANT, f"i{number}", None)
    other.write(TENANT, "again", keyed(chunks_of("walking w9", "walking w8", doc_id="9")), None)
    assert len(other.bm25(TENANT, "walking", 10, ANY, everything)) == 4
    for word, count in (("w0", 1), ("w1", 0), ("w2", 1), ("w5", 0), ("w8", 1), ("w9", 1)):
        assert len(other.bm25(TENANT, word, 10, ANY, everything)) == count
    assert other.damage(TENANT) is None
    other.discard(TENANT, "again", None)
    assert other.damage(TENANT) is None
    other.close()


def test_a_writer_does_not_wait_for_all_words_to_be_indexed_again(
    store: SqliteSearch, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_words, "AT_ONCE", 1)
    for number in range(3):
        store.write(TENANT, f"i{number}", keyed(chunks_of("walking", doc_id=str(number))), None)
    store.close()
    of_an_earlier_medkg(path)
    writer = SqliteSearch(path.parent)
    written = iter(range(10, 12))

    def write_between_steps(seconds: float) -> None:
        if (number := next(written, None)) is not None:
            writer.write(TENANT, f"i{number}", keyed(chunks_of("walking", doc_id=str(number))), None)

    monkeypatch.setattr("time.sleep", write_between_steps)
    assert len(store.bm25(TENANT, "walking", 10, ANY, everything)) == 5
    assert store.damage(TENANT) is None
    writer.close()
