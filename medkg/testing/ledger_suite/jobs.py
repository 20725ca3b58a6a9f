"""Jobs: accounts that add up, skips, repeats, documents of several jobs, and states."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    a_broken_item,
    a_commit,
    a_failure,
    a_job,
    a_submission,
    an_item,
    claimed,
    commit_all,
    counts,
    doc_ids,
    fingerprint_of,
    job_ids,
    made_as,
    status_of,
    taken,
)
from orchestration.contracts import DocumentCounts, JobState, Ledger
from orchestration.errors import DuplicateDocumentError, LeaseLostError, UsageError


class JobSuite:
    """Promises of `ledger.jobs`; part of LedgerSuite."""

    # --- accounts -----------------------------------------------------------------------------------

    def test_a_window_that_commits_settles_the_account(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        commit_all(ledger, claimed(ledger, job))
        summary = ledger.jobs.summary(job)
        assert summary.documents == DocumentCounts(total=2, committed=2)
        assert summary.chunks == 4
        assert ledger.jobs.settle(job) is JobState.DONE

    def test_enqueue_returns_what_became_of_its_items(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        first = ledger.jobs.enqueue("job-1", [an_item("1"), a_broken_item("2")], fingerprint_of)
        assert first == DocumentCounts(total=2, pending=1, failed=1)
        assert ledger.jobs.enqueue("job-1", [an_item("3")], fingerprint_of) == DocumentCounts(
            total=1, pending=1
        )
        assert ledger.jobs.enqueue("job-1", [], fingerprint_of) == DocumentCounts()

    def test_an_item_error_is_a_failed_document_and_a_dead_letter(self, ledger: Ledger) -> None:
        job = a_job(ledger, a_broken_item("1"))
        assert counts(ledger, job) == DocumentCounts(total=1, failed=1)
        (row,) = ledger.documents.find(TENANT)
        assert (row.status, row.error_code, row.error_message) == ("failed", "MEDKG-200", "cut off")
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.code, letter.failure.ctx.doc_id) == ("MEDKG-200", "1")
        assert ledger.jobs.settle(job) is JobState.DONE

    def test_a_broken_item_leaves_a_committed_version_alone(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, a_broken_item("1"), job_id="job-2")
        assert counts(ledger, job).failed == 1
        assert status_of(ledger, "1") == "committed"

    def test_a_whole_item_behind_a_broken_one_of_the_same_id_is_taken(self, ledger: Ledger) -> None:
        job = a_job(ledger, a_broken_item("1"), an_item("1"), a_broken_item("1"))
        assert counts(ledger, job) == DocumentCounts(total=3, failed=2, pending=1)
        commit_all(ledger, claimed(ledger, job))
        assert status_of(ledger, "1") == "committed"

    def test_failures_are_listed_in_input_order(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), a_broken_item("2"), an_item("3"), an_item("4"))
        last, first = claimed(ledger, job, 1), claimed(ledger, job, 2)
        for window in (first, last):
            contexts = taken(ledger, window)
            failures = [a_failure(ctx) for ctx in reversed(contexts)]
            ledger.outcomes.advance(window, "parse", [], failures, {})
        assert doc_ids(failure.ctx for failure in ledger.jobs.summary(job).failures) == ["1", "2", "3", "4"]

    def test_more_items_than_one_statement_takes_are_all_placed(self, ledger: Ledger) -> None:
        items = [an_item(str(number)) for number in range(2_300)]
        job = a_job(ledger, *items, an_item("7"), an_item("8", "other"))
        assert counts(ledger, job) == DocumentCounts(total=2_302, pending=2_300, skipped=1, failed=1)
        assert len(taken(ledger, claimed(ledger, job, 2_100))) == 2_100

    def test_ids_with_any_characters_are_kept_apart(self, ledger: Ledger) -> None:
        ids = ["10.1000/a b", "10.1000/A B", "ä'\"%_\\;--", "x" * 500, "1\n2", "日本"]
        job = a_job(ledger, *(an_item(doc_id) for doc_id in ids))
        assert doc_ids(taken(ledger, claimed(ledger, job))) == ids

    def test_one_id_in_two_sources_is_two_documents(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("1", "v2", source="files"))
        assert counts(ledger, job).pending == 2

    def test_an_unknown_job_or_window_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(UsageError, match="no-such-job"):
            ledger.jobs.summary("no-such-job")
        with pytest.raises(UsageError, match="no-such-job"):
            ledger.jobs.enqueue("no-such-job", [an_item("1")], fingerprint_of)
        with pytest.raises(UsageError, match="no-such-window"):
            ledger.windows.lease("no-such-window", OWNER)
        assert ledger.windows.job_of("no-such-window") is None

    def test_jobs_are_listed_newest_first_by_tenant_and_state(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"))
        a_job(ledger, an_item("1"), job_id="job-2", tenant_id="other")
        ledger.jobs.open(a_submission("job-3"))
        assert job_ids(ledger.jobs.find(None, None)) == ["job-3", "job-2", "job-1"]
        assert job_ids(ledger.jobs.find(TENANT, None)) == ["job-3", "job-1"]
        assert job_ids(ledger.jobs.find(None, [JobState.OPEN])) == ["job-2", "job-1"]
        assert job_ids(ledger.jobs.find(None, None, limit=1)) == ["job-3"]
        assert ledger.jobs.find(TENANT, [JobState.OPEN])[0].documents.pending == 1

    def test_jobs_are_found_by_exactly_the_beginning_of_their_id(self, ledger: Ledger) -> None:
        for job_id in ("ab%1", "ab%2", "abc3", "AB%4"):
            a_job(ledger, job_id=job_id)
        ids = {beginning: ledger.jobs.beginning_with(TENANT, beginning) for beginning in ("ab%", "ab%2", "b")}
        assert ids == {"ab%": ["ab%2", "ab%1"], "ab%2": ["ab%2"], "b": []}
        assert ledger.jobs.beginning_with(TENANT, "") == ["AB%4", "abc3", "ab%2", "ab%1"]
        assert ledger.jobs.beginning_with("another tenant", "ab") == []

    # --- skips --------------------------------------------------------------------------------------

    def test_an_unchanged_document_is_skipped_and_a_changed_one_is_not(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        again = a_job(ledger, an_item("1"), an_item("2", "v2"), job_id="job-2")
        assert counts(ledger, again) == DocumentCounts(total=2, skipped=1, pending=1)

    def test_a_changed_fingerprint_is_a_reason_to_work(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        ledger.jobs.open(a_submission("job-2"))
        assert ledger.jobs.enqueue("job-2", [an_item("1")], made_as("f2")).pending == 1

    def test_a_document_that_another_pipeline_indexed_last_is_not_unchanged(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        other = a_job(ledger, an_item("1"), job_id="job-2", pipeline="clinical-trials")
        assert counts(ledger, other).pending == 1
        commit_all(ledger, claimed(ledger, other), "i2")
        back = a_job(ledger, an_item("1"), job_id="job-3")
        assert counts(ledger, back).pending == 1

    def test_content_that_went_back_to_what_is_committed_needs_no_work(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        changed = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window = claimed(ledger, changed)
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx) for ctx in taken(ledger, window)], {})
        assert status_of(ledger, "1") == "failed"
        back = a_job(ledger, an_item("1"), job_id="job-3")
        assert counts(ledger, back).skipped == 1
        assert status_of(ledger, "1") == "committed"

    # --- repeats and several jobs -------------------------------------------------------------------

    def test_a_repeat_is_skipped_when_equal_and_dead_lettered_when_it_differs(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("1", uri="y"), an_item("1", "other", uri="z.jsonl"))
        assert counts(ledger, job) == DocumentCounts(total=3, pending=1, skipped=1, failed=1)
        (failure,) = ledger.jobs.summary(job).failures
        assert failure.code == DuplicateDocumentError.code
        assert "z.jsonl" in failure.message

    def test_a_repeat_in_a_later_batch_of_the_same_job_is_seen(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.enqueue("job-1", [an_item("1")], fingerprint_of)
        later = ledger.jobs.enqueue("job-1", [an_item("1"), an_item("1", "x")], fingerprint_of)
        assert later == DocumentCounts(total=2, skipped=1, failed=1)

    def test_a_repeat_of_unknown_content_is_the_same_only_at_the_same_place(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1", None), an_item("1", None), an_item("1", None, uri="y.jsonl"))
        assert counts(ledger, job) == DocumentCounts(total=3, pending=1, skipped=1, failed=1)

    def test_a_job_counts_the_outcome_of_documents_another_job_is_at(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
        contexts = taken(ledger, window)
        second = a_job(ledger, an_item("1"), an_item("2"), job_id="job-2")
        assert ledger.windows.claim(second, 10) is None
        assert ledger.jobs.settle(second) is JobState.OPEN
        ledger.outcomes.advance(window, "parse", contexts[1:], [a_failure(contexts[0])], {})
        ledger.outcomes.finish(window, OWNER, [a_commit(contexts[1])])
        for job in ("job-1", "job-2"):
            summary = ledger.jobs.summary(job)
            assert summary.documents == DocumentCounts(total=2, committed=1, failed=1)
            assert summary.chunks == 2
            assert doc_ids(failure.ctx for failure in summary.failures) == ["1"]
        assert len(ledger.dead_letters.find(TENANT)) == 1
        assert len(ledger.dead_letters.find(TENANT, job_id=second)) == 1

    def test_a_finished_account_does_not_change_with_what_later_jobs_do(self, ledger: Ledger) -> None:
        first = a_job(ledger, an_item("1"), a_broken_item("2"))
        commit_all(ledger, claimed(ledger, first))
        second = a_job(ledger, an_item("1", "v2"), an_item("2"), job_id="job-2")
        window = claimed(ledger, second)
        changed, repaired = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [repaired], [a_failure(changed)], {})
        commit_all(ledger, window, "i2")
        assert counts(ledger, first) == DocumentCounts(total=2, committed=1, failed=1)
        assert doc_ids(failure.ctx for failure in ledger.jobs.summary(first).failures) == ["2"]
        assert counts(ledger, second) == DocumentCounts(total=2, committed=1, failed=1)
        assert doc_ids(failure.ctx for failure in ledger.jobs.summary(second).failures) == ["1"]

    def test_documents_of_a_cancelled_job_are_taken_over_from_where_they_are_now(
        self, ledger: Ledger
    ) -> None:
        first = a_job(ledger, an_item("1"))
        ledger.windows.release(claimed(ledger, first), "interrupted")
        ledger.jobs.set_state(first, JobState.CANCELLED)
        second = a_job(ledger, an_item("1", uri="moved.jsonl"), job_id="job-2")
        (document,) = ledger.windows.lease(claimed(ledger, second), OWNER).documents
        assert document.locator.uri == "moved.jsonl"
        assert document.ctx.job_id == second

    def test_changed_content_takes_a_document_from_the_run_that_is_at_its_old_content(
        self, ledger: Ledger
    ) -> None:
        first = a_job(ledger, an_item("1"))
        window = claimed(ledger, first)
        (old,) = taken(ledger, window)
        newer = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        with pytest.raises(LeaseLostError):
            ledger.outcomes.finish(window, OWNER, [a_commit(old)])
        commit_all(ledger, claimed(ledger, newer))
        commit = ledger.commits.find(old.key)
        assert commit is not None
        assert commit.version == "v2"
        assert counts(ledger, first) == counts(ledger, newer) == DocumentCounts(total=1, committed=1)

    def test_tenants_never_see_each_other(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        other = a_job(ledger, an_item("1"), a_broken_item("2"), job_id="job-2", tenant_id="other")
        assert counts(ledger, other).pending == 1
        assert ledger.documents.status_counts(TENANT) == {"committed": 1}
        assert ledger.documents.status_counts("other") == {"queued": 1, "failed": 1}
        assert ledger.dead_letters.find(TENANT) == []
        assert list(ledger.commits.committed("other")) == []
        assert ledger.commits.changes("other", 0) == (0, [])

    # --- states -------------------------------------------------------------------------------------

    def test_a_cancelled_or_enumerating_job_is_not_settled(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        assert ledger.jobs.settle("job-1") is JobState.ENUMERATING
        ledger.jobs.cancel("job-1")
        assert ledger.jobs.settle("job-1") is JobState.CANCELLED

    def test_a_cancelled_job_stays_so_when_its_listing_ends(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.cancel("job-1")
        ledger.jobs.set_state("job-1", JobState.OPEN)
        assert ledger.jobs.summary("job-1").state is JobState.CANCELLED

    def test_a_cancelled_job_keeps_its_documents_for_a_later_run(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        commit_all(ledger, claimed(ledger, job, limit=1))
        ledger.jobs.cancel(job)
        assert ledger.jobs.settle(job) is JobState.CANCELLED
        assert (counts(ledger, job).committed, counts(ledger, job).pending) == (1, 1)
        assert doc_ids(taken(ledger, claimed(ledger, a_job(ledger, an_item("2"), job_id="job-2")))) == ["2"]

    def test_a_job_whose_documents_are_all_committed_is_done_though_it_is_cancelled(
        self, ledger: Ledger
    ) -> None:
        job = a_job(ledger, an_item("1"))
        commit_all(ledger, claimed(ledger, job))
        ledger.jobs.cancel(job)
        assert ledger.jobs.summary(job).state is JobState.DONE
        ledger.jobs.cancel(job)
        assert ledger.jobs.summary(job).state is JobState.DONE
