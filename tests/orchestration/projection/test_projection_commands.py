"""`medkg graph project`, and status, doctor and docs delete, which know of the projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import Origin
from orchestration.records import Locator
from orchestration.stores.store_choice import check_stores
from tests.orchestration.command_line import Medkg
from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.graph_ledger import GraphLedger
from tests.waiting import wait_until

pytestmark = pytest.mark.needs_service("neo4j")

ORIGIN = Origin(
    pipeline_version="1",
    current_stage="index",
    missing_stages=(),
    source_plugin="files",
    locator=Locator(uri="/corpus/record", format="text"),
    pdf_downloaded=False,
    pdf_ir_ready=False,
    created_at=1,
    updated_at=1,
)


@pytest.fixture
def medkg(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Medkg:
    monkeypatch.setenv("MEDKG_NEO4J_URL", SERVER)
    return Medkg(tmp_path, server.tenant())


@pytest.fixture
def documents(graph: GraphLedger, tmp_path: Path) -> GraphLedger:
    """Two documents with rows in the ledger, as a run leaves them, in a folder with the default stores."""
    check_stores(tmp_path, {"MEDKG_SEARCH_STORE": "sqlite", "MEDKG_VECTOR_STORE": "faiss"})
    graph.ingest(a=["Drug:tea treats Condition:thirst"], b=["Drug:unique treats Condition:rareness"])
    committed = list(graph.ledger.commits.committed(graph.tenant_id))
    graph.ledger.copies.restore_commits("restored", [(commit, ORIGIN) for commit in committed])
    return graph


def test_a_projection_is_made_and_its_lag_is_shown(medkg: Medkg, documents: GraphLedger) -> None:
    assert medkg("graph", "project", "--status")["pending"] is None
    assert medkg("graph", "project")["projected"] == 2
    assert medkg("graph", "project", "--status")["pending"] == 0
    documents.ingest("2", a=["Drug:coffee treats Condition:thirst"])
    assert medkg("graph", "project", "--status")["pending"] == 1
    assert medkg("status")["projection"]["pending"] == 1
    assert "is 1 documents behind" in medkg.text("status")
    assert medkg("graph", "project", "--rebuild")["projected"] == 2
    assert "is up to date, last projected" in medkg.text("graph", "project", "--status")


def test_a_watching_process_follows_the_ledger(medkg: Medkg, documents: GraphLedger, server: Server) -> None:
    watching = medkg.process("graph", "project", "--watch")
    try:
        wait_until(lambda: "rareness" in server.values(), process=watching)
        documents.delete("b")
        wait_until(lambda: "rareness" not in server.values(), process=watching)
    finally:
        watching.kill()
        watching.communicate()


def test_an_erasure_reaches_the_server_before_it_returns(
    medkg: Medkg, documents: GraphLedger, server: Server
) -> None:
    medkg("graph", "project")
    assert "rareness" in server.values()
    medkg("docs", "delete", "b", "--erase", "--yes")
    assert not any(word in server.values() for word in ("unique", "rareness", "'b'"))


def test_an_erasure_fails_where_the_server_does_not_answer(
    medkg: Medkg, documents: GraphLedger, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    medkg("graph", "project")
    monkeypatch.setenv("MEDKG_NEO4J_URL", "bolt://127.0.0.1:1")
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "0")
    assert medkg("docs", "delete", "b", "--erase", "--yes", expect=3)["error"]["code"] == "MEDKG-404"
    monkeypatch.setenv("MEDKG_NEO4J_URL", SERVER)
    medkg("docs", "delete", "b", "--erase", "--yes")
    assert "rareness" not in server.values()


def test_doctor_asks_the_server(medkg: Medkg, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(expect: int) -> dict[str, Any]:
        report = medkg("doctor", expect=expect)
        (answer,) = [each for each in report["checks"] if each["check"] == "graph server answers"]
        return answer

    assert "community" in str(check(0)["detail"])
    monkeypatch.setenv("MEDKG_NEO4J_URL", "bolt://127.0.0.1:1")
    answer = check(3)
    assert not answer["ok"] and "does not answer" in str(answer["detail"])


def test_options_that_exclude_one_another_are_refused(medkg: Medkg) -> None:
    medkg("graph", "project", "--rebuild", "--watch", expect=2)


def test_without_a_server_the_message_names_the_setting(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDKG_NEO4J_URL")
    assert "MEDKG_NEO4J_URL" in medkg("graph", "project", expect=2)["error"]["message"]
    assert medkg("status")["projection"] is None
