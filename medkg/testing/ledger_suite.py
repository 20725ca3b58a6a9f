"""What every Ledger promises: accounts that add up, leases, skips, dead letters and commits.

A test module subclasses LedgerSuite and gives it a `ledger` fixture that uses `clock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from orchestration.contracts import (
    EVERYTHING,
    Commit,
    DocumentCounts,
    Failure,
    JobState,
    Ledger,
    SourceRequest,
    StageReport,
    Submission,
    Sync,
    SyncKey,
)
from orchestration.errors import DuplicateDocumentError, LeaseLostError, UsageError
from orchestration.records import DocumentKey, Locator, SourceItem, StageContext

OWNER, OTHER = "host/boot/1/1", "host/boot/2/2"
LEASE_SECONDS = 60.0
TENANT = "default"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def everyone_alive(owner: str) -> bool:
    return True


def a_submission(
    job_id: str = "job-1",
    pipeline: str = "auto",
    tenant_id: str = TENANT,
    version: str = "2026-11-23",
    attended: bool = True,
) -> Submission:
    return Submission(
        job_id=job_id,
        tenant_id=tenant_id,
        pipeline_name=pipeline,
        pipeline_version=version,
        topology_hash="h",
        request=SourceRequest(source="files", paths=("x",)),
        window_size=500,
        attended=attended,
    )


def an_item(
    doc_id: str, version: str | None = "v1", uri: str = "x.jsonl", source: str = "pubmed"
) -> SourceItem:
    locator = Locator(uri=uri, format="pubmed-jsonl")
    return SourceItem(doc_id=doc_id, source=source, locator=locator, version=version)


def a_broken_item(doc_id: str, message: str = "cut off") -> SourceItem:
    return an_item(doc_id, None).model_copy(update={"error_code": "MEDKG-200", "error_message": message})


def fingerprint_of(item: SourceItem) -> str:
    return "f1"


def a_job(
    ledger: Ledger,
    *items: SourceItem,
    job_id: str = "job-1",
    pipeline: str = "auto",
    tenant_id: str = TENANT,
) -> str:
    ledger.jobs.open(a_submission(job_id, pipeline, tenant_id))
    ledger.jobs.enqueue(job_id, items, fingerprint_of)
    ledger.jobs.set_state(job_id, JobState.OPEN)
    return job_id


def claimed(ledger: Ledger, job_id: str, limit: int = 100) -> str:
    window_id = ledger.windows.claim(job_id, limit)
    assert window_id is not None
    return window_id


def taken(ledger: Ledger, window_id: str, owner: str = OWNER) -> list[StageContext]:
    return [document.ctx for document in ledger.windows.lease(window_id, owner).documents]


def doc_ids(contexts: Iterable[StageContext]) -> list[str]:
    return [ctx.doc_id for ctx in contexts]


def a_commit(ctx: StageContext, intent_id: str = "i1", chunks: int = 2) -> Commit:
    return Commit(
        key=ctx.key,
        version=ctx.version,
        fingerprint=ctx.fingerprint,
        pipeline=ctx.pipeline_name,
        intent_id=intent_id,
        chunk_count=chunks,
        namespace="minilm@1",
    )


def a_failure(
    ctx: StageContext, stage: str = "parse", message: str = "bad", fatal: bool = True, attempts: int = 1
) -> Failure:
    return Failure(ctx=ctx, stage=stage, code="MEDKG-200", message=message, attempts=attempts, fatal=fatal)


def commit_all(ledger: Ledger, window_id: str, intent_id: str = "i1", owner: str = OWNER) -> list[Commit]:
    contexts = taken(ledger, window_id, owner)
    return ledger.outcomes.finish(window_id, owner, [a_commit(ctx, intent_id) for ctx in contexts])


def a_sync_key() -> SyncKey:
    return SyncKey(
        tenant_id=TENANT,
        pipeline_name="auto",
        fingerprint="f1",
        source="clinicaltrials",
        origin="https://trials.example",
        query="EGFR",
        limit=None,
    )


def counts(ledger: Ledger, job_id: str) -> DocumentCounts:
    return ledger.jobs.summary(job_id).documents


def status_of(ledger: Ledger, doc_id: str) -> str:
    return ledger.documents.find(TENANT, doc_id=doc_id)[0].status


class LedgerSuite:
    """Subclassed once an implementation."""

    # --- listings of sources ------------------------------------------------------------------------

    def test_a_listing_is_remembered_for_exactly_its_key(self, ledger: Ledger) -> None:
        sync = Sync(cursor="next", begun_at=12.5, listed=3, since=2.5)
        ledger.syncs.save(a_sync_key(), Sync(cursor="previous"))
        ledger.syncs.save(a_sync_key(), sync)
        assert ledger.syncs.get(a_sync_key()) == sync
        for other in ({"query": "KRAS"}, {"query": None}, {"limit": 5}, {"tenant_id": "other"}):
            assert ledger.syncs.get(a_sync_key().model_copy(update=other)) == Sync()

    def test_the_listings_of_a_tenant_are_listed_the_last_started_first(self, ledger: Ledger) -> None:
        other = a_sync_key().model_copy(update={"query": "KRAS"})
        ledger.syncs.save(a_sync_key(), Sync(since=5.0, listed=2))
        ledger.syncs.save(other, Sync(begun_at=7.0, cursor="c"))
        ledger.syncs.save(a_sync_key().model_copy(update={"tenant_id": "other"}), Sync())
        assert ledger.syncs.find(TENANT) == [
            (other, Sync(begun_at=7.0, cursor="c")),
            (a_sync_key(), Sync(since=5.0, listed=2)),
        ]

    def test_what_earlier_jobs_of_a_request_left_is_listed_oldest_first(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"), an_item("2"), an_item("3"))
        window = claimed(ledger, "job-1", 1)
        commit_all(ledger, window)
        assert ledger.syncs.unfinished(a_submission("job-2")) == [an_item("2"), an_item("3")]

    def test_what_others_left_is_not_listed(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"))
        other = SourceRequest(source="files", paths=("y",))
        assert ledger.syncs.unfinished(a_submission("job-2", "other-pipeline")) == []
        assert ledger.syncs.unfinished(a_submission("job-2", tenant_id="other")) == []
        assert ledger.syncs.unfinished(a_submission("job-1")) == []
        assert ledger.syncs.unfinished(a_submission("job-2").model_copy(update={"request": other})) == []

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

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
        assert _job_ids(ledger.jobs.find(None, None)) == ["job-3", "job-2", "job-1"]
        assert _job_ids(ledger.jobs.find(TENANT, None)) == ["job-3", "job-1"]
        assert _job_ids(ledger.jobs.find(None, [JobState.OPEN])) == ["job-2", "job-1"]
        assert _job_ids(ledger.jobs.find(None, None, limit=1)) == ["job-3"]
        assert ledger.jobs.find(TENANT, [JobState.OPEN])[0].documents.pending == 1

    def test_reports_and_windows_of_a_job_are_kept_in_order(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        run_ids = (claimed(ledger, job, 1), claimed(ledger, job, 1))
        for stage in ("ingest", "parse"):
            ledger.outcomes.report(_a_report(job, run_ids[0], stage))
        summary = ledger.jobs.summary(job)
        assert summary.run_ids == run_ids
        assert [report.stage for report in summary.stages] == ["ingest", "parse"]
        assert ledger.windows.job_of(run_ids[1]) == job

    # --- skips --------------------------------------------------------------------------------------

    def test_an_unchanged_document_is_skipped_and_a_changed_one_is_not(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        again = a_job(ledger, an_item("1"), an_item("2", "v2"), job_id="job-2")
        assert counts(ledger, again) == DocumentCounts(total=2, skipped=1, pending=1)

    def test_a_changed_fingerprint_is_a_reason_to_work(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        ledger.jobs.open(a_submission("job-2"))
        assert ledger.jobs.enqueue("job-2", [an_item("1")], lambda item: "f2").pending == 1

    def test_a_relabelled_commit_counts_as_made_under_its_new_fingerprint(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        changes = ledger.commits.changes(TENANT, 0)
        previous = ledger.commits.find(_key("1"))
        assert previous is not None
        new = previous.model_copy(update={"fingerprint": "f2", "namespace": "qwen@1"})
        assert ledger.commits.relabel([(previous, new)]) == [new]
        assert ledger.commits.relabel([(previous, new)]) == []
        assert ledger.commits.find(_key("1")) == new
        assert ledger.commits.namespaces(TENANT) == {"minilm@1": 1, "qwen@1": 1}
        assert ledger.commits.changes(TENANT, 0) == changes
        ledger.jobs.open(a_submission("job-2"))
        again = ledger.jobs.enqueue("job-2", [an_item("1"), an_item("2")], lambda item: "f2")
        assert again == DocumentCounts(total=2, skipped=1, pending=1)

    def test_a_commit_that_was_superseded_meanwhile_is_not_relabelled(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        previous = ledger.commits.find(_key("1"))
        assert previous is not None
        changed = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        commit_all(ledger, claimed(ledger, changed), "i2")
        latest = ledger.commits.find(_key("1"))
        assert ledger.commits.relabel([(previous, previous.model_copy(update={"namespace": "qwen@1"}))]) == []
        assert ledger.commits.find(_key("1")) == latest

    def test_a_document_that_another_pipeline_indexed_last_is_not_unchanged(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        other = a_job(ledger, an_item("1"), job_id="job-2", pipeline="clinical-trials")
        assert counts(ledger, other).pending == 1
        commit_all(ledger, claimed(ledger, other), "i2")
        back = a_job(ledger, an_item("1"), job_id="job-3")
        assert counts(ledger, back).pending == 1

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

    def test_content_that_went_back_to_what_is_committed_needs_no_work(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        changed = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window = claimed(ledger, changed)
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx) for ctx in taken(ledger, window)], {})
        assert status_of(ledger, "1") == "failed"
        back = a_job(ledger, an_item("1"), job_id="job-3")
        assert counts(ledger, back).skipped == 1
        assert status_of(ledger, "1") == "committed"

    def test_a_withdrawn_document_is_worked_on_again(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        ledger.documents.delete([_key("1")])
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-2")).pending == 1

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

    def test_a_window_that_waits_for_its_run_keeps_documents_another_job_lists(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        second = a_job(ledger, an_item("1"), job_id="job-2")
        assert ledger.windows.claim(second, 10) is None
        assert doc_ids(taken(ledger, window)) == ["1"]

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

    # --- windows and leases -------------------------------------------------------------------------

    def test_windows_are_cut_in_input_order_and_never_overlap(self, ledger: Ledger) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(5)))
        windows = [claimed(ledger, job, 2) for _ in range(3)]
        assert [doc_ids(taken(ledger, window)) for window in windows] == [["0", "1"], ["2", "3"], ["4"]]
        assert ledger.windows.claim(job, 2) is None

    def test_a_window_names_job_pipeline_and_content(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2", None))
        window = ledger.windows.lease(claimed(ledger, job), OWNER)
        assert (window.job_id, window.pipeline_name, window.pipeline_version) == (job, "auto", "2026-11-23")
        known, unknown = (document.ctx for document in window.documents)
        assert known.metadata == {"source": "pubmed", "version": "v1", "fingerprint": "f1"}
        assert "version" not in unknown.metadata
        assert known.correlation_id != unknown.correlation_id
        assert window.documents[0].source_plugin == "files"

    def test_a_hold_expires_without_counting_against_its_documents(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job = a_job(ledger, an_item("1"))
        for _ in range(4):
            claimed(ledger, job)
            assert ledger.windows.claim(job, 10) is None
            clock.seconds += LEASE_SECONDS + 1
            assert ledger.windows.reclaim(everyone_alive) == 1
        assert ledger.jobs.settle(job) is JobState.OPEN

    def test_a_hold_ends_with_its_holder_unless_a_run_has_started(self, ledger: Ledger) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(3)))
        started, held = (ledger.windows.claim(job, 1, reserved_by="launcher") for _ in range(2))
        anyones = claimed(ledger, job, 1)
        assert started and held
        taken(ledger, started)
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert [ledger.windows.reclaim(lambda process: process != "launcher") for _ in range(2)] == [1, 0]
        assert doc_ids(taken(ledger, claimed(ledger, job))) == ["1"]
        assert doc_ids(taken(ledger, anyones)) == ["2"]
        commit_all(ledger, started)
        assert counts(ledger, job).committed == 1

    def test_turns_list_each_tenant_s_windows_in_progress_and_its_last_claim(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        assert ledger.windows.tenant_loads() == {}
        first = a_job(ledger, *(an_item(str(n)) for n in range(4)), job_id="job-1", tenant_id="first")
        second = a_job(ledger, an_item("1"), job_id="job-2", tenant_id="second")
        started = claimed(ledger, first, 1)
        taken(ledger, started)
        claimed(ledger, first, 2)
        alone = ledger.windows.tenant_loads()
        claimed(ledger, second)
        both = ledger.windows.tenant_loads()
        assert [alone["first"][0], "second" in alone] == [2, False]
        assert [both["first"][0], both["second"][0]] == [2, 1]
        assert both["first"][1] < both["second"][1]
        commit_all(ledger, started)
        assert ledger.windows.tenant_loads()["first"] == (1, both["first"][1])
        clock.seconds += LEASE_SECONDS + 1
        assert ledger.windows.tenant_loads() == {
            "first": (0, both["first"][1]),
            "second": (0, both["second"][1]),
        }

    def test_a_hold_that_is_kept_up_does_not_expire(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        for _ in range(3):
            clock.seconds += LEASE_SECONDS - 1
            ledger.windows.extend_reservations([window])
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert ledger.windows.claim(job, 10) is None
        assert doc_ids(taken(ledger, window)) == ["1"]

    def test_documents_that_no_window_had_come_before_those_of_an_expired_hold(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(4)))
        slow = claimed(ledger, job, 2)
        clock.seconds += LEASE_SECONDS + 1
        assert doc_ids(taken(ledger, claimed(ledger, job, 2))) == ["2", "3"]
        assert doc_ids(taken(ledger, slow)) == ["0", "1"]

    def test_a_dead_owner_loses_its_documents_at_once_and_cannot_commit(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        first = claimed(ledger, job)
        (ctx,) = taken(ledger, first)
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert ledger.windows.reclaim(lambda owner: owner != OWNER) == 1
        second = claimed(ledger, job)
        taken(ledger, second, OTHER)
        with pytest.raises(LeaseLostError, match=first):
            ledger.outcomes.finish(first, OWNER, [a_commit(ctx)])
        commit_all(ledger, second, owner=OTHER)
        assert counts(ledger, job).committed == 1

    def test_an_expired_lease_is_taken_again_by_the_first_run_that_comes(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        taken(ledger, window)
        clock.seconds += LEASE_SECONDS + 1
        (ctx,) = taken(ledger, window, OTHER)
        with pytest.raises(LeaseLostError, match=OWNER):
            ledger.windows.renew(window, OWNER)
        with pytest.raises(LeaseLostError, match=window):
            ledger.outcomes.finish(window, OWNER, [a_commit(ctx, "i1")])
        ledger.outcomes.finish(window, OTHER, [a_commit(ctx, "i2")])
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == ["i2"]

    def test_a_live_owner_is_not_disturbed_by_a_second_run_of_its_window(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        assert doc_ids(taken(ledger, window)) == ["1"]
        assert taken(ledger, window, OTHER) == []
        with pytest.raises(LeaseLostError):
            ledger.windows.renew(window, OTHER)

    def test_a_renewed_lease_does_not_expire(self, ledger: Ledger, clock: Clock) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        taken(ledger, window)
        for _ in range(3):
            clock.seconds += LEASE_SECONDS - 1
            ledger.windows.renew(window, OWNER)
        assert ledger.windows.reclaim(everyone_alive) == 0

    def test_a_late_renewal_takes_back_what_no_other_run_took(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        taken(ledger, window)
        clock.seconds += LEASE_SECONDS + 1
        assert ledger.windows.reclaim(everyone_alive) == 1
        ledger.windows.renew(window, OWNER)
        assert ledger.windows.claim(job, 10) is None

    def test_a_renewal_of_a_finished_window_is_nothing(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        commit_all(ledger, window)
        ledger.windows.renew(window, OWNER)

    def test_a_released_window_can_be_taken_up_again_under_its_own_id(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", contexts[1:], [a_failure(contexts[0])], {})
        assert ledger.windows.release(window, "its run failed") == 1
        assert ledger.windows.release(window, "its run failed") == 0
        assert doc_ids(taken(ledger, window, OTHER)) == ["2"]

    def test_a_released_window_keeps_nothing_that_a_later_one_claimed(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        first = claimed(ledger, job)
        taken(ledger, first)
        ledger.windows.release(first, "its run failed")
        claimed(ledger, job)
        assert taken(ledger, first) == []
        assert ledger.windows.release(first, "again") == 0

    def test_documents_handed_back_three_times_stall_the_job_and_a_new_job_takes_them(
        self, ledger: Ledger
    ) -> None:
        job = a_job(ledger, an_item("1"))
        for _ in range(3):
            assert ledger.jobs.settle(job) is JobState.OPEN
            window = claimed(ledger, job)
            taken(ledger, window)
            ledger.windows.release(window, "crash")
        assert ledger.windows.claim(job, 10) is None
        assert ledger.jobs.settle(job) is JobState.STALLED
        assert counts(ledger, job).pending == 1
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), job_id="job-2")))
        assert ledger.jobs.settle(job) is JobState.DONE

    def test_a_document_that_kills_its_worker_does_so_three_times_at_most(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        deaths = 0
        while (window := ledger.windows.claim(job, 10)) is not None:
            taken(ledger, window)
            deaths += ledger.windows.reclaim(lambda owner: False)
        assert deaths == 3
        assert ledger.jobs.settle(job) is JobState.STALLED

    def test_a_cancelled_or_enumerating_job_is_not_settled(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        assert ledger.jobs.settle("job-1") is JobState.ENUMERATING
        ledger.jobs.cancel("job-1")
        assert ledger.jobs.settle("job-1") is JobState.CANCELLED

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

    # --- stages -------------------------------------------------------------------------------------

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

    # --- dead letters -------------------------------------------------------------------------------

    def test_replay_queues_the_documents_of_dead_letters_again(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", contexts[1:], [a_failure(contexts[0])], {})
        commit_all(ledger, window)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert ledger.dead_letters.replay([letter.id], a_submission("job-2"), fingerprint_of) == 1
        assert ledger.dead_letters.find(TENANT) == []
        assert [old.replayed_in for old in ledger.dead_letters.find(TENANT, unreplayed=False)] == ["job-2"]
        (document,) = ledger.windows.lease(claimed(ledger, "job-2"), OWNER).documents
        assert (document.ctx.doc_id, document.source_plugin) == ("1", "files")

    def test_replay_works_on_an_unchanged_document_that_lacks_an_optional_stage(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        ledger.outcomes.advance(window, "extract", [], [a_failure(ctx, "extract", fatal=False)], {})
        commit_all(ledger, window)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-2")).skipped == 1
        ledger.dead_letters.replay([letter.id], a_submission("job-3"), fingerprint_of)
        window = claimed(ledger, "job-3")
        contexts = [ctx.with_metadata(version="v1") for ctx in taken(ledger, window)]
        assert doc_ids(ledger.outcomes.record_versions(contexts)) == ["1"]
        commit_all(ledger, window, "i2")
        assert ledger.documents.find(TENANT)[0].missing_stages == ()
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-4")).skipped == 1

    def test_several_dead_letters_of_a_document_are_one_document_to_replay(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        for stage in ("extract", "kg"):
            ledger.outcomes.advance(window, stage, [], [a_failure(ctx, stage, fatal=False)], {})
        commit_all(ledger, window)
        ids = [letter.id for letter in ledger.dead_letters.find(TENANT)]
        assert ledger.dead_letters.replay(ids, a_submission("job-2"), fingerprint_of) == 1
        assert counts(ledger, "job-2") == DocumentCounts(total=1, pending=1)
        assert ledger.dead_letters.find(TENANT) == []

    def test_replay_of_what_does_not_wait_for_it_opens_no_job(self, ledger: Ledger) -> None:
        a_job(ledger, a_broken_item("1"))
        (letter,) = ledger.dead_letters.find(TENANT)
        with pytest.raises(UsageError, match="4711"):
            ledger.dead_letters.replay([letter.id, 4711], a_submission("job-2"), fingerprint_of)
        with pytest.raises(UsageError, match="4711"):
            ledger.dead_letters.waiting(TENANT, [letter.id, 4711])
        assert (
            ledger.dead_letters.waiting(TENANT)
            == ledger.dead_letters.waiting(TENANT, [letter.id])
            == [letter]
        )
        assert _job_ids(ledger.jobs.find(TENANT, None)) == ["job-1"]
        assert len(ledger.dead_letters.find(TENANT)) == 1

    def test_a_document_that_is_tried_again_has_no_old_dead_letters(self, ledger: Ledger) -> None:
        a_job(ledger, a_broken_item("1"), a_broken_item("2"))
        a_job(ledger, an_item("1"), a_broken_item("2", "still cut off"), job_id="job-2")
        (letter,) = ledger.dead_letters.find(TENANT)
        assert letter.failure.message == "still cut off"
        assert len(ledger.dead_letters.find(TENANT, unreplayed=False)) == 3

    # --- commits ------------------------------------------------------------------------------------

    def test_readers_hear_of_commits_and_withdrawals_in_order(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        newest, changes = ledger.commits.changes(TENANT, 0)
        assert changes == [(_key("1"), "i1"), (_key("2"), "i1")]
        assert ledger.commits.changes(TENANT, newest) == (newest, [])
        assert [old.key for old in ledger.documents.delete([_key("2"), _key("absent")])] == [_key("2")]
        later, changes = ledger.commits.changes(TENANT, newest)
        assert changes == [(_key("2"), None)]
        assert later > newest
        assert ledger.commits.changes(TENANT, 0)[1] == [(_key("1"), "i1"), (_key("2"), None)]

    def test_a_number_of_a_change_is_never_used_twice(self, ledger: Ledger) -> None:
        numbers = []
        for intent_id in ("i1", "i2", "i3"):
            ledger.commits.commit([a_commit(_a_context("1"), intent_id)])
            numbers.append(ledger.commits.changes(TENANT, 0)[0])
        assert numbers == sorted(set(numbers))

    def test_a_new_version_supersedes_the_old_commit(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        superseded = commit_all(ledger, claimed(ledger, job), intent_id="i2")
        assert [(old.version, old.intent_id) for old in superseded] == [("v1", "i1")]
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == ["i2"]

    def test_a_commit_is_kept_with_the_model_of_its_vectors(self, ledger: Ledger) -> None:
        commit = a_commit(_a_context("1")).model_copy(update={"namespace": "letters@1"})
        ledger.commits.commit([commit])
        assert list(ledger.commits.committed(TENANT)) == [commit]
        assert ledger.commits.find(commit.key) == commit

    def test_the_same_commit_twice_supersedes_nothing(self, ledger: Ledger) -> None:
        assert ledger.commits.commit([a_commit(_a_context("1"))]) == []
        assert ledger.commits.commit([a_commit(_a_context("1"))]) == []

    def test_finish_commits_what_is_still_held_and_leaves_the_rest(self, ledger: Ledger) -> None:
        first = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, first)
        contexts = taken(ledger, window)
        a_job(ledger, an_item("2", "v2"), job_id="job-2")
        assert ledger.outcomes.finish(window, OWNER, [a_commit(ctx) for ctx in contexts]) == []
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [_key("1")]
        assert counts(ledger, first) == DocumentCounts(total=2, committed=1, pending=1)

    def test_finish_of_nothing_is_nothing(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        assert ledger.outcomes.finish(window, OWNER, []) == []

    def test_nothing_becomes_visible_under_an_intent_that_is_being_cleaned(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        intent = ledger.commits.open_intent(TENANT, OTHER, [_key("1"), _key("2")])
        ledger.outcomes.finish(window, OWNER, [a_commit(contexts[0], intent.intent_id)])
        ledger.commits.begin_cleaning([intent.intent_id])
        ledger.commits.begin_cleaning([intent.intent_id])
        with pytest.raises(LeaseLostError, match="queued again"):
            ledger.outcomes.finish(window, OWNER, [a_commit(contexts[1], intent.intent_id)])
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [_key("1")]
        assert counts(ledger, job) == DocumentCounts(total=2, committed=1, pending=1)

    def test_an_intent_stays_while_documents_are_visible_under_it(self, ledger: Ledger) -> None:
        first = ledger.commits.open_intent(TENANT, OWNER, [_key("1"), _key("2")])
        second = ledger.commits.open_intent(TENANT, OTHER, [_key("1")])
        elsewhere = ledger.commits.open_intent("other", OTHER, [])
        assert ledger.commits.intents() == [first, second, elsewhere]
        ledger.commits.commit([a_commit(_a_context("1"), first.intent_id)])
        ledger.commits.close_intents([first.intent_id, second.intent_id])
        assert [intent.intent_id for intent in ledger.commits.intents(TENANT)] == [first.intent_id]
        assert set(ledger.commits.intents(TENANT)[0].keys) == {_key("1"), _key("2")}
        ledger.documents.delete([_key("1")])
        ledger.commits.close_intents([first.intent_id])
        assert ledger.commits.intents(TENANT) == []

    def test_a_deleted_document_is_gone_for_readers_and_for_the_run_that_is_at_it(
        self, ledger: Ledger
    ) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window = claimed(ledger, job)
        (ctx,) = taken(ledger, window)
        assert [commit.key for commit in ledger.documents.delete([_key("1")])] == [_key("1")]
        assert ledger.documents.delete([_key("1")]) == []
        assert ledger.commits.find(_key("1")) is None
        with pytest.raises(LeaseLostError):
            ledger.outcomes.finish(window, OWNER, [a_commit(ctx)])
        assert counts(ledger, job) == DocumentCounts(total=1, skipped=1)
        assert ledger.documents.find(TENANT) == []
        assert [row.status for row in ledger.documents.find(TENANT, status="deleted")] == ["deleted"]
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-3")).pending == 1

    def test_an_erased_document_never_was_but_the_sums_of_its_jobs_stay(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"), a_broken_item("3"))
        commit_all(ledger, claimed(ledger, job))
        newest, _ = ledger.commits.changes(TENANT, 0)
        account = counts(ledger, job)
        for _ in range(2):
            ledger.documents.erase([_key("1"), _key("3")])
            ledger.documents.expunge()
        assert counts(ledger, job) == account
        assert [row.key.doc_id for row in ledger.documents.find(TENANT)] == ["2"]
        assert ledger.documents.find(TENANT, status="deleted") == []
        assert ledger.dead_letters.find(TENANT, unreplayed=False) == []
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [_key("2")]
        assert EVERYTHING in [key.doc_id for key, _ in ledger.commits.changes(TENANT, newest)[1]]
        known = {key.doc_id: intent for key, intent in ledger.commits.changes(TENANT, 0)[1]}
        assert known.keys() == {EVERYTHING, "2"}
        assert known[EVERYTHING] is None

    def test_tenants_are_those_with_visible_documents(self, ledger: Ledger) -> None:
        assert ledger.commits.tenants() == []
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        a_job(ledger, an_item("1"), job_id="job-2", tenant_id="waiting")
        assert ledger.commits.tenants() == [TENANT]

    def test_a_document_a_store_lost_is_due_again(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        assert [commit.key for commit in ledger.documents.requeue([_key("1")])] == [_key("1")]
        assert status_of(ledger, "1") == "queued"
        assert ledger.documents.requeue([_key("1")]) == []
        assert ledger.commits.find(_key("1")) is None
        job = a_job(ledger, an_item("1"), job_id="job-2")
        commit_all(ledger, claimed(ledger, job), "i2")
        assert counts(ledger, job).committed == 1

    # --- reading ------------------------------------------------------------------------------------

    def test_documents_are_found_by_id_source_and_status_newest_change_first(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        a_job(ledger, an_item("1"), an_item("2"))
        clock.seconds += 1
        a_job(ledger, an_item("1", source="files"), a_broken_item("3"), job_id="job-2")
        assert [row.key.doc_id for row in ledger.documents.find(TENANT, limit=2)] == ["1", "3"]
        assert len(ledger.documents.find(TENANT, doc_id="1")) == 2
        assert len(ledger.documents.find(TENANT, doc_id="1", source="files")) == 1
        assert [row.key.doc_id for row in ledger.documents.find(TENANT, status="failed")] == ["3"]
        assert ledger.documents.status_counts(TENANT) == {"queued": 3, "failed": 1}


def _job_ids(summaries: Sequence[object]) -> list[str]:
    return [summary.submission.job_id for summary in summaries]  # type: ignore[attr-defined]


def _key(doc_id: str) -> DocumentKey:
    return DocumentKey(tenant_id=TENANT, source="pubmed", doc_id=doc_id)


def _a_context(doc_id: str) -> StageContext:
    return StageContext(
        tenant_id=TENANT,
        job_id="job-1",
        doc_id=doc_id,
        correlation_id="c",
        metadata={"source": "pubmed", "version": "v1", "fingerprint": "f1"},
        pipeline_name="auto",
        pipeline_version="2026-11-23",
    )


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
