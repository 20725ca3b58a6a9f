"""`medkg docs delete --erase`: a byte search over the whole data folder finds nothing of the document."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from medkg.testing.builders import an_abstract, json_lines
from orchestration.ledger import open_ledger
from orchestration.stores.faiss.segments import read_segment
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import OneHost

FIRST, SECOND, PATH_WORD, BROKEN = "quibblezark17", "snorfblat23", "wexlimorp31", "plomtrix41"
"""Words that stand in nothing else: two versions of a document, its file's name, a broken file's name."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes; a process may remove one meanwhile."""
    bytes_of_files = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                bytes_of_files[str(path.relative_to(folder))] = path.read_bytes().lower()
    return bytes_of_files


def holding(folder: Path, trace: bytes) -> list[str]:
    """Files in which a trace stands, upper or lower case."""
    return sorted(name for name, content in contents(folder).items() if trace.lower() in content)


def stored_forms(data_dir: Path, doc_id: str) -> list[bytes]:
    """What stores keep of a document in forms that its words cannot be searched in."""
    with sqlite3.connect(data_dir / "documents.sqlite") as connection:
        query = "SELECT document FROM documents WHERE doc_id = ?"
        documents = [bytes(row[0]) for row in connection.execute(query, (doc_id,))]
    vectors = [
        segment.dense[number].tobytes()
        for segment in map(read_segment, (data_dir / "vectors").rglob("*.segment"))
        for number, (_, row_doc_id) in enumerate(segment.rows.documents())
        if row_doc_id == doc_id
    ]
    assert documents and vectors
    return [*documents, *vectors]


@pytest.mark.plane
def test_an_erased_document_leaves_no_byte_in_any_file(tmp_path: Path, host: OneHost) -> None:
    medkg = host.tenant("erasing")
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "others.jsonl").write_bytes(json_lines([an_abstract("1"), an_abstract("2")]))
    mine = sources / f"{PATH_WORD}.txt"
    broken = sources / f"{BROKEN}.xml"
    broken.write_text(f"<article><p>{BROKEN}", encoding="utf-8")
    traces = [word.encode() for word in (FIRST, SECOND, PATH_WORD, BROKEN)]
    for word in (FIRST, SECOND):
        mine.write_text(f"Report {word}\n\nThe {word} was seen in forty patients.\n", encoding="utf-8")
        medkg("run", "auto", "--path", str(sources), "--path", str(mine), expect=1)
        (hit,) = medkg("search", word, "--legs", "bm25")["hits"][:1]
        traces += stored_forms(medkg.data_dir, hit["doc_id"])
    assert hit["source"] == "files"
    failed = [row["doc_id"] for row in medkg("dlq", "list")["dead_letters"]]
    (medkg.data_dir / "logs" / "old.log").write_text(f"document={hit['doc_id']} was seen\n", encoding="utf-8")
    assert all(holding(medkg.data_dir, trace) for trace in (traces[1], traces[2], traces[3], traces[-1]))

    for doc_id in (hit["doc_id"], *failed[:1]):
        assert [row["doc_id"] for row in medkg("docs", "delete", doc_id, "--erase")["deleted"]] == [doc_id]

    assert {trace: files for trace in traces if (files := holding(medkg.data_dir, trace))} == {}
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}
    assert medkg("status")["documents"] == {"committed": 2}
    assert medkg("dlq", "list", "--all")["dead_letters"] == []
    assert {row["doc_id"] for row in medkg("search", "sleep", "--legs", "bm25")["hits"]} == {"1", "2"}
    medkg("docs", "show", "1")
    medkg("docs", "delete", hit["doc_id"], "--erase", expect=2)


@pytest.mark.plane
def test_a_deleted_document_can_be_erased_later_and_comes_back_with_its_source(
    tmp_path: Path, host: OneHost
) -> None:
    medkg = host.tenant("erasing-later")
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract("77310457"), an_abstract("77310458")]))
    medkg("run", "auto", "--path", str(path))
    medkg("docs", "delete", "77310457")
    assert holding(medkg.data_dir, b"77310457")
    medkg("docs", "delete", "77310457", "--erase")
    assert holding(medkg.data_dir, b"77310457") == []
    assert medkg("run", "auto", "--path", str(path))["documents"]["committed"] == 1


def test_a_document_that_a_run_works_on_is_not_erased(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract("1")]))
    job_id = medkg("submit", "auto", "--path", str(path))["job_id"]
    ledger = open_ledger(f"sqlite:///{medkg.data_dir / 'ledger.sqlite'}")
    try:
        window_id = ledger.windows.claim(job_id, 10)
        assert window_id is not None
        ledger.windows.lease(window_id, "host/boot/1/1")
        medkg.text("docs", "delete", "1", "--erase", expect=2)
        (row,) = ledger.documents.find("default", doc_id="1")
    finally:
        ledger.close()
    assert row.status == "running"
