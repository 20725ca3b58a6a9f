"""Alerts that Alertmanager reports, as observed facts, so that they are events like everything else.

Comes in: the body of its webhook, version 4
(https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, read 2026-12-01). Leaves: one fact
per alert that fired or ended; what is repeated while it fires is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.contracts.facts import AlertChanged
from orchestration.contracts.outbox import Observation, OutboxLedger

__all__ = ["ReportedAlerts"]

KEPT_SECONDS: Final = 7 * 86_400.0
"""How far an alert is looked for that fires: Alertmanager repeats it more often."""
MOST: Final = 10_000

MOST_CHARACTERS: Final = 1_000
"""Of a summary that is kept."""


class _Labels(BaseModel):
    model_config = ConfigDict(extra="allow")
    alertname: str = Field(min_length=1, max_length=200)
    severity: Literal["warning", "critical"] = "warning"


class _Annotations(BaseModel):
    summary: str = ""


class _Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: _Labels
    annotations: _Annotations = _Annotations()
    fingerprint: str = Field(min_length=1, max_length=64)


class _Report(BaseModel):
    alerts: list[_Alert] = Field(max_length=1_000)


class ReportedAlerts:
    """Notes alerts of one Alertmanager; thread-safe."""

    def __init__(self, outbox: OutboxLedger, now: Callable[[], float]) -> None:
        self._outbox = outbox
        self._now = now
        self._firing: set[str] | None = None
        """Fingerprints; None: not read from the outbox so far."""
        self._lock = threading.Lock()

    def take(self, body: bytes) -> int:
        """Note what changed; returns the number of facts. Raises ValueError for anything but a report."""
        report = _Report.model_validate_json(body)
        with self._lock:
            firing = self._firing if self._firing is not None else self._fired_before()
            changed = [
                alert
                for alert in report.alerts
                if (alert.status == "firing") != (alert.fingerprint in firing)
            ]
            self._outbox.note([Observation(_change(alert), self._now()) for alert in changed])
            ended = {alert.fingerprint for alert in report.alerts if alert.status == "resolved"}
            self._firing = (firing | {alert.fingerprint for alert in report.alerts}) - ended
        return len(changed)

    def _fired_before(self) -> set[str]:
        """What fired when an earlier relay of the ledger ended."""
        newest: dict[str, bool] = {}
        for fact in self._outbox.recent(("alert.changed",), self._now() - KEPT_SECONDS, MOST):
            if isinstance(fact.body, AlertChanged):
                newest.setdefault(fact.body.fingerprint, fact.body.firing)
        return {fingerprint for fingerprint, firing in newest.items() if firing}


def _change(alert: _Alert) -> AlertChanged:
    return AlertChanged(
        alert=alert.labels.alertname,
        firing=alert.status == "firing",
        severity=alert.labels.severity,
        summary=alert.annotations.summary[:MOST_CHARACTERS],
        fingerprint=alert.fingerprint,
    )
