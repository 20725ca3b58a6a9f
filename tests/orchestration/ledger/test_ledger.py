"""The ledger's account and leases, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts import Commit, Failure, JobState, SourceRequest, Submission
from orchestration.errors import (
    IllegalTransitionError,
    LeaseLostError,
    StoreCorruptError,
    StoreUnwritableError,
)
from orchestration.ledger import Ledger, open_ledger
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import Locator, SourceItem

OWNER, OTHER = "host/boot/1/1", "host/boot/2/2"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60.0, clock)
    yield opened
    opened.close()


def a_submission(job_id: str = "job-1", pipeline: str = "auto") -> Submission:
    return Submission(
        job_id=job_id,
        tenant_id="default",
        pipeline_name=pipeline,
        pipeline_version="2026-11-23",
        topology_hash="h",
        request=SourceRequest(source="files", paths=("x",)),
        window_size=500,
        attended=True,
    )


def an_item(doc_id: str, version: str | None = "v1", **changes: str) -> SourceItem:
    return SourceItem(
        doc_id=doc_id,
        source="pubmed",
        locator=Locator(uri="x.jsonl", format="pubmed-jsonl"),
        version=version,
        **changes,
    )


def a_job(ledger: Ledger, *items: SourceItem, job_id: str = "job-1", pipeline: str = "auto") -> str:
    ledger.open_job(a_submission(job_id, pipeline))
    ledger.enqueue(job_id, items, fingerprint_of)
    ledger.set_job_state(job_id, JobState.OPEN)
    return job_id


def fingerprint_of(item: SourceItem) -> str:
    return "f1"


def commit_all(ledger: Ledger, window_id: str, intent_id: str = "i1", owner: str = OWNER) -> list[Commit]:
    window = ledger.window(window_id, owner)
    return ledger.finish(
        window_id,
        owner,
        [
            Commit(
                key=document.ctx.key,
                version=document.ctx.version,
                fingerprint=document.ctx.fingerprint,
                pipeline="auto",
                intent_id=intent_id,
                chunk_count=2,
            )
            for document in window.documents
        ],
    )


def claimed(ledger: Ledger, job_id: str, limit: int = 100) -> str:
    window_id = ledger.claim_window(job_id, limit)
    assert window_id is not None
    return window_id


def test_a_window_that_commits_settles_the_account(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"), an_item("2"))
    commit_all(ledger, claimed(ledger, job))
    summary = ledger.summary(job)
    assert (summary.documents.total, summary.documents.committed, summary.chunks) == (2, 2, 4)
    assert ledger.settle(job) is JobState.DONE


def test_an_unchanged_document_is_skipped_and_a_changed_one_is_not(ledger: Ledger) -> None:
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
    again = a_job(ledger, an_item("1"), an_item("2", version="v2"), job_id="job-2")
    assert ledger.summary(again).documents.skipped == 1
    assert ledger.summary(again).documents.pending == 1


def test_a_document_that_another_pipeline_indexed_last_is_not_unchanged(ledger: Ledger) -> None:
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
    other = a_job(ledger, an_item("1"), job_id="job-2", pipeline="clinical-trials")
    assert ledger.summary(other).documents.pending == 1


def test_a_version_found_by_the_fetch_can_end_in_a_skip(ledger: Ledger) -> None:
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
    job = a_job(ledger, an_item("1", version=None), an_item("2", version=None), job_id="job-2")
    window = ledger.window(claimed(ledger, job), OWNER)
    contexts = [document.ctx.with_metadata(version="v1") for document in window.documents]
    assert [ctx.doc_id for ctx in ledger.fetched(contexts)] == ["2"]
    assert ledger.summary(job).documents.skipped == 1


def test_a_repeat_is_skipped_when_equal_and_dead_lettered_when_it_differs(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"), an_item("1"), an_item("1", version="other"))
    summary = ledger.summary(job)
    assert (summary.documents.pending, summary.documents.skipped, summary.documents.failed) == (1, 1, 1)
    assert summary.failures[0].code == "MEDKG-203"


def test_a_repeat_in_a_later_batch_of_the_same_job_is_seen(ledger: Ledger) -> None:
    ledger.open_job(a_submission())
    ledger.enqueue("job-1", [an_item("1")], fingerprint_of)
    assert ledger.enqueue("job-1", [an_item("1"), an_item("1", version="x")], fingerprint_of).failed == 1


def test_a_broken_item_is_a_dead_letter_and_leaves_a_committed_version_alone(ledger: Ledger) -> None:
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
    broken = an_item("1", version=None, error_code="MEDKG-200", error_message="cut off")
    job = a_job(ledger, broken, job_id="job-2")
    assert ledger.summary(job).documents.failed == 1
    assert [row.status for row in ledger.find_documents("default")] == ["committed"]


def test_a_window_holds_its_documents_until_the_hold_expires(ledger: Ledger, clock: Clock) -> None:
    job = a_job(ledger, an_item("1"))
    claimed(ledger, job)
    assert ledger.claim_window(job, 10) is None
    clock.seconds += 61
    assert ledger.reclaim(lambda owner: True) == 1
    assert ledger.claim_window(job, 10) is not None


def test_a_dead_owner_loses_its_documents_at_once_and_cannot_commit(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"))
    first = claimed(ledger, job)
    ledger.window(first, OWNER)
    assert ledger.reclaim(lambda owner: owner != OWNER) == 1
    second = claimed(ledger, job)
    ledger.window(second, OTHER)
    with pytest.raises(LeaseLostError):
        commit = Commit(
            key=ledger.find_documents("default")[0].key,
            version="v1",
            fingerprint="f1",
            pipeline="auto",
            intent_id="i",
            chunk_count=1,
        )
        ledger.finish(first, OWNER, [commit])
    commit_all(ledger, second, owner=OTHER)
    assert ledger.summary(job).documents.committed == 1


def test_a_live_owner_is_not_disturbed_by_a_second_run_of_its_window(ledger: Ledger) -> None:
    window = claimed(ledger, a_job(ledger, an_item("1")))
    assert len(ledger.window(window, OWNER).documents) == 1
    assert ledger.window(window, OTHER).documents == ()


def test_a_released_window_can_be_taken_up_again_under_its_own_id(ledger: Ledger) -> None:
    window = claimed(ledger, a_job(ledger, an_item("1")))
    ledger.window(window, OWNER)
    assert ledger.release(window, "its run failed") == 1
    assert ledger.release(window, "its run failed") == 0
    assert len(ledger.window(window, OTHER).documents) == 1


def test_documents_handed_back_three_times_stall_the_job_and_a_new_job_takes_them(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"))
    for _ in range(3):
        window = claimed(ledger, job)
        ledger.window(window, OWNER)
        ledger.release(window, "crash")
    assert ledger.claim_window(job, 10) is None
    assert ledger.settle(job) is JobState.STALLED
    assert ledger.summary(job).documents.pending == 1
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), job_id="job-2")))
    assert ledger.settle(job) is JobState.DONE


def test_a_job_counts_the_outcome_of_documents_another_job_is_at(ledger: Ledger) -> None:
    first = a_job(ledger, an_item("1"))
    window = claimed(ledger, first)
    ledger.window(window, OWNER)
    second = a_job(ledger, an_item("1"), job_id="job-2")
    assert ledger.claim_window(second, 10) is None
    commit_all(ledger, window)
    assert ledger.summary(second).documents.committed == 1


def test_changed_content_takes_a_document_away_from_the_run_that_is_at_its_old_content(
    ledger: Ledger,
) -> None:
    window = claimed(ledger, a_job(ledger, an_item("1")))
    old = ledger.window(window, OWNER).documents[0].ctx
    newer = a_job(ledger, an_item("1", version="v2"), job_id="job-2")
    stale = Commit(
        key=old.key, version="v1", fingerprint="f1", pipeline="auto", intent_id="i0", chunk_count=1
    )
    with pytest.raises(LeaseLostError):
        ledger.finish(window, OWNER, [stale])
    commit_all(ledger, claimed(ledger, newer))
    found = ledger.find(old.key)
    assert found is not None
    assert found.version == "v2"


def test_failures_become_dead_letters_and_replay_queues_them_again(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"), an_item("2"))
    window = claimed(ledger, job)
    documents = ledger.window(window, OWNER).documents
    failure = Failure(ctx=documents[0].ctx, stage="parse", code="MEDKG-200", message="bad", attempts=1)
    ledger.advance(window, "parse", [documents[1].ctx], [failure], {"2": 2})
    commit_all(ledger, window)
    summary = ledger.summary(job)
    assert (summary.documents.failed, summary.documents.committed) == (1, 1)
    (letter,) = ledger.dead_letters("default")
    assert ledger.replay([letter.id], a_submission("job-2"), fingerprint_of) == 1
    assert ledger.dead_letters("default") == []
    assert ledger.summary("job-2").documents.pending == 1
    row = next(row for row in ledger.find_documents("default") if row.key.doc_id == "2")
    assert row.retry_count_per_stage == {"parse": 2}


def test_an_optional_stage_s_failure_is_a_dead_letter_of_a_document_that_commits(ledger: Ledger) -> None:
    job = a_job(ledger, an_item("1"))
    window = claimed(ledger, job)
    ctx = ledger.window(window, OWNER).documents[0].ctx
    failure = Failure(ctx=ctx, stage="extract", code="MEDKG-300", message="x", attempts=2, fatal=False)
    ledger.advance(window, "extract", [], [failure], {})
    commit_all(ledger, window)
    assert ledger.summary(job).documents.committed == 1
    assert len(ledger.dead_letters("default")) == 1


def test_readers_hear_of_commits_and_withdrawals_in_order(ledger: Ledger) -> None:
    window = claimed(ledger, a_job(ledger, an_item("1")))
    commit_all(ledger, window)
    key = ledger.find_documents("default")[0].key
    newest, changes = ledger.changes("default", 0)
    assert changes == [(key, "i1")]
    assert ledger.delete_document(key) == 1
    assert ledger.changes("default", newest)[1] == [(key, None)]
    assert ledger.find(key) is None


def test_a_new_version_supersedes_the_old_commit(ledger: Ledger) -> None:
    commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
    job = a_job(ledger, an_item("1", version="v2"), job_id="job-2")
    superseded = commit_all(ledger, claimed(ledger, job), intent_id="i2")
    assert [(old.version, old.intent_id) for old in superseded] == [("v1", "i1")]


def test_intents_are_closed_by_the_commit_of_all_their_documents(ledger: Ledger) -> None:
    window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
    keys = [document.ctx.key for document in ledger.window(window, OWNER).documents]
    whole = ledger.open_intent("default", OWNER, keys)
    ledger.open_intent("default", OWNER, keys)
    commit_all(ledger, window, intent_id=whole.intent_id)
    (left,) = ledger.intents()
    assert left.intent_id != whole.intent_id
    ledger.close_intents([left.intent_id])
    assert ledger.intents() == []


def test_an_illegal_move_is_an_error() -> None:
    with pytest.raises(IllegalTransitionError, match="waiting"):
        check_move("1", Status.WAITING, Status.COMMITTED)


def test_a_damaged_ledger_and_an_impossible_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreCorruptError, match="broken.sqlite"):
        open_ledger(f"sqlite:///{tmp_path / 'broken.sqlite'}")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnwritableError, match="file"):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")


def test_the_migrated_schema_is_the_one_the_tables_declare(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from orchestration.ledger.tables import metadata

    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    open_ledger(url).close()
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
