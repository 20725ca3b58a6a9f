"""`/metrics` over HTTP: one endpoint of a data folder, in the process of the relay.

Comes in: settings with an address, the ledger, calls for host and Dagster. Leaves: the exposition, in
OpenMetrics where the client accepts it (exemplars are there alone). GET and HEAD of /metrics, POST of
/alerts by an Alertmanager on this machine; anything else is 404 or 405.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from orchestration.contracts.host import HostStatus
from orchestration.contracts.monitoring import MonitoringLedger
from orchestration.contracts.outbox import OutboxLedger
from orchestration.errors import MedkgError, MetricsAddressError
from orchestration.metrics.alerts import ReportedAlerts
from orchestration.metrics.counters import Counters
from orchestration.metrics.exposition import MedkgCollector, registry_of
from orchestration.metrics.readings import DagsterTicks, Readings
from orchestration.settings import Settings

__all__ = ["MetricsEndpoint", "MonitoredLedger"]

PATH: Final = "/metrics"
ALERTS: Final = "/alerts"
MOST_BYTES: Final = 1_000_000
"""Of a report of alerts."""
REQUEST_SECONDS: Final = 10.0
"""How long a client may take to send its request."""


class MonitoredLedger(Protocol):
    """The parts of the ledger that a scrape reads."""

    @property
    def monitoring(self) -> MonitoringLedger: ...
    @property
    def outbox(self) -> OutboxLedger: ...


class MetricsEndpoint:
    """Serves /metrics from `start` until `close`, in its own threads.

    Example:
        endpoint = MetricsEndpoint(settings, ledger, lambda: host_status(settings, with_health=True))
        endpoint.start()
    """

    def __init__(
        self,
        settings: Settings,
        ledger: MonitoredLedger,
        host: Callable[[], HostStatus | MedkgError],
        ticks: Callable[[], DagsterTicks] | None = None,
        state: Callable[[], str | None] | None = None,
    ) -> None:
        """`state`: of the reader `metrics`, None while it is unknown; default: nothing was counted."""
        self._address = (settings.metrics_host, settings.metrics_port or 0)
        readings = Readings(settings, ledger.monitoring, ledger.outbox, host, ticks)
        self._registry = registry_of(MedkgCollector(lambda: _counters(state), readings))
        self._alerts = ReportedAlerts(ledger.outbox, time.time)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        assert self._server is not None, "the endpoint is not started"
        return f"http://{self._server.server_address[0]!s}:{self._server.server_address[1]}{PATH}"

    def start(self) -> None:
        """Listen; raises MetricsAddressError when the address cannot be used."""
        try:
            self._server = _Server(self._address, _handler(self._registry, self._alerts))
        except (OSError, OverflowError) as error:
            host, port = self._address
            raise MetricsAddressError(
                f"/metrics cannot listen on {host}:{port}: {error}. Another process has the port, or the "
                "address is none of this machine: set MEDKG_METRICS_PORT or MEDKG_METRICS_HOST."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        structlog.get_logger(__name__).info("metrics_served", url=self.url)

    def close(self) -> None:
        """Listen no longer. Idempotent."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._thread = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _counters(state: Callable[[], str | None] | None) -> Counters | None:
    text = state() if state is not None else ""
    return Counters(text) if text is not None else None


def _handler(registry: CollectorRegistry, alerts: ReportedAlerts) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = REQUEST_SECONDS
        server_version = "medkg"
        sys_version = ""

        def do_GET(self) -> None:
            if urlsplit(self.path).path != PATH:
                self.send_error(404, "only /metrics is here")
                return
            render, content_type = choose_encoder(self.headers.get("Accept", ""))
            body = render(registry)
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            if path != ALERTS:
                self.send_error(501 if path == PATH else 404, "only /alerts takes something")
                return
            if not ip_address(self.client_address[0]).is_loopback:
                self.send_error(403, "alerts are taken from this machine alone")
                return
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MOST_BYTES:
                self.send_error(413, f"a report of alerts has at most {MOST_BYTES} bytes")
                return
            try:
                alerts.take(self.rfile.read(int(length)))
            except ValueError as error:
                self.send_error(400, "this is no report of Alertmanager's webhook", str(error)[:500])
            except MedkgError as error:  # Alertmanager repeats it
                self.send_error(503, "the ledger cannot be written", error.message)
            else:
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests of Prometheus are not logged."""

    return Handler
