"""`medkg graph project`, and status, doctor and docs delete, which know of the projection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import Origin
from orchestration.projection import service
from orchestration.records import Locator
from orchestration.stores.store_choice import check_stores
from tests.orchestration.command_line import Medkg
from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.bolt_proxy import BoltProxy, ServerFault
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


def graph_server_check(medkg: Medkg, expect: int) -> dict[str, Any]:
    """The check of the graph server by `medkg doctor`, which ends with that exit code."""
    report = medkg("doctor", expect=expect)
    (answer,) = [each for each in report["checks"] if each["check"] == "graph server takes the graph"]
    return dict(answer)


def test_doctor_asks_the_server(medkg: Medkg, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "community" in graph_server_check(medkg, 0)["detail"]
    monkeypatch.setenv("MEDKG_NEO4J_URL", "bolt://127.0.0.1:1")
    answer = graph_server_check(medkg, 3)
    assert not answer["ok"] and "does not answer" in answer["detail"]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[BoltProxy]:
    """The server as commands reach it; they wait briefly for one that does not answer."""
    with BoltProxy(SERVER) as running:
        monkeypatch.setenv("MEDKG_NEO4J_URL", running.url)
        monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "0")
        monkeypatch.setattr(service, "ANSWER_SECONDS", 2.0)
        yield running


@pytest.mark.parametrize(
    ("fault", "message", "code", "expect"),
    [
        ("away", "does not answer", "MEDKG-404", 3),
        ("wrong password", "Correct user and password", "MEDKG-101", 2),
        ("disk full", "Free disk space of the server", "MEDKG-502", 3),
    ],
)
def test_a_server_with_a_fault_is_named_and_the_next_projection_catches_up(
    medkg: Medkg,
    documents: GraphLedger,
    server: Server,
    proxy: BoltProxy,
    fault: ServerFault,
    message: str,
    code: str,
    expect: int,
) -> None:
    medkg("graph", "project")
    documents.ingest("2", a=["Drug:coffee treats Condition:dullness"])
    proxy.set(fault)
    error = medkg("graph", "project", expect=expect)["error"]
    assert (error["code"], message in error["message"]) == (code, True)
    assert "not-to-be-seen" not in error["message"]
    assert "dullness" not in server.values()
    proxy.set("")
    assert medkg("graph", "project")["projected"] == 1
    assert "dullness" in server.values()


@pytest.mark.parametrize(
    ("fault", "message", "expect"),
    [
        ("away", "does not answer", 3),
        ("silent", "has not answered in 2 s", 3),
        ("wrong password", "refuses", 2),
    ],
)
def test_status_and_doctor_name_a_server_that_cannot_be_asked(
    medkg: Medkg, documents: GraphLedger, proxy: BoltProxy, fault: ServerFault, message: str, expect: int
) -> None:
    proxy.set(fault)
    status = medkg("status")
    assert status["projection"] is None
    (problem,) = status["problems"]
    assert message in problem
    assert message in graph_server_check(medkg, expect)["detail"]


def test_status_and_doctor_say_why_the_process_that_follows_the_ledger_cannot_write(
    medkg: Medkg, documents: GraphLedger, server: Server, proxy: BoltProxy
) -> None:
    proxy.set("disk full")
    watching = medkg.process("graph", "project", "--watch")
    try:
        wait_until(lambda: medkg("status")["problems"], process=watching)
        (problem,) = medkg("status")["problems"]
        assert problem.startswith("the graph is not projected: MEDKG-502 ")
        assert "Free disk space of the server" in graph_server_check(medkg, 3)["detail"]
        documents.ingest(c=["Drug:coffee treats Condition:dullness"])
        proxy.set("")
        wait_until(lambda: "dullness" in server.values(), process=watching)
        wait_until(lambda: not medkg("status")["problems"], process=watching)
        assert graph_server_check(medkg, 0)["ok"]
        proxy.set("disk full")
        documents.ingest(d=["Drug:coffee treats Condition:sleep"])
        wait_until(lambda: medkg("status")["problems"], process=watching)
    finally:
        watching.kill()
        watching.communicate()
    assert medkg("status")["problems"] == [], "the process that noted it has ended"


def test_options_that_exclude_one_another_are_refused(medkg: Medkg) -> None:
    medkg("graph", "project", "--rebuild", "--watch", expect=2)


def test_without_a_server_the_message_names_the_setting(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDKG_NEO4J_URL")
    assert "MEDKG_NEO4J_URL" in medkg("graph", "project", expect=2)["error"]["message"]
    assert medkg("status")["projection"] is None
