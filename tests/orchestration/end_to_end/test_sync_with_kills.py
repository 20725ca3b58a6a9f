"""Records of each service through faults, throttling and two kills; then a sync of changes only.

`medkg submit` lists and lands; the servers play the services in a process of this test, at their pace. A
service has 1,000 records, and 10,000 in the exhaustive form; PubMed always has 10,000, since that is more
than one result of NCBI may hold.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT, a_pmc_article, a_pubmed_article, a_study, an_openalex_work
from medkg.testing.ledger_suite.builders import claimed, commit_all
from orchestration.assembly import Assembly
from orchestration.ledger import open_ledger
from orchestration.records import AdapterRequest, RawPayload
from orchestration.settings import load_settings
from orchestration.topology.shipped import shipped_folder
from tests.exhaustive import fewer
from tests.orchestration.command_line import Medkg
from tests.servers.replay_server import Conditions, ReplayServer, Service, replaying
from tests.servers.replay_services import (
    ClinicalTrialsService,
    EntrezService,
    Entry,
    OpenAlexService,
    PlainJsonService,
)
from tests.waiting import wait_until

RECORDS = fewer(1_000, exhaustive=10_000)
MORE_THAN_ONE_RESULT = 10_000
"""Of NCBI, which gives out 9,999 of a result."""
RATE = 100
"""Requests per second of the policy here; that of a public service is lower, and so would this test be."""
POLICY = f"""{{
    max_attempts: 11, timeout_seconds: 10, rate_limit_config: {{requests_per_second: {RATE}}},
    backoff_strategy: {{kind: linear, first_seconds: 0.1, step_seconds: 0.1, most_seconds: 1}}}}"""
CONDITIONS = Conditions(fault_rate=fewer(0.1, 0.05), latency_seconds=0.02, throttle_rate=fewer(0.1, 0.05))


@dataclass(frozen=True)
class Case:
    """A service and its records."""

    source: str
    query: str
    address: str
    """Environment variable that names the service."""
    service: Service
    records: int
    listings: Callable[[ReplayServer], int]
    """How many pages were listed well."""
    pages: int
    change: Callable[[Any, int], None]
    """Change so many records and add one."""
    pages_of_changes: int = 1
    names: Callable[[str, Path], str] = lambda url, folder: url
    """What the environment variable is to say for the service's address; a folder takes what it names."""

    def has_listed(self, share: float, server: ReplayServer) -> bool:
        """Whether that share of the pages was listed."""
        return self.listings(server) >= share * self.pages


def trials() -> Case:
    def change(service: ClinicalTrialsService, count: int) -> None:
        for study in service.studies[:count]:
            protocol = study["protocolSection"]
            protocol["statusModule"]["lastUpdatePostDateStruct"] = {"date": today()}
            protocol["conditionsModule"] = {"conditions": ["Narcolepsy"]}
        new = a_study("NCT99999999")
        new["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"] = {"date": today()}
        service.studies.append(new)

    def listings(server: ReplayServer) -> int:
        return sum(request.outcome == "good" for request in server.received)

    service = ClinicalTrialsService([a_study(f"NCT{number:08}") for number in range(RECORDS)])
    address = "MEDKG_CLINICALTRIALS_URL"
    return Case("clinicaltrials", "EGFR", address, service, RECORDS, listings, RECORDS // 100, change)


def works() -> Case:
    def change(service: OpenAlexService, count: int) -> None:
        for work in service.works[:count]:
            work.update(updated_date=today(), title="Walking again")
        service.works.append(an_openalex_work(99999999, updated_date=today()))

    def listings(server: ReplayServer) -> int:
        return sum(request.outcome == "good" for request in server.received)

    service = OpenAlexService([an_openalex_work(number) for number in range(1, RECORDS + 1)])
    address, pages = "MEDKG_OPENALEX_URL", RECORDS // 100 + 1
    return Case("openalex", "EGFR", address, service, RECORDS, listings, pages, change, 2)


def citations() -> Case:
    def entry(number: int) -> Entry:
        day = date(2020, 1, 1) + timedelta(days=number % 1000)
        return Entry(str(number), day, a_pubmed_article(str(number)))

    entries = [entry(number) for number in range(1, MORE_THAN_ONE_RESULT + 1)]
    return entrez("pubmed", entries, "PubmedArticleSet", 52)  # of two results, with a last page each


def articles() -> Case:
    def entry(number: int) -> Entry:
        return Entry(str(number), date(2024, 1, 1) + timedelta(days=number % 300), a_pmc_article(str(number)))

    entries = [entry(number) for number in range(1, RECORDS + 1)]
    return entrez("pmc", entries, "pmc-articleset", fewer(41, exhaustive=402))


def entrez(source: str, entries: list[Entry], root: str, pages: int) -> Case:
    def change(service: EntrezService, count: int) -> None:
        for entry in service.entries[:count]:
            entry.modified = date.fromisoformat(today())
            entry.xml = entry.xml.replace(b"We walked", b"We ran")
        kind = a_pubmed_article if source == "pubmed" else a_pmc_article
        service.entries.append(Entry("99999999", date.fromisoformat(today()), kind("99999999")))

    def listings(server: ReplayServer) -> int:
        return sum(
            request.outcome == "good" and request.path == "/efetch.fcgi" for request in server.received
        )

    service = EntrezService(entries, root)
    return Case(source, "EGFR", "MEDKG_NCBI_URL", service, len(entries), listings, pages, change)


def described() -> Case:
    def walk(number: int, **fields: str) -> dict[str, Any]:
        return {"id": number, "name": "Walk", "text": "It helps.", "changed": "2020-01-01", **fields}

    def change(service: PlainJsonService, count: int) -> None:
        for changed_walk in service.walks[:count]:
            changed_walk.update(text="It does not.", changed=today())
        service.walks.append(walk(99999999, changed=today()))

    def listings(server: ReplayServer) -> int:
        return sum(request.outcome == "good" for request in server.received)

    def names(url: str, folder: Path) -> str:
        (folder / "walks.yaml").write_text(
            f"name: walks\nurl: {url}/walks\nquery_parameter: q\nrecords: items\n"
            "paging: {kind: offset, parameter: skip, size_parameter: take, size: 100}\n"
            "since: {parameter: changed}\n"
            "document: {id: id, title: name, sections: [{place: text}]}\n"
        )
        return str(folder)

    service = PlainJsonService([walk(number) for number in range(RECORDS)])
    address, pages = "MEDKG_JSON_SOURCES_DIR", RECORDS // 100 + 1
    return Case("walks", "sleep", address, service, RECORDS, listings, pages, change, names=names)


def today() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).date().isoformat()


