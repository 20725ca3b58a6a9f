"""Monitoring: counts over all tenants, exact at one moment."""

from __future__ import annotations

from medkg.testing.ledger_suite.builders import (
    GATE,
    LEASE_SECONDS,
    Clock,
    a_failure,
    a_job,
    a_key,
    an_item,
    at_the_gate,
    claimed,
    commit_all,
    taken,
)
from orchestration.contracts import Ledger


class MonitoringSuite:
    """Promises of `ledger.monitoring`; part of LedgerSuite."""

    def test_an_empty_ledger_reads_as_nothing(self, ledger: Ledger) -> None:
        reading = ledger.monitoring.read()
        assert (reading.documents, reading.jobs, reading.gates, reading.dead_letters) == ({}, {}, (), {})
        assert (reading.windows, reading.leases, reading.expired) == (0, 0, 0)

    def test_documents_jobs_and_dead_letters_are_counted_by_state(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(4)))
        window = claimed(ledger, job, 2)
        first, _ = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [], [a_failure(first)], {})
        commit_all(ledger, window)
        reading = ledger.monitoring.read()
        (pipeline,) = {name for name, _ in reading.documents}
        assert reading.documents == {
            (pipeline, "committed"): 1,
            (pipeline, "failed"): 1,
            (pipeline, "queued"): 2,
        }
        assert sum(reading.jobs.values()) == 1
        assert list(reading.dead_letters.values()) == [1]
        assert reading.queued_since == {pipeline: clock()}

    def test_the_queue_is_as_old_as_the_document_that_was_queued_longest(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        since = clock()
        a_job(ledger, an_item("1"))
        clock.seconds += 100
        a_job(ledger, an_item("2"), job_id="job-2")
        assert list(ledger.monitoring.read().queued_since.values()) == [since]

    def test_leases_are_counted_and_those_that_ended(self, ledger: Ledger, clock: Clock) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
        taken(ledger, window)
        reading = ledger.monitoring.read()
        assert (reading.windows, reading.leases, reading.expired) == (1, 2, 0)
        clock.seconds += LEASE_SECONDS + 1
        assert ledger.monitoring.read().expired == 2

    def test_a_dead_letter_of_a_deleted_document_waits_no_more(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx)], {})
        assert sum(ledger.monitoring.read().dead_letters.values()) == 1
        ledger.documents.delete([a_key("1")])
        assert ledger.monitoring.read().dead_letters == {}

    def test_gates_have_the_number_of_their_documents_and_the_longest_wait(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        since = clock()
        at_the_gate(ledger, "1")
        clock.seconds += 50
        at_the_gate(ledger, "2", job_id="job-2")
        (gate,) = ledger.monitoring.read().gates
        assert (gate.gate, gate.documents, gate.since) == (GATE.name, 2, since)
