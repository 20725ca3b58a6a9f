"""Retention beside other processes on one PostgreSQL ledger: nothing is counted twice or lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite import LEASE_SECONDS, Clock
from medkg.testing.ledger_suite.builders import a_job, a_key, an_item, counts
from medkg.testing.ledger_suite.retention import DAY, ended, prune
from orchestration.ledger import SqlLedger, open_ledger
from tests.orchestration.postgresql import needs_postgresql, own_schema

pytestmark = needs_postgresql


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledgers(clock: Clock) -> Iterator[tuple[SqlLedger, SqlLedger]]:
    """One ledger as two processes open it."""
    with own_schema() as url:
        ledger, other = open_ledger(url, LEASE_SECONDS, clock), open_ledger(url, LEASE_SECONDS, clock)
        yield ledger, other
        ledger.close()
        other.close()


@contextmanager
def before(statement: str, interruption: Callable[[], object]) -> Iterator[list[str]]:
    """Call `interruption` once, before the first statement that begins so; yields the interrupted ones."""
    interrupted: list[str] = []

    def interrupt(connection: Any, cursor: Any, sql: str, *_: object) -> None:
        if sql.startswith(statement) and not interrupted:
            interrupted.append(sql)
            interruption()

    event.listen(Engine, "before_cursor_execute", interrupt)
    try:
        yield interrupted
    finally:
        event.remove(Engine, "before_cursor_execute", interrupt)


def test_two_processes_that_fold_the_items_of_a_job_count_them_once(
    ledgers: tuple[SqlLedger, SqlLedger], clock: Clock
) -> None:
    ledger, other = ledgers
    job = ended(ledger, "job-1", "1", "2", "3")
    account = ledger.jobs.summary(job)
    clock.seconds += 2 * DAY
    with before("SELECT jobs.folded", lambda: prune(other, clock)) as interrupted:
        prune(ledger, clock)
    assert interrupted
    assert ledger.jobs.summary(job) == account


def test_a_deleted_document_that_is_queued_meanwhile_keeps_its_row(
    ledgers: tuple[SqlLedger, SqlLedger], clock: Clock
) -> None:
    ledger, other = ledgers
    ended(ledger, "job-1", "1")
    ledger.documents.delete([a_key("1")])
    clock.seconds += 100 * DAY
    with before("DELETE FROM documents", lambda: a_job(other, an_item("1"), job_id="job-2")) as interrupted:
        prune(ledger, clock)
    assert interrupted
    assert counts(ledger, "job-2").pending == 1
    (row,) = ledger.documents.find(TENANT)
    assert (row.status, row.job_id) == ("queued", "job-2")
