"""The sinks of the relay that settings ask for.

Comes in: settings. Leaves: their names, in the order of this list, and what publishes to each.
"""

from __future__ import annotations

import os

from orchestration.lineage.transports import is_configured
from orchestration.settings import Settings

__all__ = ["configured_sinks"]


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
