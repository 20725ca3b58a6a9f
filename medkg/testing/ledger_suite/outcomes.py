"""Outcomes: versions, stages, failures and commits of a run, and reports of its stages."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    a_commit,
    a_failure,
    a_job,
    a_key,
    a_submission,
    an_item,
    claimed,
    commit_all,
    counts,
    doc_ids,
    fingerprint_of,
    status_of,
    taken,
)
from orchestration.contracts import DocumentCounts, Ledger, StageReport


class OutcomeSuite:
    """Promises of `ledger.outcomes`; part of LedgerSuite."""

    def test_reports_and_windows_of_a_job_are_kept_in_order(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        run_ids = (claimed(ledger, job, 1), claimed(ledger, job, 1))
        for stage in ("ingest", "parse"):
            ledger.outcomes.advance(run_ids[0], stage, [], [], {}, _a_report(job, run_ids[0], stage))
        summary = ledger.jobs.summary(job)
        assert summary.run_ids == run_ids
        assert [report.stage for report in summary.stages] == ["ingest", "parse"]
        assert ledger.windows.job_of(run_ids[1]) == job

    def test_a_version_found_by_the_fetch_can_end_in_a_skip(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, an_item("1", None), an_item("2", None), job_id="job-2")
        contexts = [ctx.with_metadata(version="v1") for ctx in taken(ledger, claimed(ledger, job))]
        assert doc_ids(ledger.outcomes.record_versions(contexts)) == ["2"]
        assert counts(ledger, job) == DocumentCounts(total=2, skipped=1, pending=1)
        assert status_of(ledger, "1") == "committed"
        assert ledger.documents.find(TENANT, doc_id="2")[0].version == "v1"

    def test_a_fetch_of_a_run_that_lost_its_documents_decides_nothing(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1", None)))
        stale = [ctx.with_metadata(version="v1") for ctx in taken(ledger, window)]
        a_job(ledger, an_item("1", "v2"), job_id="job-2")
        ledger.windows.release(window, "its run failed")
        ledger.jobs.open(a_submission("job-3"))
        ledger.jobs.enqueue("job-3", [an_item("1", "v3")], fingerprint_of)
        assert ledger.outcomes.record_versions(stale) == []
        assert ledger.documents.find(TENANT)[0].version == "v3"

    def test_stages_leave_their_name_and_add_up_their_retries(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
        contexts = taken(ledger, window)
        ledger.outcomes.advance(window, "ingest", contexts, [], {"1": 2})
        ledger.outcomes.advance(window, "ingest", contexts, [], {"1": 1})
        ledger.outcomes.advance(window, "parse", contexts[:1], [], {"1": 1})
        rows = {row.key.doc_id: row for row in ledger.documents.find(TENANT)}
        assert rows["1"].retry_count_per_stage == {"ingest": 3, "parse": 1}
        assert (rows["1"].current_stage, rows["2"].current_stage) == ("parse", "ingest")
        assert rows["2"].retry_count_per_stage == {}

    def test_a_failure_ends_its_document_and_leaves_the_others(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        failure = a_failure(contexts[0], message="bad \0 bytes", attempts=4)
        ledger.outcomes.advance(window, "parse", contexts[1:], [failure], {"1": 3})
        row = ledger.documents.find(TENANT, doc_id="1")[0]
        assert (row.status, row.current_stage, row.error_code) == ("failed", "parse", "MEDKG-200")
        assert row.retry_count_per_stage == {"parse": 3}
        (letter,) = ledger.dead_letters.find(TENANT)
        assert letter.failure.ctx == contexts[0]
        assert (letter.failure.attempts, letter.failure.message) == (4, "bad \ufffd bytes")
        assert letter.locator == an_item("1").locator
        assert doc_ids(taken(ledger, window)) == ["2"]

    def test_a_failure_of_a_document_another_run_has_by_now_is_no_dead_letter(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        first = claimed(ledger, job)
        (ctx,) = taken(ledger, first)
        ledger.windows.release(first, "its run failed")
        claimed(ledger, job)
        ledger.outcomes.advance(first, "parse", [], [a_failure(ctx)], {})
        assert ledger.dead_letters.find(TENANT) == []
        assert counts(ledger, job).pending == 1

    def test_an_optional_stage_s_failure_is_a_dead_letter_of_a_document_that_commits(
        self, ledger: Ledger
    ) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        (ctx,) = taken(ledger, window)
        ledger.outcomes.advance(window, "extract", [], [a_failure(ctx, "extract", fatal=False)], {})
        commit_all(ledger, window)
        assert counts(ledger, job) == DocumentCounts(total=1, committed=1)
        assert [failure.fatal for failure in ledger.jobs.summary(job).failures] == [False]
        assert ledger.documents.find(TENANT)[0].missing_stages == ("extract",)

    def test_finish_commits_what_is_still_held_and_leaves_the_rest(self, ledger: Ledger) -> None:
        first = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, first)
        contexts = taken(ledger, window)
        a_job(ledger, an_item("2", "v2"), job_id="job-2")
        assert ledger.outcomes.finish(window, OWNER, [a_commit(ctx) for ctx in contexts]) == []
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [a_key("1")]
        assert counts(ledger, first) == DocumentCounts(total=2, committed=1, pending=1)

    def test_finish_of_nothing_is_nothing(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        assert ledger.outcomes.finish(window, OWNER, []) == []


def _a_report(job_id: str, window_id: str, stage: str) -> StageReport:
    return StageReport(
        job_id=job_id,
        window_id=window_id,
        stage=stage,
        documents_in=2,
        documents_out=2,
        failed=0,
        retried=0,
        items_out=2,
        started_at=1.0,
        seconds=1.0,
        cpu_seconds=1.0,
    )
