"""OpenLineageEmitter: the sink that sends lineage.

Comes in: facts from the relay, with the state that it returned before. Leaves: OpenLineage events at the
configured transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog

from orchestration.contracts.facts import Fact
from orchestration.errors import LineageRejectedError
from orchestration.lineage.datasets import Places, inputs_of
from orchestration.lineage.run_tree import RunTree
from orchestration.lineage.runs import OpenRuns

if TYPE_CHECKING:
    from orchestration.lineage.run_events import StageKinds
    from orchestration.lineage.transports import Transport

__all__ = ["OpenLineageEmitter"]


class OpenLineageEmitter:
    """FactSink that makes run events of jobs, windows and stages.

    Guarantees. Order: that of the facts. Delivery: each event at least once; a repeated one is equal. Every
    run that starts ends. An event that the server refuses is left out, logged with its id and counted in the
    state; the others are sent. Keeps what is open in the state, so any process may continue.
    """

    name = "openlineage"

    def __init__(self, transport: Transport, namespace: str, places: Places, kinds: StageKinds) -> None:
        """`namespace` is that of the jobs; `kinds` returns what a stage takes and gives."""
        from orchestration.lineage.run_events import RunEvents

        self._transport = transport
        self._events = RunEvents(namespace, places, kinds)
        self._log = structlog.get_logger(__name__)

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Send the events of these facts; returns the state behind them.

        Raises UnavailableError when the transport takes nothing now, ConfigurationError when it never will.
        """
        runs = OpenRuns.model_validate_json(state) if state else OpenRuns()
        tree = RunTree(runs, inputs_of)
        for fact in facts:
            for index, change in enumerate(tree.apply(fact)):
                self._send(runs, f"{fact.ledger}/{fact.sequence}/{index}", self._events.event(change))
        return runs.model_dump_json()

    def _send(self, runs: OpenRuns, event_id: str, event: Any) -> None:
        try:
            self._transport.send(event)
        except LineageRejectedError as error:
            runs.rejected += 1
            self._log.error(
                "lineage event refused",
                code=error.code,
                lineage_event=event_id,
                run=event.run.runId,
                lineage_job=event.job.name,
                type=event.eventType.value,
                refused_so_far=runs.rejected,
                message=error.message,
            )

    def close(self) -> None:
        """Close the transport. Idempotent."""
        self._transport.close()
