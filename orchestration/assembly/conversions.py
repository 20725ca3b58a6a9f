"""Conversions of PDFs, put together: converters that the host calls, or the queue to workers elsewhere.

Comes in: the parts of a data folder. Leaves: the host's driver, and the worker of another machine.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from orchestration.contracts.pdf_queue import ConversionCompleted, ConversionFailed, ConversionRequested
from orchestration.gates.conversion_worker import ConversionWorker
from orchestration.gates.kafka_queue import KafkaConversionQueue
from orchestration.gates.pdf_conversions import CalledConverters, ConversionDriver
from orchestration.gates.queued_conversions import QueuedConversions
from orchestration.processes.child_process import is_alive, own_identity

if TYPE_CHECKING:
    from orchestration.assembly.inputs import AssembledInputs

__all__ = ["conversion_driver", "conversion_worker"]

WORKERS: Final = "medkg-conversion-workers"
"""Consumer group of all workers, which share the requests."""


def conversion_driver(assembly: AssembledInputs) -> ConversionDriver:
    """What brings conversions forward in the host."""
    tasks, owner = assembly.ledger.pdf_tasks, own_identity()
    if assembly.settings.pdf_queue is None:
        return CalledConverters(tasks, lambda: assembly.objects, assembly.pdf_converter, owner, is_alive)
    ledger = assembly.ledger.graph_feed.identity()
    results = {ConversionCompleted, ConversionFailed}
    queue = KafkaConversionQueue(assembly.kafka, f"medkg-results-{ledger}", results)
    return QueuedConversions(tasks, lambda: assembly.objects, queue, ledger, owner, is_alive)


def conversion_worker(assembly: AssembledInputs) -> ConversionWorker:
    """A worker on a machine with converters; needs MEDKG_KAFKA_BROKERS and MEDKG_OBJECTS_URL, no ledger."""
    queue = KafkaConversionQueue(assembly.kafka, WORKERS, {ConversionRequested}, dead_letters=None)
    name = f"/mineru-worker/{socket.gethostname()}"
    return ConversionWorker(queue, assembly.objects, assembly.pdf_converter, name)
