"""The sinks of the relay that settings ask for.

Comes in: settings. Leaves: their names, and what publishes to each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orchestration.contracts.outbox import FactSink
from orchestration.events.late_sink import LateSink
from orchestration.lineage.transports import is_configured
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.topology.graph import TopologyGraph

__all__ = ["configured_sinks", "open_sinks"]

TopologyOf = Callable[[str, str], "TopologyGraph"]


def configured_sinks(settings: Settings) -> tuple[str, ...]:
    """Names of the readers that this data folder's relay serves."""
    wanted_sinks = {
        "kafka": settings.kafka_brokers is not None,
        "file": settings.events_file is not None,
        "webhook": settings.events_webhook is not None,
        "openlineage": is_configured(os.environ),
        "metrics": settings.metrics_port is not None,
    }
    return tuple(name for name, wanted in wanted_sinks.items() if wanted)


def open_sinks(settings: Settings, topology_of: TopologyOf) -> list[FactSink]:
    """The configured sinks, each opened with its first facts: what keeps one from it is its own problem."""
    openings: Mapping[str, Callable[[], FactSink]] = {
        "kafka": lambda: _kafka(settings),
        "file": lambda: _file(settings),
        "webhook": lambda: _webhook(settings),
        "openlineage": lambda: _lineage(settings, topology_of),
        "metrics": _metrics,
    }
    return [LateSink(name, openings[name]) for name in configured_sinks(settings)]


def _kafka(settings: Settings) -> FactSink:
    from orchestration.events.factory import CloudEventFactory
    from orchestration.events.kafka import KafkaSink
    from orchestration.events.kafka_cluster import KafkaCluster

    return KafkaSink(KafkaCluster.of(settings), CloudEventFactory().events)


def _file(settings: Settings) -> FactSink:
    from orchestration.events.factory import CloudEventFactory
    from orchestration.events.file import FileSink

    assert settings.events_file is not None
    return FileSink(settings.events_file, CloudEventFactory().events)


def _webhook(settings: Settings) -> FactSink:
    from orchestration.events.factory import CloudEventFactory
    from orchestration.events.webhook import WebhookSink

    assert settings.events_webhook is not None
    token = settings.events_webhook_token
    secret = token.get_secret_value() if token is not None else None
    return WebhookSink(settings.events_webhook, CloudEventFactory().events, secret)


def _lineage(settings: Settings, topology_of: TopologyOf) -> FactSink:
    from orchestration.assembly.lineage import lineage_sink

    return lineage_sink(settings, topology_of)


def _metrics() -> FactSink:
    from orchestration.metrics.counters import MetricsSink

    return MetricsSink()
