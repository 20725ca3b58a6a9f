"""The relay of a data folder, with its sinks and /metrics.

Comes in: settings. Leaves: a process that publishes until it is asked to end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from orchestration.assembly.assembled import Assembly
from orchestration.assembly.sinks import open_sinks
from orchestration.errors import ConfigurationError
from orchestration.events.relay import Relay
from orchestration.jobs.host_status import host_status
from orchestration.metrics.endpoint import MetricsEndpoint
from orchestration.metrics.readings import DagsterTicks
from orchestration.processes.child_process import own_identity
from orchestration.settings import Settings

__all__ = ["publish_once", "serve_relay"]

DRAIN_SECONDS: Final = 5.0
"""How long it goes on publishing once it is to end; a host ends its children after ten."""


def serve_relay(settings: Settings, ticks: Callable[[], DagsterTicks] | None = None) -> None:
    """Publish and serve /metrics until SIGTERM or Ctrl-C; main thread only.

    `ticks`: when sensors ticked and daemons lived last, by name; None leaves these metrics out.

    Raises ConfigurationError when nothing is configured, MetricsAddressError for a port that is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    assembly = Assembly(settings)
    try:
        relay = _relay(assembly)
        endpoint = _endpoint(assembly, relay, ticks) if settings.metrics_port is not None else None
        if endpoint is not None:
            endpoint.start()
        relay.start()
        stop.wait()
        relay.close(DRAIN_SECONDS)
        if endpoint is not None:
            endpoint.close()
    finally:
        assembly.close()


def publish_once(settings: Settings) -> dict[str, str]:
    """Publish what there is to every sink; why one did not take everything, by its name."""
    assembly = Assembly(settings)
    try:
        return _relay(assembly).publish_all()
    finally:
        assembly.close()


def _relay(assembly: Assembly) -> Relay:
    sinks = open_sinks(assembly.settings, assembly.topology_of)
    if not sinks:
        raise ConfigurationError(
            "there is nothing to publish to: set MEDKG_KAFKA_BROKERS, MEDKG_EVENTS_FILE, "
            "MEDKG_EVENTS_WEBHOOK, MEDKG_METRICS_PORT or OPENLINEAGE_URL (docs/guides/events.md). `medkg "
            "events tail` needs none."
        )
    return Relay(assembly.ledger.outbox, sinks, own_identity())


def _endpoint(assembly: Assembly, relay: Relay, ticks: Callable[[], DagsterTicks] | None) -> MetricsEndpoint:
    return MetricsEndpoint(
        assembly.settings,
        assembly.ledger,
        partial(host_status, assembly.settings, with_health=True),
        ticks,
        state=lambda: relay.state_of("metrics"),
    )
