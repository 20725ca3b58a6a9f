"""Backup and restore: everything comes back, answers alike, in whatever ledger and stores there are."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_failure, a_job, an_item, claimed, taken
from orchestration.assembly import Assembly, open_data_folder
from orchestration.errors import ConfigurationError, CopyUnusableError, StoreCorruptError, UsageError
from orchestration.operations.backup.backing_up import back_up
from orchestration.operations.backup.restoring import restore
from orchestration.records import DocumentKey
from orchestration.settings import load_settings
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.operations.backup.copies import (
    RESTORING,
    Bodies,
    answers,
    export,
    import_all,
    ingest,
    opened,
    provenance_of,
    rows_of,
    unwatched,
    verified,
)
from tests.orchestration.postgresql import needs_postgresql, own_schema
from tests.orchestration.stores.data_folder import MODEL
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[4]
QUERIES = ("walking sleep", "eating", "other tenants")
CORPUS: Bodies = {"1": ["walking helps", "walking helps sleep"], "2": ["sleeping"], "3": []}
LATER: Bodies = {"4": ["eating", "drinking"], "2": ["sleeping well"]}


def fill(parts: Assembly) -> None:
    """Two tenants, superseded versions, a dead letter, a queued document and a document that has no terms."""
    ingest(parts, CORPUS)
    ingest(parts, LATER, version="2")
    ingest(parts, {"5": ["eating late"]}, sparse=False)
    ingest(parts, {"1": ["other tenants walk"]}, tenant_id="other")
    window = claimed(parts.ledger, a_job(parts.ledger, an_item("7"), an_item("8")), limit=1)
    (ctx,) = taken(parts.ledger, window)
    parts.ledger.outcomes.advance(window, "parse", [], [a_failure(ctx)], {"7": 1})


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    with opened(tmp_path / "a") as parts:
        fill(parts)
        back_up(parts, tmp_path / "backup", unwatched)
    return tmp_path / "backup"


def tables(parts: Assembly) -> dict[str, list[Mapping[str, Any]]]:
    with parts.ledger.copies.export_tables() as exported:
        return {table.name: [row for rows in table.rows for row in rows] for table in exported}


def answers_of(parts: Assembly) -> dict[str, Any]:
    """Everything that a user can read from a folder, for every tenant."""
    return {
        "tables": tables(parts),
        "answers": {
            (tenant, query): answers(parts, query, tenant)
            for tenant in ("default", "other")
            for query in QUERIES
        },
        "verified": (verified(parts), verified(parts, "other")),
        "documents": [
            parts.stores.documents.get(commit.key, commit.version, commit.fingerprint)
            for commit in parts.ledger.commits.committed(TENANT)
        ],
        "provenance": {tenant: provenance_of(parts, tenant) for tenant in ("default", "other")},
    }


# --- back again -------------------------------------------------------------------------------------


def test_a_restored_folder_reports_and_answers_what_the_lost_one_did_to_the_bit(
    tmp_path: Path, backup: Path
) -> None:
    with opened(tmp_path / "a") as parts:
        expected = answers_of(parts)
    assert expected["verified"] == (True, True)
    assert {each.revision for each in expected["provenance"][TENANT]} >= {"revision 1"}
    with opened(tmp_path / "b") as parts:
        restore(parts, backup, unwatched)
    with opened(tmp_path / "b") as parts:
        assert answers_of(parts) == expected
        ingest(parts, {"9": ["walking on"]})  # numbers go on
        assert verified(parts)
    assert not (tmp_path / "b" / "restore.unfinished").exists()


def test_a_backup_of_a_restored_folder_is_the_backup(tmp_path: Path, backup: Path) -> None:
    with opened(tmp_path / "b") as parts:
        restore(parts, backup, unwatched)
        back_up(parts, tmp_path / "second", unwatched)
    first, second = (
        json.loads((folder / "manifest.json").read_text()) for folder in (backup, tmp_path / "second")
    )
    assert first["files"] == second["files"]


def test_an_empty_folder_is_backed_up_and_restored(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as parts:
        back_up(parts, tmp_path / "backup", unwatched)
    with opened(tmp_path / "b") as parts:
        restore(parts, tmp_path / "backup", unwatched)
        assert parts.ledger.copies.is_empty()


# --- where it may not go, and what it may not be -----------------------------------------------------


def test_nothing_is_restored_over_anything(tmp_path: Path, backup: Path) -> None:
    with opened(tmp_path / "a") as parts:
        with pytest.raises(UsageError, match="is not empty"):
            restore(parts, backup, unwatched)
        assert verified(parts)
    with opened(tmp_path / "b", tenant="default") as parts, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDKG_LEDGER_URL", f"sqlite:///{tmp_path / 'a' / 'ledger.sqlite'}")
        with opened(tmp_path / "c") as elsewhere, pytest.raises(UsageError, match=r"ledger .* is not empty"):
            restore(elsewhere, backup, unwatched)
        restore(parts, backup, unwatched)


def test_a_damaged_backup_is_refused_and_the_folder_stays_untouched(tmp_path: Path, backup: Path) -> None:
    path = backup / "ledger" / "commits.parquet"
    path.write_bytes(path.read_bytes()[:-3])
    with opened(tmp_path / "b") as parts, pytest.raises(CopyUnusableError, match=r"commits.parquet"):
        restore(parts, backup, unwatched)
    assert not (tmp_path / "b").exists()


def test_a_backup_of_a_newer_ledger_is_refused(tmp_path: Path, backup: Path) -> None:
    path = backup / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "ledger_schema": "9999"}))
    with opened(tmp_path / "b") as parts, pytest.raises(CopyUnusableError, match="schema 9999"):
        restore(parts, backup, unwatched)


@pytest.mark.parametrize("boundary", RESTORING)
def test_a_restore_that_is_killed_says_so_and_begins_again(
    tmp_path: Path, backup: Path, boundary: str
) -> None:
    data_dir = tmp_path / "b"
    module = "tests.orchestration.operations.backup.copies"
    command = [sys.executable, "-m", module, str(data_dir), "restore", str(backup), boundary]
    assert subprocess.run(command, check=False, cwd=ROOT, timeout=PATIENCE).returncode == -signal.SIGKILL
    with (
        pytest.raises(ConfigurationError, match=r"is incomplete.*medkg restore .*backup. again"),
        open_data_folder(load_settings(data_dir=data_dir)),
    ):
        pass
    with opened(tmp_path / "a") as parts:
        expected = answers_of(parts)
    with opened(data_dir) as parts:
        restore(parts, backup, unwatched)
        assert answers_of(parts) == expected
    with open_data_folder(load_settings(data_dir=data_dir)) as data_folder:
        assert data_folder.status()["documents"] == {"committed": 5, "failed": 1, "queued": 1}


# --- beside writers ---------------------------------------------------------------------------------


def test_a_backup_beside_a_writer_is_of_one_moment(tmp_path: Path) -> None:
    """What is superseded before it was read is found in a newer copy of the ledger."""
    with opened(tmp_path / "a") as parts, opened(tmp_path / "a") as writer:
        fill(parts)
        _at_each_read(
            parts,
            [
                lambda: ingest(writer, {"4": ["eating now"], "10": ["new"]}, version="3"),
                lambda: ingest(writer, {"5": ["eating later"]}, version="3"),
            ],
        )
        back_up(parts, tmp_path / "backup", unwatched)
        expected = answers_of(writer)
    with opened(tmp_path / "b") as parts:
        restore(parts, tmp_path / "backup", unwatched)
        actual = answers_of(parts)
        assert actual["verified"] == (True, True)
        assert actual["tables"]["commits"] == expected["tables"]["commits"]
        assert actual["answers"] == expected["answers"]


def test_a_document_that_is_not_whole_is_named_and_the_backup_does_not_count(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as parts:
        fill(parts)
        key = DocumentKey(tenant_id=TENANT, source="files", doc_id="4")
        commit = parts.ledger.commits.find(key)
        assert commit is not None
        parts.stores.vectors.discard(TENANT, commit.intent_id, [key])
        with pytest.raises(StoreCorruptError, match="4 of files"):
            back_up(parts, tmp_path / "backup", unwatched)
    assert not (tmp_path / "backup" / "manifest.json").exists()


def _at_each_read(parts: Any, deeds: list[Callable[[], None]]) -> None:
    """Do the next deed, as long as there are any, before the vectors of an intent are read."""
    store = parts.stores.vectors
    read = store.vectors

    def call(*arguments: Any) -> Any:
        if deeds:
            deeds.pop(0)()
        return read(*arguments)

    store.vectors = call


# --- servers ----------------------------------------------------------------------------------------


@pytest.fixture
def on_opensearch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Data folders that are opened from now on have their index on a server."""
    with connected() as connection, own_prefix(connection) as prefix:
        monkeypatch.setenv("MEDKG_OPENSEARCH_URL", SERVER)
        monkeypatch.setenv("MEDKG_OPENSEARCH_PREFIX", prefix)
        monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
        monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
        yield


