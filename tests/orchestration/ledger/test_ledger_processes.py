"""Several processes use one ledger of either kind, and any of them may be killed at any moment."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_submission, an_item, commit_all, fingerprint_of
from orchestration.contracts import DocumentCounts, JobState
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.ledger.tables import commit_changes, jobs, windows
from orchestration.processes.child_process import is_alive
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
JOB = "job-1"


class Processes:
    """Starts processes on one ledger and ends them with the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._started: list[subprocess.Popen[str]] = []

    def start(self, deed: str, number: int, job_id: str = JOB) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.orchestration.ledger.ledger_processes"]
        process = subprocess.Popen(
            [*command, deed, self.url, job_id, str(number)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture(params=BOTH_DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    with own_schema() as schema_url:
        yield schema_url


@pytest.fixture
def processes(url: str) -> Iterator[Processes]:
    started = Processes(url)
    yield started
    started.end()


@pytest.fixture
def ledger(url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(url)
    yield opened
    opened.close()


def lines(process: subprocess.Popen[str]) -> list[str]:
    """All that a process prints; it must end well."""
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return output.splitlines()


def killed_after(process: subprocess.Popen[str], count: int) -> list[str]:
    """Kill -9 as soon as a process printed so many lines; the lines it managed to print."""
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate(timeout=PATIENCE)
    return [*said, *rest.splitlines()]


def test_processes_that_open_a_new_ledger_at_once_all_find_its_tables(processes: Processes, url: str) -> None:
    started = [processes.start("open", 0, f"job-{number}") for number in range(4)]
    assert [lines(process) for process in started] == [[f"job-{number}"] for number in range(4)]
    opened = open_ledger(url)
    assert len(opened.jobs.find(None, None)) == 4
    opened.close()


def test_no_document_is_in_two_windows_of_processes_that_claim_at_once(
    ledger: SqlLedger, processes: Processes
) -> None:
    ledger.jobs.open(a_submission(JOB))
    workers = [processes.start("work", 7) for _ in range(3)]
    lines(processes.start("enqueue", 300))
    done = [line.split() for worker in workers for line in lines(worker)]
    documents = [doc_id for _, *doc_ids in done for doc_id in doc_ids]
    assert sorted(documents, key=int) == [str(number) for number in range(300)]
    assert len({window_id for window_id, *_ in done}) == len(done)
    assert ledger.jobs.summary(JOB).documents == DocumentCounts(total=300, committed=300)
    assert ledger.jobs.settle(JOB) is JobState.DONE


def test_a_process_killed_while_it_lists_loses_no_batch_that_it_reported(
    ledger: SqlLedger, processes: Processes
) -> None:
    ledger.jobs.open(a_submission(JOB))
    said = killed_after(processes.start("enqueue", 10_000), 5)
    listed = ledger.jobs.summary(JOB).documents
    assert listed.total == listed.pending
    assert listed.total - int(said[-1]) in (0, 20)  # the batch it was at, whole or not at all
    ledger.jobs.open(a_submission("job-2"))
    again = ledger.jobs.enqueue("job-2", [an_item(str(number)) for number in range(200)], fingerprint_of)
    assert again == DocumentCounts(total=200, pending=200)


def test_a_process_killed_while_it_commits_leaves_documents_committed_or_to_be_claimed_again(
    ledger: SqlLedger, processes: Processes
) -> None:
    ledger.jobs.open(a_submission(JOB))
    ledger.jobs.enqueue(JOB, [an_item(str(number)) for number in range(400)], fingerprint_of)
    ledger.jobs.set_state(JOB, JobState.OPEN)
    said = killed_after(processes.start("work", 10), 4)
    documents = ledger.jobs.summary(JOB).documents
    assert documents.committed - 10 * len(said) in (0, 10)
    assert documents.total == documents.accounted == 400
    visible = {commit.key for commit in ledger.commits.committed(TENANT)}
    committed = {row.key for row in ledger.documents.find(TENANT, status="committed")}
    assert visible == committed
    assert len(visible) == documents.committed
    ledger.windows.reclaim(is_alive)
    held = sum(row.status == "running" for row in ledger.documents.find(TENANT))
    assert held == 0


def test_what_a_killed_process_left_is_finished_by_the_next_one(
    ledger: SqlLedger, processes: Processes
) -> None:
    ledger.jobs.open(a_submission(JOB))
    ledger.jobs.enqueue(JOB, [an_item(str(number)) for number in range(100)], fingerprint_of)
    ledger.jobs.set_state(JOB, JobState.OPEN)
    killed_after(processes.start("work", 10), 2)
    ledger.windows.reclaim(is_alive)
    for run_id in ledger.jobs.summary(JOB).run_ids:
        ledger.windows.release(run_id, "its process was killed")  # a reservation that no run took
    while (window_id := ledger.windows.claim(JOB, 50)) is not None:
        commit_all(ledger, window_id)
    assert ledger.jobs.summary(JOB).documents == DocumentCounts(total=100, committed=100)
    assert ledger.jobs.settle(JOB) is JobState.DONE


def test_workers_of_which_some_are_killed_commit_each_document_once_and_starve_no_tenant(
    ledger: SqlLedger, processes: Processes, url: str
) -> None:
    listed = {"large": 400, "small-1": 10, "small-2": 10, "small-3": 20}
    for tenant, count in listed.items():
        submission = a_submission(f"job-of-{tenant}", tenant_id=tenant)
        ledger.jobs.open(submission.model_copy(update={"window_size": 5}))
        ledger.jobs.enqueue(submission.job_id, [an_item(str(n)) for n in range(count)], fingerprint_of)
        ledger.jobs.set_state(submission.job_id, JobState.OPEN)
    doomed = [processes.start("share", 3) for _ in range(2)]
    others = [processes.start("share", 0) for _ in range(2)]
    said = [line for worker in doomed for line in killed_after(worker, 3) if line != "hangs"]
    done = [line.split() for line in (*said, *(line for worker in others for line in lines(worker)))]
    committed = Counter((tenant, doc_id) for tenant, _, *doc_ids in done for doc_id in doc_ids)
    assert committed == {(tenant, str(n)): 1 for tenant, count in listed.items() for n in range(count)}
    with create_engine(url).connect() as connection:
        assert connection.scalar(select(func.count()).select_from(commit_changes)) == sum(listed.values())
        query = select(jobs.c.tenant_id).join(windows, windows.c.job_id == jobs.c.job_id)
        claims = list(connection.execute(query.order_by(windows.c.number)).scalars())
    assert all(claims.index(tenant) < len(claims) // 2 for tenant in listed)
    for tenant, count in listed.items():
        assert ledger.jobs.summary(f"job-of-{tenant}").documents == DocumentCounts(
            total=count, committed=count
        )
