"""A graph server that fails holds up no document of `medkg up`: it is named, and catches up afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import a_study, json_lines
from tests.orchestration.command_line import Medkg
from tests.orchestration.neo4j import SERVER, Server, connected
from tests.orchestration.projection.bolt_proxy import BoltProxy, ServerFault

pytestmark = [pytest.mark.plane, pytest.mark.needs_service("neo4j")]

FAULTS: tuple[tuple[ServerFault, str], ...] = (
    ("wrong password", "Correct user and password"),
    ("away", "does not answer"),
    ("disk full", "Free disk space of the server"),
)


@pytest.fixture
def server() -> Iterator[Server]:
    with connected() as running:
        yield running


def test_documents_are_committed_while_the_graph_server_fails_and_are_projected_afterwards(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = tmp_path / "trials"
    trials.mkdir()
    medkg = Medkg(tmp_path / "data", server.tenant())
    with BoltProxy(SERVER) as proxy:
        monkeypatch.setenv("MEDKG_NEO4J_URL", proxy.url)
        monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "1")
        medkg("up", "--no-ui")
        try:
            for number, (fault, message) in enumerate(FAULTS, 1):
                proxy.set(fault)
                study = a_study(f"NCT{number:08}", conditionsModule={"conditions": [f"Condition {number}"]})
                (trials / f"{number}.jsonl").write_bytes(json_lines([study]))
                run = medkg("run", "clinical-trials", "--path", str(trials))
                assert (run["documents"]["committed"], run["documents"]["failed"]) == (1, 0)
                medkg.wait_until(lambda: message in str(medkg("status")["problems"]))  # noqa: B023
            assert {child["state"] for child in medkg("status")["host"]["children"]} == {"running"}
            assert server.values() == "[]" or "Condition 3" not in server.values()
            proxy.set("")
            medkg.wait_until(lambda: (medkg("status")["projection"] or {}).get("pending") == 0)
            assert medkg("status")["problems"] == []
            assert all(f"Condition {number}" in server.values() for number in (1, 2, 3))
            assert medkg("verify")["consistent"]
        finally:
            medkg("down")