@needs_postgresql
@pytest.mark.needs_service("opensearch")
def test_from_sqlite_and_faiss_to_postgresql_and_opensearch_and_back(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with opened(tmp_path / "a") as parts:
        expected, rows = answers_of(parts), rows_of(export(parts, tmp_path / "first"))
    with own_schema() as url:
        monkeypatch.setenv("MEDKG_LEDGER_URL", url)
        request.getfixturevalue("on_opensearch")
        with opened(tmp_path / "servers") as parts:
            restore(parts, backup, unwatched)
            assert tables(parts) == expected["tables"]
            assert verified(parts) and verified(parts, "other")
            assert rows_of(export(parts, tmp_path / "second")) == rows
            back_up(parts, tmp_path / "from-servers", unwatched)
            _check_that_numbers_go_on(parts)
        with opened(tmp_path / "again") as parts, pytest.raises(UsageError, match="not empty"):
            restore(parts, backup, unwatched)
    for name in ("MEDKG_LEDGER_URL", "MEDKG_SEARCH_STORE", "MEDKG_VECTOR_STORE"):
        monkeypatch.delenv(name)
    with opened(tmp_path / "b") as parts:
        restore(parts, tmp_path / "from-servers", unwatched)
        assert answers_of(parts) == expected


def _check_that_numbers_go_on(parts: Assembly) -> None:
    """Of every table that counts: PostgreSQL would give the first number again."""
    window = claimed(parts.ledger, a_job(parts.ledger, an_item("11"), job_id="job-9"))
    (ctx,) = taken(parts.ledger, window)
    before = max(letter.id for letter in parts.ledger.dead_letters.find(TENANT))
    parts.ledger.outcomes.advance(window, "parse", [], [a_failure(ctx)], {})
    assert max(letter.id for letter in parts.ledger.dead_letters.find(TENANT)) == before + 1
    ingest(parts, {"12": ["walking on"]})
    assert verified(parts)


@pytest.mark.needs_service("opensearch")
def test_an_index_that_holds_something_of_the_tenant_is_left_alone(
    tmp_path: Path, backup: Path, on_opensearch: None
) -> None:
    with opened(tmp_path / "theirs") as parts:
        ingest(parts, {"1": ["not to be mixed"]})
    with opened(tmp_path / "b") as parts, pytest.raises(UsageError, match="MEDKG_OPENSEARCH_PREFIX"):
        restore(parts, backup, unwatched)
    assert not (tmp_path / "b" / "restore.unfinished").exists()


@pytest.mark.needs_service("opensearch")
def test_an_export_goes_to_opensearch_and_back_unchanged(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "a") as parts:
        fill(parts)
        first = export(parts, tmp_path / "first")
    request.getfixturevalue("on_opensearch")
    with opened(tmp_path / "servers") as parts:
        import_all(parts, first)
        assert verified(parts)
        second = export(parts, tmp_path / "second")
    for name in ("MEDKG_SEARCH_STORE", "MEDKG_VECTOR_STORE"):
        monkeypatch.delenv(name)
    with opened(tmp_path / "b") as parts:
        import_all(parts, second)
        third = export(parts, tmp_path / "third")
    assert rows_of(first) == rows_of(second) == rows_of(third)
    assert {row["dense_model"] for row in rows_of(third)} == {MODEL}


@pytest.mark.needs_service("s3")
def test_a_folder_is_restored_to_s3_and_back_and_not_over_what_is_there(
    tmp_path: Path, backup: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "a") as parts:
        expected = answers_of(parts)
    monkeypatch.setenv("MEDKG_OBJECTS_URL", s3_url)
    with opened(tmp_path / "on-s3") as parts:
        restore(parts, backup, unwatched)
        assert answers_of(parts) == expected
        back_up(parts, tmp_path / "from-s3", unwatched)
    with opened(tmp_path / "c") as parts, pytest.raises(UsageError, match="MEDKG_OBJECTS_URL"):
        restore(parts, backup, unwatched)
    monkeypatch.delenv("MEDKG_OBJECTS_URL")
    with opened(tmp_path / "b") as parts:
        restore(parts, tmp_path / "from-s3", unwatched)
        assert answers_of(parts) == expected


def test_mentions_and_claims_that_were_not_committed_are_not_restored(tmp_path: Path) -> None:
    key = DocumentKey(tenant_id=TENANT, source="files", doc_id="uncommitted")
    with opened(tmp_path / "a") as parts:
        fill(parts)
        committed = len(list(parts.ledger.graph.holdings(TENANT)))
        parts.ledger.graph.write("graph-of-a-window-at-work", [(key, ([], []))])
        back_up(parts, tmp_path / "backup", unwatched)
    with opened(tmp_path / "b") as parts:
        restore(parts, tmp_path / "backup", unwatched)
        assert len(list(parts.ledger.graph.holdings(TENANT))) == committed
        assert key not in [holding.key for holding in parts.ledger.graph.holdings(TENANT)]
        assert verified(parts)
