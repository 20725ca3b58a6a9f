"""A document of a copy that a store refuses is left out and named; an import or restore takes all others.

The copies were made when stores took longer values. SQLite refuses such a value by the limits that all stores
share; of OpenSearch these limits are lifted, so that the server itself refuses the entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from orchestration.assembly import Assembly
from orchestration.operations.backup.backing_up import back_up
from orchestration.operations.backup.importing import import_tenant
from orchestration.operations.backup.restoring import restore
from orchestration.records import DocumentKey
from orchestration.stores import entry_limits
from tests.orchestration.command_line import Medkg
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.operations.backup.copies import (
    answers,
    export,
    import_all,
    ingest,
    opened,
    unwatched,
    verified,
)

LIFTED = 1_000_000
LONG = {"2": "m" * 40_000, "4": "n" * 40_000}
"""Headings by document, longer than a store takes."""
CORPUS = {
    "1": ["walking helps", "walking helps sleep"],
    "2": ["walking alone"],
    "3": [],
    "4": ["walking far"],
    "5": ["walking again"],
}
ACCEPTED = ["walking again", "walking helps", "walking helps sleep"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assembly]:
    """A folder of SQLite and FAISS with CORPUS, of which two documents have long headings."""
    with opened(tmp_path / "a") as parts:
        with monkeypatch.context() as patch:
            patch.setattr(entry_limits, "MOST_TERM_BYTES", LIFTED)
            ingest(parts, CORPUS, mesh=LONG)
        yield parts


@pytest.fixture(params=["sqlite", pytest.param("opensearch", marks=pytest.mark.needs_service("opensearch"))])
def stores(
    request: pytest.FixtureRequest, source: Assembly, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Stores of folders that are opened from now on, and what their refusal says."""
    if request.param == "sqlite":
        yield "a value of mesh"
        return
    monkeypatch.setattr(entry_limits, "MOST_TERM_BYTES", LIFTED)
    with connected() as connection, own_prefix(connection) as prefix:
        monkeypatch.setenv("MEDKG_OPENSEARCH_URL", SERVER)
        monkeypatch.setenv("MEDKG_OPENSEARCH_PREFIX", prefix)
        monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
        monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
        yield "the search server refuses"


def found(parts: Assembly) -> list[str]:
    """Bodies that readers find about walking."""
    intents = {commit.key: commit.intent_id for commit in parts.ledger.commits.committed(TENANT)}
    by_id = {
        chunk.chunk_id: chunk.body
        for key, intent_id in intents.items()
        for chunk in parts.stores.search.document_chunks(key, intent_id)
    }
    return sorted(by_id[chunk_id] for chunk_id, _ in answers(parts, "walking")["bm25"])


def held_documents(parts: Assembly) -> set[str]:
    """Documents of which any store holds anything."""
    stores = parts.stores
    entries = [*stores.search.holdings(TENANT), *stores.vectors.holdings(TENANT)]
    parsed = [key for key, _, _ in stores.documents.held(TENANT)]
    return {key.doc_id for key in [*(holding.key for holding in entries), *parsed]}


def named(value: Any) -> list[tuple[str, str, str]]:
    return [(each.source, each.doc_id, each.code) for each in value.refused]


def test_an_import_takes_all_but_what_a_store_refuses_whenever_it_is_repeated(
    tmp_path: Path, source: Assembly, stores: str
) -> None:
    copy = export(source, tmp_path / "copy")
    with opened(tmp_path / "b") as parts:
        for imported, unchanged in ((3, 0), (0, 3)):
            done = import_all(parts, copy)
            assert (done.documents, done.imported, done.unchanged, done.not_replaced) == (
                5,
                imported,
                unchanged,
                0,
            )
            assert named(done) == [("files", "2", "MEDKG-211"), ("files", "4", "MEDKG-211")]
            assert all(stores in each.reason and "dlq" not in each.reason for each in done.refused)
            assert done.finished == 5
            assert found(parts) == ACCEPTED
            assert held_documents(parts) == {"1", "3", "5"}
            assert verified(parts)


def test_an_import_keeps_the_version_that_is_there_of_a_refused_document(
    tmp_path: Path, source: Assembly, stores: str
) -> None:
    export(source, tmp_path / "copy")
    with opened(tmp_path / "b") as parts:
        ingest(parts, {"2": ["walking before"]}, version="2")
        done = import_all(parts, tmp_path / "copy", replace=True)
        assert (done.imported, named(done)[0]) == (3, ("files", "2", "MEDKG-211"))
        assert found(parts) == sorted([*ACCEPTED, "walking before"])
        assert verified(parts)


def test_an_import_of_refused_documents_alone_leaves_nothing(
    tmp_path: Path, stores: str, source: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.operations.backup.importing.DOCUMENTS_AT_ONCE", 1)
    export(source, tmp_path / "copy")
    with opened(tmp_path / "b") as parts:
        observed: list[int] = []
        done = import_tenant(
            parts,
            tmp_path / "copy",
            lambda count, total: observed.append(count),
            replace=False,
            other_models=True,
        )
        assert (done.imported, len(done.refused), observed) == (3, 2, [1, 2, 3, 4, 5])
        assert held_documents(parts) == {"1", "3", "5"}
        assert verified(parts)


def test_a_restore_takes_all_but_what_a_store_refuses_and_queues_that(
    tmp_path: Path, source: Assembly, stores: str
) -> None:
    back_up(source, tmp_path / "backup", unwatched)
    with opened(tmp_path / "b") as parts:
        restored = restore(parts, tmp_path / "backup", unwatched)
        assert named(restored) == [("files", "2", "MEDKG-211"), ("files", "4", "MEDKG-211")]
        assert all(stores in each.reason for each in restored.refused)
        assert found(parts) == ACCEPTED
        assert held_documents(parts) == {"1", "3", "5"}
        assert parts.ledger.documents.status_counts(TENANT) == {"committed": 3, "queued": 2}
        assert parts.ledger.commits.find(DocumentKey(tenant_id=TENANT, source="files", doc_id="2")) is None
        assert verified(parts)
    assert not (tmp_path / "b" / "restore.unfinished").exists()


def test_the_commands_name_refused_documents_and_end_with_1(tmp_path: Path, source: Assembly) -> None:
    export(source, tmp_path / "copy")
    back_up(source, tmp_path / "backup", unwatched)
    imported = Medkg(tmp_path / "b", TENANT)
    arguments = ("import", str(tmp_path / "copy"), "--other-models")
    value = imported(*arguments, expect=1)
    assert value["documents"] == {"in": 5, "imported": 3, "unchanged": 0, "kept": 0, "refused": 2}
    assert [(row["source"], row["doc_id"], row["code"]) for row in value["refused"]] == [
        ("files", "2", "MEDKG-211"),
        ("files", "4", "MEDKG-211"),
    ]
    assert "a value of mesh" in value["refused"][0]["reason"]
    shown = imported.text(*arguments, expect=1)
    assert "5 documents = 0 imported + 3 unchanged + 0 kept + 2 refused; 0 chunks" in shown
    assert shown.count("MEDKG-211") == 2 and "mesh" in shown

    restored = Medkg(tmp_path / "c", TENANT)
    value = restored("restore", str(tmp_path / "backup"), expect=1)
    assert [(row["doc_id"], row["code"]) for row in value["refused"]] == [
        ("2", "MEDKG-211"),
        ("4", "MEDKG-211"),
    ]
    assert restored("status")["documents"] == {"committed": 3, "queued": 2}
    assert "Refused by a store" in Medkg(tmp_path / "d", TENANT).text(
        "restore", str(tmp_path / "backup"), expect=1
    )
