"""The model server of an extractor dies while documents come in: what is seen, in which order."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.assembly.assembled import Assembly
from orchestration.contracts.facts import Fact, ServiceWaited, StageFinished
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.servers.chat_server import ChatServer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

DOCUMENTS = 20
TOPOLOGIES = Path(__file__).parents[3] / "topologies"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A server that `extract` of the topology `auto` asks; not started."""
    folder = shutil.copytree(TOPOLOGIES, tmp_path / "topologies")
    auto = folder / "auto.yaml"
    shipped = auto.read_text()
    asking = shipped.replace("default: [registry, encoder]", "default: [registry, llm]")
    assert asking != shipped
    auto.write_text(asking)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = json.dumps({"mentions": [{"name": "Aspirin", "kind": "Drug"}], "claims": []})
    chat = ChatServer(answer, port)
    monkeypatch.setenv("MEDKG_TOPOLOGIES_DIR", str(folder))
    monkeypatch.setenv("MEDKG_LLM_URL", chat.url)
    monkeypatch.setenv("MEDKG_LLM_MODEL", "scripted")
    yield chat
    chat.stop()


def first(facts: list[Fact], kind: str, stage: str = "") -> int:
    """Position of the first fact of a kind, of a stage."""
    return next(
        fact.position for fact in facts if fact.body.kind == kind and (not stage or _stage(fact) == stage)
    )


def _stage(fact: Fact) -> str:
    body = fact.body
    return body.report.stage if isinstance(body, StageFinished) else getattr(body, "stage", "")


def test_an_outage_of_the_model_server_is_named_at_once_and_costs_no_document(
    tmp_path: Path, server: ChatServer
) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(DOCUMENTS):
        (papers / f"{number}.md").write_text(
            f"# Trial {number}\n\nAspirin reduced strokes in {number} people."
        )
    medkg = Medkg(tmp_path / "data")
    run = medkg.process("run", "auto", "--path", str(papers), "--window", "10", "--json")
    medkg.wait_until(
        lambda: any("extract at 127.0.0.1" in each["subject"] for each in medkg("status")["degraded"]), run
    )
    (degraded,) = [each for each in medkg("status")["degraded"] if "extract" in each["subject"]]
    assert degraded["code"] == "MEDKG-404"
    server.start()
    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    account = json.loads(stdout)["documents"]
    assert (account["committed"], account["failed"]) == (DOCUMENTS, 0)

    assembly = Assembly(load_settings(data_dir=medkg.data_dir))
    facts = assembly.ledger.outbox.read(0, 10_000)
    assembly.close()
    order = [
        first(facts, "job.opened"),
        first(facts, "window.leased"),
        first(facts, "stage.started", "extract"),
        first(facts, "service.waited", "extract"),
        first(facts, "stage.finished", "extract"),
        first(facts, "document.committed"),
    ]
    assert order == sorted(order)
    assert facts[-1].body.kind in {"job.changed", "breaker.changed"}
    assert {fact.body.kind for fact in facts}.isdisjoint({"document.failed", "stage.abandoned"})
    waits = [fact.body for fact in facts if isinstance(fact.body, ServiceWaited)]
    assert {wait.resource for wait in waits if wait.stage == "extract"} == {server.url.split("/")[2]}
