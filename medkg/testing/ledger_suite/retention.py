"""Retention: what goes by age, and what stays whatever its age."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    Clock,
    a_broken_item,
    a_failure,
    a_job,
    a_key,
    an_item,
    claimed,
    commit_all,
    counts,
    job_ids,
    taken,
)
from orchestration.contracts import DocumentCounts, JobState, Ledger, Retention

DAY = 86_400.0


def prune(ledger: Ledger, clock: Clock, details: float = 1, history: float = 10, newest: int = 0) -> None:
    """Prune with ages in days."""
    ledger.retention.prune(
        Retention(
            details_since=clock.seconds - details * DAY,
            history_since=clock.seconds - history * DAY,
            newest_jobs=newest,
        )
    )


def ended(ledger: Ledger, job_id: str, *doc_ids: str) -> str:
    """A job that is done, with its documents committed."""
    a_job(ledger, *map(an_item, doc_ids), job_id=job_id)
    if counts(ledger, job_id).pending:
        commit_all(ledger, claimed(ledger, job_id), intent_id=job_id)
    assert ledger.jobs.settle(job_id) is JobState.DONE
    return job_id


class RetentionSuite:
    """Promises of `ledger.retention`; part of LedgerSuite."""

    def test_an_account_stays_what_it_was_when_its_items_are_gone(self, ledger: Ledger, clock: Clock) -> None:
        ended(ledger, "job-1", "1", "2")
        a_job(ledger, an_item("1"), an_item("1"), an_item("3"), a_broken_item("4"), job_id="job-2")
        commit_all(ledger, claimed(ledger, "job-2"), intent_id="i2")
        ledger.jobs.settle("job-2")
        before = [ledger.jobs.summary(job_id) for job_id in ("job-1", "job-2")]
        clock.seconds += 2 * DAY
        for _ in range(2):
            prune(ledger, clock)
            assert [ledger.jobs.summary(job_id) for job_id in ("job-1", "job-2")] == before
        assert before[1].documents == DocumentCounts(total=4, committed=1, skipped=2, failed=1)
        assert before[1].chunks == 2

    def test_a_job_that_still_works_keeps_its_items_and_goes_on(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        commit_all(ledger, claimed(ledger, job, 1))
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        assert counts(ledger, job) == DocumentCounts(total=2, committed=1, pending=1)
        commit_all(ledger, claimed(ledger, job))
        assert ledger.jobs.settle(job) is JobState.DONE

    def test_a_cancelled_job_with_unfinished_documents_stays(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"))
        ledger.jobs.cancel(job)
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        assert counts(ledger, job).pending == 1

    def test_old_jobs_are_forgotten_but_for_the_newest_of_each_tenant(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        for number in range(4):
            ended(ledger, f"job-{number}", "1")
            clock.seconds += DAY
        clock.seconds += 100 * DAY
        prune(ledger, clock, newest=2)
        assert job_ids(ledger.jobs.find(TENANT, None)) == ["job-3", "job-2"]
        prune(ledger, clock)
        assert ledger.jobs.find(TENANT, None) == []

    def test_documents_stay_committed_and_unchanged_ones_are_skipped_when_their_job_is_forgotten(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        ended(ledger, "job-1", "1")
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        (row,) = ledger.documents.find(TENANT)
        assert (row.status, row.job_id) == ("committed", "job-1")
        assert ledger.commits.find(a_key("1")) is not None
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-2")).skipped == 1

    def test_a_dead_letter_that_waits_outlives_its_job_and_can_be_replayed(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx) for ctx in taken(ledger, window)], {})
        ledger.jobs.settle(job)
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        assert ledger.jobs.find(TENANT, None) == []
        (letter,) = ledger.dead_letters.waiting(TENANT)
        assert letter.failure.ctx.doc_id == "1"
        ended(ledger, "job-2", "1")
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        assert ledger.dead_letters.find(TENANT, only_waiting=False) == []

    def test_rows_of_deleted_documents_and_their_dead_letters_go(self, ledger: Ledger, clock: Clock) -> None:
        ended(ledger, "job-1", "1")
        a_job(ledger, a_broken_item("2"), job_id="job-2")
        ledger.jobs.settle("job-2")
        ledger.documents.delete([a_key("1"), a_key("2")])
        assert len(ledger.documents.find(TENANT, status="deleted")) == 2
        clock.seconds += 100 * DAY
        prune(ledger, clock)
        assert ledger.documents.find(TENANT, status="deleted") == []
        assert ledger.dead_letters.find(TENANT, only_waiting=False) == []

    def test_nothing_young_goes(self, ledger: Ledger, clock: Clock) -> None:
        ended(ledger, "job-1", "1")
        ledger.documents.delete([a_key("1")])
        assert (
            ledger.retention.prune(
                Retention(details_since=clock.seconds, history_since=clock.seconds, newest_jobs=0)
            )
            == {}
        )
