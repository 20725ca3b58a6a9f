"""Years of identical runs: rows by table and bytes stay what they are after the first weeks.

Each round is a day: a job lists the same documents, of which one has changed and one fails, and its run is
driven through the ledger as a window worker does; then the ledger is pruned as the host does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    Clock,
    a_commit,
    a_failure,
    a_submission,
    an_item,
    claimed,
    fingerprint_of,
    taken,
)
from orchestration.contracts import JobState, Retention, StageReport
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.ledger.tables import metadata
from tests.exhaustive import fewer

DAY = 86_400.0
DETAIL_DAYS, HISTORY_DAYS, NEWEST_JOBS = 3, 30, 10
ROUNDS = fewer(200, 1000)
SETTLED = ROUNDS // 2
DOCUMENTS = 20


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path, clock: Clock) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{path}", 60, clock)
    yield opened
    opened.close()


def test_rows_and_bytes_are_flat_over_many_identical_runs(
    ledger: SqlLedger, clock: Clock, path: Path
) -> None:
    sizes = {}
    for number in range(ROUNDS):
        a_day(ledger, clock, number)
        if number + 1 in (SETTLED, ROUNDS):
            sizes[number + 1] = rows(path), path.stat().st_size
    (before, bytes_before), (after, bytes_after) = sizes[SETTLED], sizes[ROUNDS]
    assert after == before
    assert bytes_after <= bytes_before * 1.05
    assert len(ledger.jobs.find(TENANT, None)) == HISTORY_DAYS
    assert ledger.documents.status_counts(TENANT) == {"committed": DOCUMENTS - 1, "failed": 1}
    assert len(ledger.dead_letters.waiting(TENANT)) == 1
    newest = ledger.jobs.find(TENANT, None, limit=1)[0].documents
    assert (newest.total, newest.committed, newest.failed, newest.skipped) == (DOCUMENTS, 1, 1, DOCUMENTS - 2)
    oldest = ledger.jobs.find(TENANT, None)[-1].documents
    assert oldest == newest


def a_day(ledger: SqlLedger, clock: Clock, number: int) -> None:
    """One run of everything, what a run leaves in the ledger, and a pass of pruning."""
    job_id = f"job-{number}"
    items = [an_item(str(document)) for document in range(DOCUMENTS)]
    items[0] = an_item("0", version=f"v{number}")
    ledger.jobs.open(a_submission(job_id))
    ledger.jobs.enqueue(job_id, items, fingerprint_of)
    ledger.jobs.set_state(job_id, JobState.OPEN)
    window_id = claimed(ledger, job_id)
    contexts = taken(ledger, window_id)
    failing = [ctx for ctx in contexts if ctx.doc_id == "1"]
    working = [ctx for ctx in contexts if ctx.doc_id != "1"]
    ledger.outcomes.advance(
        window_id,
        "parse",
        working,
        [a_failure(ctx) for ctx in failing],
        {},
        StageReport(
            job_id=job_id,
            window_id=window_id,
            stage="parse",
            started_at=clock.seconds,
            documents_in=1,
            documents_out=1,
            failed=1,
            retried=1,
            items_out=1,
            seconds=1.0,
            cpu_seconds=1.0,
        ),
        [1] * len(working),
    )
    intent = ledger.commits.open_intent(TENANT, OWNER, [ctx.key for ctx in working])
    ledger.outcomes.finish(window_id, OWNER, [a_commit(ctx, intent.intent_id) for ctx in working])
    assert ledger.jobs.settle(job_id) is JobState.DONE
    clock.seconds += DAY
    old = [intent.intent_id for intent in ledger.commits.intents() if intent.created_at < clock.seconds]
    ledger.commits.begin_cleaning(old)
    ledger.commits.close_intents(old)
    ledger.outbox.prune(clock.seconds - DETAIL_DAYS * DAY, 100_000, [])
    ledger.retention.prune(
        Retention(
            details_since=clock.seconds - DETAIL_DAYS * DAY,
            history_since=clock.seconds - HISTORY_DAYS * DAY,
            newest_jobs=NEWEST_JOBS,
        )
    )


def rows(path: Path) -> dict[str, int]:
    """Number of rows by table."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return counts
