"""Facts have the trace of what made them true, so that events and lineage name it."""

from __future__ import annotations

from pathlib import Path

from medkg.testing.ledger_suite.builders import Clock, a_submission, an_item, claimed, fingerprint_of
from orchestration.contracts import JobState
from orchestration.ledger import open_ledger
from orchestration.tracing import continued

A_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_fact_has_the_trace_that_was_current_when_it_was_written(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60, Clock())
    with continued(A_PARENT):
        ledger.jobs.open(a_submission("job-1"))
        ledger.jobs.enqueue("job-1", [an_item("a")], fingerprint_of)
    ledger.jobs.set_state("job-1", JobState.OPEN)
    claimed(ledger, "job-1")
    traces = {fact.body.kind: fact.traceparent for fact in ledger.outbox.read(0, 100)}
    ledger.close()
    assert traces["job.opened"] == traces["job.listed"] == A_PARENT
    assert traces["window.claimed"] == ""
