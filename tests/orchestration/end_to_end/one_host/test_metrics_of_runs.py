"""Dashboards and rules over real runs: a Prometheus scrapes the host and Ray, and no panel stays empty."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from medkg.testing.synthetic_pdfs import LAYOUTS, an_article, pdf_of
from ops.observability.servers import missing_programs, prometheus
from tests.ops.prometheus import QUERIES, answered, names_of, rules, unanswered_rules
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import CORPUS, OneHost
from tests.waiting import PATIENCE, wait_until

pytestmark = [
    pytest.mark.plane,
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

TENANT = "watched"

PAPERS = 12
"""More than the rate limit of their downloads lets through in a second."""

LOST = "min by (resource) (medkg_resource_available) == 0"
"""Answered while a resource cannot be used: here the converter of PDFs."""

GPU = ("medkg_gpu_", "ray_medkg_gpu_")
"""Metrics of GPUs: the plane of this test computes on CPUs."""

NOT_PROVOKED = {
    "medkg_stage_abandoned_total",  # a service away for longer than MEDKG_UNAVAILABLE_SECONDS
    "medkg_search_degraded_total",  # a search without one of its legs
    "dagster_circuit_breaker_state",  # five failures of a service in a row
}
"""Metrics that these runs need not have; tests/ops/test_dashboards.py has facts for them."""


class Watch:
    """A Prometheus, and what its queries have answered since it was started."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.seen: set[str] = set()

    def look(self) -> set[str]:
        """Queries that have had no sample until now."""
        self.seen |= answered(self.address)
        return set(QUERIES) - self.seen

    def metrics(self) -> set[str]:
        """Names of all series."""
        return set(httpx.get(f"{self.address}/api/v1/label/__name__/values").json()["data"])


@pytest.fixture
def watch(host: OneHost, tmp_path: Path) -> Iterator[Watch]:
    ray = host.data_dir / "run" / "ray-metrics.json"
    with prometheus(tmp_path, [f"127.0.0.1:{host.metrics_port}"], ray, None, "1s") as address:
        yield Watch(address)


def run_documents(
    medkg: Medkg, host: OneHost, papers: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    """Jobs of files, with failures; of a service with retries and a limit; of PDFs at a gate."""
    for number in (1, 2):  # a rate needs a value before and after
        of_tenant = Medkg(host.data_dir, f"{TENANT}-{number}")
        of_tenant("run", "auto", "--path", str(CORPUS), expect=1)
        of_tenant("submit", "auto", "--path", str(CORPUS / "articles"))
        host.trials.next_outcomes += ["503", "truncated", "interrupted"]
        limit = str(20 * number)
        medkg("run", "clinical-trials", *["--source", "clinicaltrials", "--query", "EGFR", "--limit"], limit)
        watch.look()
    for number in (1, 2):
        run = medkg.process("run", "pdf-two-phase", "--path", str(papers / str(number)), "--json")
        medkg.wait_until(lambda: medkg("gate", "list")["waiting"], run)
        medkg.wait_until(lambda: LOST not in watch.look(), run)
        host.mineru.start()
        try:
            run.communicate(timeout=PATIENCE)
        finally:
            host.mineru.kill()
        watch.look()


def lose_the_plane(host: OneHost) -> None:
    """Kill every replica before a run needs them: its stages wait for the next ones."""
    medkg = Medkg(host.data_dir, f"{TENANT}-3")
    for pid in replicas(medkg):
        os.kill(pid, signal.SIGKILL)
    run = medkg("run", "auto", "--path", str(CORPUS), expect=1)
    assert (run["documents"]["committed"], run["documents"]["failed"]) == (60, 6)


def replicas(medkg: Medkg) -> list[int]:
    pools = medkg("status")["host"]["plane_health"].values()
    return [replica["pid"] for pool in pools if isinstance(pool, list) for replica in pool]


def read_documents(medkg: Medkg, watch: Watch) -> None:
    """Searches, a verification, a replay of dead letters, and a backup."""
    of_tenant = Medkg(medkg.data_dir, f"{TENANT}-1")
    for query in ("Who could not join?", "Which dose was given?", "What did patients report?"):
        of_tenant("search", query)
        watch.look()
    of_tenant("verify")
    of_tenant("dlq", "replay", expect=1)


def test_no_panel_stays_empty_and_every_rule_is_evaluated(
    host: OneHost, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medkg = host.tenant(TENANT)
    monkeypatch.setenv("MEDKG_MINERU_URL", host.mineru.url)
    for number in (1, 2):
        (tmp_path / "papers" / str(number)).mkdir(parents=True)
        for paper in range(PAPERS if number == 1 else 1):
            name = tmp_path / "papers" / str(number) / f"{paper}.pdf"
            name.write_bytes(pdf_of(an_article(PAPERS * number + paper), LAYOUTS["one column"]))
    run_documents(medkg, host, tmp_path / "papers", monkeypatch, watch)
    lose_the_plane(host)
    read_documents(medkg, watch)
    medkg("backup", str(tmp_path / "backup"))
    started = time.monotonic()
    wait_until(lambda: all(_excused(query) for query in watch.look()) or time.monotonic() - started > 60)
    empty = sorted(query for query in watch.look() if not _excused(query))
    assert empty == [], empty
    assert unanswered_rules(watch.address) == []
    named = set().union(*(names_of(rule["expr"]) for rule in rules()))
    assert {name for name in named - watch.metrics() if not _is_excused(name)} == set()


def _excused(query: str) -> bool:
    return any(map(_is_excused, names_of(query)))


def _is_excused(name: str) -> bool:
    return name.startswith(GPU) or name in NOT_PROVOKED
