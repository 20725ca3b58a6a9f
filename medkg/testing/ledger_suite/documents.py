"""Documents: found, deleted, queued again and erased."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    Clock,
    a_broken_item,
    a_commit,
    a_job,
    a_key,
    an_item,
    claimed,
    commit_all,
    counts,
    status_of,
    taken,
)
from orchestration.contracts import EVERYTHING, DocumentCounts, Ledger
from orchestration.errors import LeaseLostError


class DocumentSuite:
    """Promises of `ledger.documents`; part of LedgerSuite."""

    def test_a_withdrawn_document_is_worked_on_again(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        ledger.documents.delete([a_key("1")])
        assert counts(ledger, a_job(ledger, an_item("1"), job_id="job-2")).pending == 1

    def test_a_deleted_document_is_gone_for_readers_and_for_the_run_that_is_at_it(
        self, ledger: Ledger
    ) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window = claimed(ledger, job)
        (ctx,) = taken(ledger, window)
        assert [commit.key for commit in ledger.documents.delete([a_key("1")])] == [a_key("1")]
        assert ledger.documents.delete([a_key("1")]) == []
        assert ledger.commits.find(a_key("1")) is None
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
            ledger.documents.erase([a_key("1"), a_key("3")])
            ledger.documents.expunge()
        assert counts(ledger, job) == account
        assert [row.key.doc_id for row in ledger.documents.find(TENANT)] == ["2"]
        assert ledger.documents.find(TENANT, status="deleted") == []
        assert ledger.dead_letters.find(TENANT, only_waiting=False) == []
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [a_key("2")]
        assert EVERYTHING in [key.doc_id for key, _ in ledger.commits.changes(TENANT, newest)[1]]
        known = {key.doc_id: intent for key, intent in ledger.commits.changes(TENANT, 0)[1]}
        assert known.keys() == {EVERYTHING, "2"}
        assert known[EVERYTHING] is None

    def test_a_document_a_store_lost_is_due_again(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        assert [commit.key for commit in ledger.documents.requeue([a_key("1")])] == [a_key("1")]
        assert status_of(ledger, "1") == "queued"
        assert ledger.documents.requeue([a_key("1")]) == []
        assert ledger.commits.find(a_key("1")) is None
        job = a_job(ledger, an_item("1"), job_id="job-2")
        commit_all(ledger, claimed(ledger, job), "i2")
        assert counts(ledger, job).committed == 1

    def test_a_document_that_is_queued_again_stays_visible_meanwhile(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        for _ in range(2):
            ledger.documents.queue_again([a_key("1"), a_key("absent")])
        assert status_of(ledger, "1") == "queued"
        commit = ledger.commits.find(a_key("1"))
        assert commit is not None and commit.intent_id == "i1"
        job = a_job(ledger, an_item("1"), job_id="job-2")
        assert [old.intent_id for old in commit_all(ledger, claimed(ledger, job), "i2")] == ["i1"]
        assert counts(ledger, job).committed == 1

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

    def test_documents_are_found_by_the_pipeline_that_ran_them(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"), an_item("2"))
        a_job(ledger, an_item("2"), job_id="job-2", pipeline="trials")
        assert [row.key.doc_id for row in ledger.documents.find(TENANT, pipeline="trials")] == ["2"]
        assert len(ledger.documents.find(TENANT, pipeline="auto")) == 2
        assert ledger.documents.find(TENANT, pipeline="none") == []