CASES = {
    "clinicaltrials": trials,
    "openalex": works,
    "pubmed": citations,
    "pmc": articles,
    "described": described,
}


@pytest.fixture
def medkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Medkg:
    folder = tmp_path / "topologies"
    shutil.copytree(shipped_folder(), folder)
    policies = (
        f"policies:\n  default: {{}}\n  gpu-bound: {{}}\n  polite-api: {POLICY}\n  ncbi-api: {POLICY}\n"
    )
    (folder / "resilience.yaml").write_text(policies)
    monkeypatch.setenv("MEDKG_TOPOLOGIES_DIR", str(folder))
    return Medkg(tmp_path / "data")


@pytest.mark.parametrize("name", CASES)
def test_every_record_comes_once_and_the_second_sync_brings_changes_only(
    name: str, medkg: Medkg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = CASES[name]()
    with replaying(case.service, CONDITIONS) as server:
        monkeypatch.setenv(case.address, case.names(server.url, tmp_path))
        began = time.time()
        command = ("submit", "auto", "--source", case.source, "--query", case.query, "--json")
        for share in (0.3, 0.7):
            killed_after(medkg, command, server, partial(case.has_listed, share, server))
        first = medkg(*command[:-1])
        assert first["documents"] == {"in": case.records, "pending": case.records}
        extra = case.listings(server) - case.pages
        assert -2 <= extra <= 4, "a kill costs a page, not a listing"
        assert_each_request_took_its_turn(medkg, began, len(server.received))
        assert {request.outcome for request in server.received} >= {"good", "throttled"}
        assert_fetched_once(medkg, case)
        commit_everything(medkg, first["job_id"], case.records)

        case.change(case.service, 7)
        listings_before = case.listings(server)
        second = medkg(*command[:-1])
        assert second["documents"] == {"in": 8, "pending": 8}
        assert case.listings(server) == listings_before + case.pages_of_changes


def killed_after(
    medkg: Medkg, command: tuple[str, ...], server: ReplayServer, reached: Callable[[], bool]
) -> None:
    """Start the command and kill it at that point, past which the service does not answer it."""
    server.hold = reached
    process = medkg.process(*command)
    try:
        wait_until(reached, process=process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server.hold = None


def assert_each_request_took_its_turn(medkg: Medkg, began: float, requests: int) -> None:
    """The host's next free moment, which each request of each process pushes on by its share of a second."""
    (turns,) = (medkg.data_dir / "cache" / "hosts").iterdir()
    assert float(turns.read_text()) >= began + requests / RATE


def assert_fetched_once(medkg: Medkg, case: Case) -> None:
    """Every row's landed bytes are the record that its version says."""
    assembly = Assembly(load_settings(data_dir=medkg.data_dir))
    try:
        rows = assembly.ledger.documents.find(TENANT)
        assert len(rows) == len({row.key for row in rows}) == case.records
        job_id = rows[0].job_id
        window = assembly.ledger.windows.claim(job_id, case.records)
        assert window is not None
        documents = assembly.ledger.windows.lease(window, "reader").documents
        requests = [
            AdapterRequest(
                tenant_id=TENANT, plugin=case.source, doc_id=document.ctx.doc_id, locator=document.locator
            )
            for document in documents
        ]
        versions = {row.key.doc_id: row.version for row in rows}
        for outcome in assembly.sources[case.source].fetch(requests):
            assert isinstance(outcome, RawPayload)
            assert outcome.version == versions[outcome.doc_id]
        assembly.ledger.windows.release(window, "only looked at")
    finally:
        assembly.close()


def commit_everything(medkg: Medkg, job_id: str, records: int) -> None:
    ledger = open_ledger(f"sqlite:///{medkg.data_dir / 'ledger.sqlite'}")
    commit_all(ledger, claimed(ledger, job_id, records))
    ledger.close()
