"""Dead letters: listed until their documents are tried again or deleted, and replayed."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    a_broken_item,
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
    job_ids,
    taken,
)
from orchestration.contracts import DocumentCounts, Ledger
from orchestration.errors import UsageError


class DeadLetterSuite:
    """Promises of `ledger.dead_letters`; part of LedgerSuite."""

    def test_replay_queues_the_documents_of_dead_letters_again(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", contexts[1:], [a_failure(contexts[0])], {})
        commit_all(ledger, window)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert ledger.dead_letters.replay([letter.id], a_submission("job-2"), fingerprint_of) == 1
        assert ledger.dead_letters.find(TENANT) == []
        assert [old.replayed_in for old in ledger.dead_letters.find(TENANT, only_waiting=False)] == ["job-2"]
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

    def test_dead_letters_are_counted_by_stage_and_code_since_a_moment(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"), an_item("3"))
        window = claimed(ledger, job)
        first, *others = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", others, [a_failure(first)], {})
        ledger.outcomes.advance(window, "embed", [], [a_failure(ctx, "embed") for ctx in others], {})
        code = a_failure(first).code
        counted = ledger.dead_letters.counts_since(TENANT, 0.0)
        assert counted == {("parse", code): 1, ("embed", code): 2}
        assert ledger.dead_letters.counts_since("another", 0.0) == {}
        assert ledger.dead_letters.counts_since(TENANT, 1e12) == {}

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
        assert job_ids(ledger.jobs.find(TENANT, None)) == ["job-1"]
        assert len(ledger.dead_letters.find(TENANT)) == 1

    def test_a_document_that_is_tried_again_has_no_old_dead_letters(self, ledger: Ledger) -> None:
        a_job(ledger, a_broken_item("1"), a_broken_item("2"))
        a_job(ledger, an_item("1"), a_broken_item("2", "still cut off"), job_id="job-2")
        (letter,) = ledger.dead_letters.find(TENANT)
        assert letter.failure.message == "still cut off"
        assert len(ledger.dead_letters.find(TENANT, only_waiting=False)) == 3

    def test_a_deleted_document_has_no_dead_letter_to_replay(self, ledger: Ledger) -> None:
        job = a_job(ledger, a_broken_item("1"), a_broken_item("2"))
        other, mine = ledger.dead_letters.find(TENANT)
        for _ in range(2):
            ledger.documents.delete([a_key("1")])
        assert ledger.dead_letters.find(TENANT) == ledger.dead_letters.waiting(TENANT) == [other]
        with pytest.raises(UsageError, match=f"{mine.id} waits for replay.*deleted"):
            ledger.dead_letters.replay([mine.id], a_submission("job-2"), fingerprint_of)
        listed = ledger.dead_letters.find(TENANT, only_waiting=False)
        assert [(letter.id, letter.deleted) for letter in listed] == [(other.id, False), (mine.id, True)]
        assert counts(ledger, job) == DocumentCounts(total=2, failed=2)
        assert len(ledger.jobs.summary(job).failures) == 2
        ledger.documents.erase([a_key("1")])
        assert ledger.dead_letters.find(TENANT, only_waiting=False) == [other]

    def test_a_document_that_is_listed_again_after_its_deletion_has_its_new_dead_letter(
        self, ledger: Ledger
    ) -> None:
        a_job(ledger, a_broken_item("1"))
        ledger.documents.delete([a_key("1")])
        a_job(ledger, a_broken_item("1", "still cut off"), job_id="job-2")
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.message, letter.deleted) == ("still cut off", False)

    def test_a_failure_that_needs_another_topology_is_settled_when_one_commits_the_document(
        self, ledger: Ledger
    ) -> None:
        _failed(ledger, "MEDKG-206")
        assert len(ledger.dead_letters.find(TENANT)) == 1
        _committed_by_another(ledger)
        assert ledger.dead_letters.find(TENANT) == ledger.dead_letters.waiting(TENANT) == []
        (letter,) = ledger.dead_letters.find(TENANT, only_waiting=False)
        assert (letter.settled, letter.replayed_in, letter.deleted) == (True, None, False)
        with pytest.raises(UsageError, match=f"{letter.id} waits for replay.*committed by another topology"):
            ledger.dead_letters.replay([letter.id], a_submission("job-3"), fingerprint_of)
        (row,) = ledger.documents.find(TENANT)
        assert (row.pipeline_name, row.status) == ("pdf", "committed")
        assert ledger.documents.find(TENANT, status="failed") == []
        assert ledger.documents.status_counts(TENANT) == {"committed": 1}
        assert counts(ledger, "job-1") == DocumentCounts(total=1, failed=1)
        assert len(ledger.jobs.summary("job-1").failures) == 1

    def test_such_a_failure_after_the_commit_is_settled_at_once(self, ledger: Ledger) -> None:
        _committed_by_another(ledger)
        _failed(ledger, "MEDKG-206")
        assert ledger.dead_letters.find(TENANT) == []
        assert ledger.documents.status_counts(TENANT) == {"committed": 1}

    def test_a_new_version_that_no_topology_committed_is_not_settled(self, ledger: Ledger) -> None:
        _failed(ledger, "MEDKG-206", version="v2")
        _committed_by_another(ledger)
        assert len(ledger.dead_letters.find(TENANT)) == 1
        assert ledger.documents.status_counts(TENANT) == {"committed": 1, "failed": 1}

    def test_another_failure_stays_whatever_other_topologies_commit(self, ledger: Ledger) -> None:
        _failed(ledger, "MEDKG-200")
        _committed_by_another(ledger)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert not letter.settled
        assert ledger.documents.status_counts(TENANT) == {"committed": 1, "failed": 1}

    def test_a_settled_failure_waits_again_when_the_commit_is_withdrawn(self, ledger: Ledger) -> None:
        _failed(ledger, "MEDKG-206")
        _committed_by_another(ledger)
        ledger.documents.requeue([a_key("1")])
        assert len(ledger.dead_letters.find(TENANT)) == 1


def _failed(ledger: Ledger, code: str, version: str = "v1") -> None:
    window = claimed(ledger, a_job(ledger, an_item("1", version)))
    contexts = taken(ledger, window)
    ledger.outcomes.advance(window, "parse", [], [a_failure(contexts[0], code=code)], {})


def _committed_by_another(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"), job_id="job-2", pipeline="pdf")
    assert len(commit_all(ledger, claimed(ledger, job))) == 0
