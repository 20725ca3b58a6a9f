"""`medkg verify` says first what it restores and deletes nothing unasked; lost files are no new folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from orchestration.ledger import open_ledger
from orchestration.records import DocumentKey
from tests.orchestration.command_line import Medkg
from tests.orchestration.operations.backup.copies import ingest, opened

LOST = "MEDKG-507"


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    """A folder with two documents of one tenant and one of another."""
    with opened(tmp_path / "data") as parts:
        ingest(parts, {"1": ["walking helps sleep"], "2": ["sleeping helps walking", "and the reverse"]})
        ingest(parts, {"3": ["running"]}, tenant_id="other")
    return Medkg(tmp_path / "data", TENANT)


def differences(value: Any) -> set[tuple[str, str, str]]:
    return {(row["doc_id"], row["store"], row["kind"]) for row in value["differences"]}


def steps(value: Any) -> list[tuple[str, str, bool]]:
    return [(step["action"], step["store"], step["asks"]) for step in value["plan"]]


def remove_search_and_documents(medkg: Medkg, doc_id: str) -> None:
    """Take from a document all that could be read of it."""
    with opened(medkg.data_dir) as parts:
        key = DocumentKey(tenant_id=TENANT, source="files", doc_id=doc_id)
        commit = parts.ledger.commits.find(key)
        assert commit is not None
        parts.stores.search.discard(TENANT, commit.intent_id, [key])
        parts.stores.documents.discard(key, None)


@pytest.mark.parametrize(
    "command",
    [("docs", "list"), ("search", "walking"), ("run", "auto", "--path", "."), ("up",), ("status",)],
    ids=" ".join,
)
@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_folder_whose_ledger_is_lost_is_not_taken_for_a_new_one(
    medkg: Medkg, command: tuple[str, ...], how: str
) -> None:
    ledger = medkg.data_dir / "ledger.sqlite"
    ledger.unlink() if how == "removed" else os.truncate(ledger, 0)
    error = medkg(*command, expect=2)["error"]
    assert error["code"] == LOST
    assert "medkg verify --repair" in error["message"]


def test_a_lost_ledger_is_made_again_for_all_tenants(medkg: Medkg) -> None:
    before = medkg("docs", "list")["documents"]
    (medkg.data_dir / "ledger.sqlite").unlink()
    assert not next(
        check["ok"] for check in medkg("doctor", expect=2)["checks"] if check["check"] == "ledger opens"
    )
    value = medkg("verify", expect=1)
    assert differences(value) == {("1", "ledger", "missing"), ("2", "ledger", "missing")}
    assert steps(value) == [("restore", "ledger", False)]
    repaired = medkg("verify", "--repair")
    assert repaired["consistent"]
    assert repaired["restored"] == {"ledger": 2}
    names = ("doc_id", "source", "title", "version", "status")
    again = medkg("docs", "list")["documents"]
    assert {tuple(row[name] for name in names) for row in again} == {
        tuple(row[name] for name in names) for row in before
    }
    other = Medkg(medkg.data_dir, "other")
    assert [row["doc_id"] for row in other("docs", "list")["documents"]] == ["3"]
    assert other("verify")["consistent"]


def test_a_torn_ledger_is_set_aside_and_made_again(medkg: Medkg) -> None:
    ledger = medkg.data_dir / "ledger.sqlite"
    os.truncate(ledger, ledger.stat().st_size // 2)
    assert "verify --repair" in medkg("docs", "list", expect=3)["error"]["message"]
    value = medkg("verify", expect=1)
    assert differences(value) == {("*", "ledger", "damaged")}
    assert not list(medkg.data_dir.glob("ledger.sqlite.damaged-*"))
    shown = medkg.text("verify", "--repair")
    assert "restore ledger from search, vectors, documents" in shown
    assert list(medkg.data_dir.glob("ledger.sqlite.damaged-*"))
    assert len(medkg("docs", "list")["documents"]) == 2


def test_what_is_gone_for_good_is_deleted_only_with_yes(medkg: Medkg) -> None:
    remove_search_and_documents(medkg, "2")
    value = medkg("verify", "--repair", expect=1)
    assert ("delete", "ledger", True) in steps(value)
    assert (value["deleted"], [row["doc_id"] for row in value["left"]]) == ([], ["2"])
    assert medkg("status")["documents"] == {"committed": 2}
    value = medkg("verify", "--repair", "--yes")
    assert (value["deleted"], value["queued"], value["consistent"]) == (["2"], ["2"], True)
    assert medkg("status")["documents"] == {"committed": 1, "queued": 1}


def test_yes_alone_repairs_nothing(medkg: Medkg) -> None:
    assert "--repair" in medkg("verify", "--yes", expect=2)["error"]["message"]


def test_a_lost_index_comes_back_from_the_parsed_documents(medkg: Medkg) -> None:
    (medkg.data_dir / "search" / f"{TENANT}.sqlite").unlink()
    assert "verify --repair" in medkg("search", "walking", expect=3)["error"]["message"]
    value = medkg("verify", expect=1)
    assert differences(value) == {("1", "search", "missing"), ("2", "search", "missing")}
    assert steps(value) == [("restore", "search", False)]
    repaired = medkg("verify", "--repair")
    assert (repaired["consistent"], repaired["restored"]) == (True, {"search": 2})
    hits = medkg("search", "walkers slept longer", "--legs", "bm25,sparse,dense")["hits"]
    assert {hit["doc_id"] for hit in hits} == {"1", "2"}
    for hit in hits:
        shown = medkg("docs", "show", hit["doc_id"])
        assert shown["text"][hit["start_char"] : hit["end_char"]] == hit["text"]


def test_without_stores_json_the_stores_that_are_set_have_to_hold_what_the_ledger_names(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    (medkg.data_dir / "stores.json").unlink()
    assert medkg("verify")["consistent"]
    (medkg.data_dir / "stores.json").unlink()
    elsewhere = medkg.data_dir.with_name("elsewhere")
    elsewhere.mkdir()
    for name in ("search", "vectors", "documents.sqlite"):
        (medkg.data_dir / name).rename(elsewhere / name)
    assert "stores.json" in medkg("search", "walking", expect=2)["error"]["message"]
    assert "stores.json" in medkg("verify", "--repair", "--yes", expect=2)["error"]["message"]
    ledger = open_ledger(f"sqlite:///{medkg.data_dir / 'ledger.sqlite'}")
    try:
        assert len(list(ledger.commits.committed(TENANT))) == 2
    finally:
        ledger.close()


@pytest.mark.parametrize("name", ["run", "dagster", "logs", "cache", "artifacts"])
def test_working_folders_hold_nothing_that_is_committed(medkg: Medkg, name: str) -> None:
    medkg("docs", "list")
    folder = medkg.data_dir / name
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()
    assert medkg("verify")["consistent"]
    assert {row["doc_id"] for row in medkg("docs", "list")["documents"]} == {"1", "2"}
