"""Alerts of Alertmanager as facts: what fires, what ends, what is repeated, and rubbish."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestration.contracts.facts import AlertChanged
from orchestration.errors import HostUnavailableError
from orchestration.ledger import SqlLedger
from orchestration.metrics.alerts import ReportedAlerts
from orchestration.metrics.endpoint import MetricsEndpoint
from orchestration.settings import Settings


@pytest.fixture
def address(tmp_path: Path, ledger: SqlLedger) -> Iterator[str]:
    endpoint = MetricsEndpoint(
        Settings(data_dir=tmp_path), ledger, lambda: HostUnavailableError("no host runs")
    )
    endpoint.start()
    yield endpoint.url.replace("/metrics", "/alerts")
    endpoint.close()


def a_report(*alerts: tuple[str, str]) -> dict[str, Any]:
    """What Alertmanager posts: (alert, status)s."""
    return {
        "version": "4",
        "receiver": "medkg",
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": name, "severity": "critical", "stage": "embed"},
                "annotations": {"summary": f"{name} is {status}", "runbook_url": "https://example.org"},
                "startsAt": "2026-12-01T10:00:00Z",
                "fingerprint": name.lower(),
            }
            for name, status in alerts
        ],
    }


def noted(ledger: SqlLedger) -> Sequence[tuple[str, bool]]:
    bodies = [fact.body for fact in ledger.outbox.read(0, 100)]
    return [(body.alert, body.firing) for body in bodies if isinstance(body, AlertChanged)]


def test_an_alert_fires_is_repeated_and_ends(address: str, ledger: SqlLedger) -> None:
    for status in ("firing", "firing", "resolved", "resolved"):
        assert httpx.post(address, json=a_report(("GpuSick", status))).status_code == 204
    assert noted(ledger) == [("GpuSick", True), ("GpuSick", False)]


def test_several_alerts_come_in_one_report(address: str, ledger: SqlLedger) -> None:
    httpx.post(address, json=a_report(("A", "firing"), ("B", "firing"))).raise_for_status()
    assert noted(ledger) == [("A", True), ("B", True)]


def test_an_alert_that_fired_under_an_earlier_relay_ends_under_the_next(
    address: str, ledger: SqlLedger
) -> None:
    earlier = ReportedAlerts(ledger.outbox, time.time)
    earlier.take(json.dumps(a_report(("GpuSick", "firing"), ("DiskFilling", "firing"))).encode())
    httpx.post(address, json=a_report(("GpuSick", "resolved"), ("DiskFilling", "firing"))).raise_for_status()
    assert noted(ledger) == [("GpuSick", True), ("DiskFilling", True), ("GpuSick", False)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        json.dumps({"alerts": [{"status": "firing"}]}).encode(),
        json.dumps(a_report(("A", "unknown"))).encode(),
    ],
)
def test_rubbish_is_refused(address: str, ledger: SqlLedger, content: bytes) -> None:
    assert httpx.post(address, content=content).status_code == 400
    assert noted(ledger) == []


def test_other_paths_and_too_much_are_refused(address: str, ledger: SqlLedger) -> None:
    assert httpx.post(address.replace("alerts", "metrics"), content=b"{}").status_code == 501
    assert httpx.post(address, content=b" " * 2_000_000).status_code == 413
