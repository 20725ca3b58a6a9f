"""`medkg gate list` says why documents do not move, without calling a service itself."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.ledger_suite.builders import OWNER, at_the_gate, everyone_alive
from orchestration.contracts.host import HOST_SERVICE, HostStatus
from orchestration.gates.pdf_conversions import CalledConverters, PdfConversions
from orchestration.jobs import host_status
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.pdf.mineru.converter import MineruConverter
from orchestration.processes.local_service import LocalService
from orchestration.stores.objects.opening import open_objects
from orchestration.topology.shipped import shipped_folder
from tests.orchestration.command_line import Medkg
from tests.orchestration.topology.topology_files import PDF_LINE, a_topology

NO_MINERU = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""

GATE = "gates:\n  - {name: pdf_ready, conditions: {pdf_ir_ready: true}, resume_stage: parse}\n"


@pytest.fixture
def medkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Medkg:
    topologies = tmp_path / "topologies"
    shutil.copytree(shipped_folder(), topologies, ignore=shutil.ignore_patterns("__pycache__"))
    (topologies / "auto.yaml").write_text(a_topology(PDF_LINE, gates=GATE), encoding="utf-8")
    monkeypatch.setenv("MEDKG_TOPOLOGIES_DIR", str(topologies))
    (tmp_path / "data").mkdir()
    return Medkg(tmp_path / "data")


@pytest.fixture
def ledger(medkg: Medkg) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{medkg.data_dir / 'ledger.sqlite'}")
    at_the_gate(opened, "1", "2")
    yield opened
    opened.close()


@pytest.fixture
def conversions(medkg: Medkg, ledger: SqlLedger) -> Iterator[PdfConversions]:
    """Conversions of a host whose MinerU does not run."""
    objects = open_objects(medkg.data_dir.as_uri())
    for doc_id in ("1", "2"):
        objects.put(f"pdfs/{doc_id}", b"%PDF-1.7")
    converters = CalledConverters(
        ledger.pdf_tasks, lambda: objects, lambda requested: MineruConverter(NO_MINERU), OWNER, everyone_alive
    )
    opened = PdfConversions(ledger.pdf_tasks, converters)
    yield opened
    opened.close()


def a_host(medkg: Medkg, conversions: PdfConversions) -> LocalService:
    """The service of a host with these conversions and nothing else."""

    def status(with_health: bool) -> Any:
        unavailable = tuple(conversions.unavailable())
        return HostStatus(
            pid=7, kept=True, profile="cpu", plane="ready", unavailable_converters=unavailable
        ).model_dump(mode="json")

    return LocalService(HOST_SERVICE, medkg.data_dir, {"status": status})


def obstacles(medkg: Medkg) -> list[dict[str, str] | None]:
    return [row["obstacle"] for row in medkg("gate", "list")["waiting"]]


def test_an_unavailable_converter_is_named_with_its_address_setting_and_next_step(
    medkg: Medkg, conversions: PdfConversions
) -> None:
    with a_host(medkg, conversions):
        assert obstacles(medkg) == [None, None]
        conversions.sweep()
        first, second = obstacles(medkg)
        assert first is not None and first == second
        assert first["code"] == "MEDKG-404"
        assert first["message"].startswith(f"MinerU at {NO_MINERU} is unavailable: ConnectError")
        assert "mineru-api" in first["message"] and "MEDKG_MINERU_URL" in first["message"]
        (line,) = [line for line in medkg.text("gate", "list").splitlines() if NO_MINERU in line]
        assert line.startswith("pdf_ready of auto@2026-11-23, 2 documents cannot go on: MEDKG-404 MinerU at")


@pytest.mark.usefixtures("ledger")
def test_without_a_host_the_listing_says_how_to_start_one(medkg: Medkg) -> None:
    first, _ = obstacles(medkg)
    assert first is not None and first["code"] == "MEDKG-406"
    assert f"No host runs for {medkg.data_dir}" in first["message"] and "`medkg up`" in first["message"]
    assert "2 documents cannot go on: MEDKG-406" in medkg.text("gate", "list")


@pytest.mark.usefixtures("ledger")
def test_a_host_that_hangs_delays_the_listing_for_seconds_at_most(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_status, "HOST_SECONDS", 0.1)
    ended = threading.Event()

    def status(with_health: bool) -> None:
        ended.wait()

    with LocalService(HOST_SERVICE, medkg.data_dir, {"status": status}):
        first, _ = obstacles(medkg)
        ended.set()
    assert first is not None and "did not answer 'status'" in first["message"]
