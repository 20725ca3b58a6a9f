"""Revisions: the newest record of an id stands, in a job and over jobs; deletions that sources announce."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    a_commit,
    a_deletion,
    a_failure,
    a_job,
    a_key,
    a_submission,
    an_item,
    claimed,
    commit_all,
    counts,
    fingerprint_of,
    status_of,
    taken,
)
from orchestration.contracts import DocumentCounts, JobState, Ledger
from orchestration.records import SourceItem


def old(version: str = "old", revision: str = "1|2020-01-01") -> SourceItem:
    return an_item("1", version, "a.xml", revision=revision)


def new(version: str = "new", revision: str = "1|2024-01-01") -> SourceItem:
    return an_item("1", version, "b.xml", revision=revision)


def committed_version(ledger: Ledger) -> str | None:
    commit = ledger.commits.find(a_key("1"))
    return None if commit is None else commit.version


class RevisionSuite:
    """Part of LedgerSuite."""

    # --- in one job ---------------------------------------------------------------------------------

    def test_the_newest_revision_of_a_job_stands_in_whatever_order(self, ledger: Ledger) -> None:
        for number, items in enumerate(([old(), new()], [new(), old()])):
            job = a_job(ledger, *items, job_id=f"job-{number}", tenant_id=f"tenant-{number}")
            assert counts(ledger, job) == DocumentCounts(total=2, pending=1, skipped=1, superseded=1)
            (document,) = ledger.windows.lease(claimed(ledger, job), OWNER).documents
            assert document.locator.uri == "b.xml"
            assert document.ctx.revision == "1|2024-01-01"

    def test_where_no_record_states_its_revision_the_later_one_stands(self, ledger: Ledger) -> None:
        job = a_job(ledger, old(revision=""), new(revision=""))
        assert counts(ledger, job) == DocumentCounts(total=2, pending=1, skipped=1, superseded=1)
        commit_all(ledger, claimed(ledger, job))
        assert committed_version(ledger) == "new"

    def test_a_newer_revision_in_a_later_batch_stands(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        assert ledger.jobs.enqueue("job-1", [old()], fingerprint_of).pending == 1
        assert ledger.jobs.enqueue("job-1", [new()], fingerprint_of).pending == 1
        later = ledger.jobs.enqueue("job-1", [old()], fingerprint_of)
        assert later == DocumentCounts(total=1, skipped=1, superseded=1)
        assert counts(ledger, "job-1") == DocumentCounts(total=3, pending=1, skipped=2, superseded=2)
        commit_all(ledger, claimed(ledger, "job-1"))
        assert committed_version(ledger) == "new"

    def test_a_newer_revision_supersedes_one_that_the_job_has_committed(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.enqueue("job-1", [old()], fingerprint_of)
        commit_all(ledger, claimed(ledger, "job-1"))
        ledger.jobs.enqueue("job-1", [new()], fingerprint_of)
        commit_all(ledger, claimed(ledger, "job-1"), "i2")
        ledger.jobs.set_state("job-1", JobState.OPEN)
        assert counts(ledger, "job-1") == DocumentCounts(total=2, committed=1, skipped=1, superseded=1)
        assert ledger.jobs.summary("job-1").chunks == 2
        assert ledger.jobs.settle("job-1") is JobState.DONE
        assert committed_version(ledger) == "new"

    def test_a_failure_of_a_superseded_revision_stays_in_the_account(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.enqueue("job-1", [old()], fingerprint_of)
        window = claimed(ledger, "job-1")
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx) for ctx in taken(ledger, window)], {})
        ledger.jobs.enqueue("job-1", [new()], fingerprint_of)
        summary = ledger.jobs.summary("job-1")
        assert summary.documents == DocumentCounts(total=2, failed=1, pending=1)
        assert len(summary.failures) == 1

    def test_documents_that_a_later_batch_takes_over_are_facts(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.enqueue("job-1", [old(), an_item("2", revision="1"), an_item("3")], fingerprint_of)
        commit_all(ledger, claimed(ledger, "job-1"))
        before = ledger.outbox.read(0, 100)[-1].position
        again = [old(), new(), a_deletion("2", revision="2"), an_item("3")]
        ledger.jobs.enqueue("job-1", again, fingerprint_of)
        facts = ledger.outbox.read(before, 100)
        assert [
            (fact.body.kind, [each and each.key.doc_id for each in fact.documents]) for fact in facts
        ] == [
            ("job.listed", []),
            ("document.displaced", ["1", "2"]),
            ("document.queued", ["1"]),
        ]
        expected = DocumentCounts(total=7, committed=1, pending=1, skipped=5, superseded=2, deleted=1)
        assert counts(ledger, "job-1") == expected

    def test_equal_content_is_a_repeat_whatever_its_revision(self, ledger: Ledger) -> None:
        job = a_job(ledger, old("same"), new("same"), old("other", "1|2022-01-01"))
        assert counts(ledger, job) == DocumentCounts(total=3, pending=1, skipped=2, superseded=1)

    # --- over jobs ----------------------------------------------------------------------------------

    def test_an_older_revision_never_replaces_the_committed_one(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, new())))
        older = a_job(ledger, old(), job_id="job-2")
        assert counts(ledger, older) == DocumentCounts(total=1, skipped=1, superseded=1)
        assert ledger.jobs.settle(older) is JobState.DONE
        assert (status_of(ledger, "1"), committed_version(ledger)) == ("committed", "new")

    def test_nor_does_it_through_another_pipeline(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, new())))
        older = a_job(ledger, old(), job_id="job-2", pipeline="clinical-trials")
        assert counts(ledger, older) == DocumentCounts(total=1, skipped=1, superseded=1)
        assert committed_version(ledger) == "new"

    def test_nor_when_only_the_fetch_shows_that_it_is_older(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, new())))
        job = a_job(ledger, an_item("1", None, "c.xml", revision=""), job_id="job-2")
        window = claimed(ledger, job)
        fetched = [ctx.with_metadata(version="old", revision="1|2020") for ctx in taken(ledger, window)]
        assert ledger.outcomes.record_versions(fetched) == []
        assert counts(ledger, job) == DocumentCounts(total=1, skipped=1, superseded=1)
        assert (status_of(ledger, "1"), committed_version(ledger)) == ("committed", "new")
        assert counts(ledger, a_job(ledger, new(), job_id="job-3")).skipped == 1

    def test_nor_when_the_newer_one_is_committed_while_the_older_one_runs(self, ledger: Ledger) -> None:
        running = a_job(ledger, old(), pipeline="clinical-trials")
        window = claimed(ledger, running)
        (ctx,) = taken(ledger, window)
        commit_all(ledger, claimed(ledger, a_job(ledger, new(), job_id="job-2")))
        late = a_commit(ctx, "i2")
        assert ledger.outcomes.finish(window, OWNER, [late]) == [late]
        assert committed_version(ledger) == "new"
        assert counts(ledger, running) == DocumentCounts(total=1, skipped=1, superseded=1)

    def test_an_older_revision_leaves_a_newer_one_that_waits(self, ledger: Ledger) -> None:
        first = a_job(ledger, new())
        second = a_job(ledger, old(), job_id="job-2")
        commit_all(ledger, claimed(ledger, second))
        assert committed_version(ledger) == "new"
        assert counts(ledger, first) == counts(ledger, second) == DocumentCounts(total=1, committed=1)

    def test_the_same_collection_again_needs_no_work(self, ledger: Ledger) -> None:
        for revisions in (("", ""), ("1|2020", "1|2024")):
            items = [old(revision=revisions[0]), new(revision=revisions[1])]
            tenant = f"tenant-{revisions[0][:1]}"
            commit_all(ledger, claimed(ledger, a_job(ledger, *items, job_id=f"{tenant}-1", tenant_id=tenant)))
            again = a_job(ledger, *items, job_id=f"{tenant}-2", tenant_id=tenant)
            assert counts(ledger, again) == DocumentCounts(total=2, skipped=2, superseded=1)
            assert ledger.jobs.settle(again) is JobState.DONE

    def test_a_revision_of_unchanged_content_counts_for_the_next(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, new("new", "1|2020"))))
        a_job(ledger, new("new", "1|2024"), job_id="job-2")
        between = a_job(ledger, old("old", "1|2022"), job_id="job-3")
        assert counts(ledger, between) == DocumentCounts(total=1, skipped=1, superseded=1)

    def test_a_deleted_document_comes_back_with_any_revision(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, new())))
        ledger.documents.delete([a_key("1")])
        assert counts(ledger, a_job(ledger, old(), job_id="job-2")).pending == 1

    # --- deletions that sources announce --------------------------------------------------------------

    def test_an_announced_deletion_supersedes_the_record_before_it(self, ledger: Ledger) -> None:
        job = a_job(ledger, old(), a_deletion("1"))
        assert counts(ledger, job) == DocumentCounts(total=2, skipped=2, superseded=1, deleted=1)
        assert ledger.jobs.settle(job) is JobState.DONE
        assert ledger.documents.find(TENANT, doc_id="1") == []

    def test_it_ends_work_on_a_record_of_an_earlier_batch(self, ledger: Ledger) -> None:
        ledger.jobs.open(a_submission())
        ledger.jobs.enqueue("job-1", [old()], fingerprint_of)
        ledger.jobs.enqueue("job-1", [a_deletion("1", "1|2024")], fingerprint_of)
        assert ledger.windows.claim("job-1", 10) is None
        assert counts(ledger, "job-1") == DocumentCounts(total=2, skipped=2, superseded=1, deleted=1)
        later = a_job(ledger, old(), job_id="job-2")
        assert counts(ledger, later) == DocumentCounts(total=1, skipped=1, deleted=1)
        assert counts(ledger, a_job(ledger, new("new", "1|2025"), job_id="job-3")).pending == 1

    def test_it_marks_a_committed_document_which_stays_visible(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, old())))
        job = a_job(ledger, a_deletion("1"), job_id="job-2")
        assert counts(ledger, job) == DocumentCounts(total=1, skipped=1, deleted=1)
        (document,) = ledger.documents.find(TENANT, doc_id="1")
        assert (document.status, document.deleted_at_source) == ("committed", "deletions.xml")
        assert committed_version(ledger) == "old"

    def test_a_newer_record_takes_the_mark_away(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, old())))
        a_job(ledger, a_deletion("1"), job_id="job-2")
        commit_all(ledger, claimed(ledger, a_job(ledger, new(), job_id="job-3")), "i2")
        (document,) = ledger.documents.find(TENANT, doc_id="1")
        assert document.deleted_at_source is None

    def test_an_older_deletion_deletes_nothing(self, ledger: Ledger) -> None:
        job = a_job(ledger, new(), a_deletion("1", "1|2020"))
        assert counts(ledger, job) == DocumentCounts(total=2, pending=1, skipped=1, superseded=1)

    def test_a_deletion_of_an_unknown_document_is_counted(self, ledger: Ledger) -> None:
        job = a_job(ledger, a_deletion("9"), a_deletion("9"))
        assert counts(ledger, job) == DocumentCounts(total=2, skipped=2, deleted=2)
        assert ledger.jobs.settle(job) is JobState.DONE
