"""A job in the foreground: what its command waits for, and what its account says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import a_submission, an_item, commit_all, fingerprint_of
from orchestration.cli.run import show_reports
from orchestration.contracts import JobState
from orchestration.contracts.host import JobProgress
from orchestration.errors import HostUnavailableError
from orchestration.jobs.foreground import Mirrored, RunReport, drive
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger


class SlowToEnd:
    """A host whose run commits its documents at the first look and ends three looks later."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.ledger = ledger
        self.looks = 0
        self.ended = False

    def begin(self) -> None:
        pass

    def work_on(self, job_id: str) -> JobProgress:
        window = self.ledger.windows.claim(job_id, 10)
        assert window is not None
        commit_all(self.ledger, window)
        return JobProgress(working=True, running=True)

    def wait_for_news(self, job_id: str, last_progress: JobProgress, seconds: float) -> JobProgress:
        self.looks += 1
        self.ended = self.looks == 3
        return JobProgress(working=True, running=not self.ended)

    def stop_job(self, job_id: str) -> None:
        raise AssertionError("nothing stops this job")

    def replace_lost(self) -> bool:
        raise AssertionError("nothing stops this host")


class OfAnotherCommand(SlowToEnd):
    """A host that is stopped with the job half done, as `how`; then one of this command finishes it."""

    def __init__(self, ledger: SqlLedger, how: str, of_other_command: bool = True) -> None:
        super().__init__(ledger)
        self.how = how
        self.of_other_command = of_other_command
        self.hosts = 1

    def work_on(self, job_id: str) -> JobProgress:
        if self.hosts > 1:
            return super().work_on(job_id)
        if self.how == "gone at once":
            raise HostUnavailableError("No host runs.")
        return JobProgress(working=True, running=True)

    def wait_for_news(self, job_id: str, last_progress: JobProgress, seconds: float) -> JobProgress:
        if self.hosts > 1:
            return super().wait_for_news(job_id, last_progress, seconds)
        if self.how == "killed":
            raise HostUnavailableError("The host ended while it answered.")
        return JobProgress(working=False, stopping=True, reason="its host was stopped")

    def replace_lost(self) -> bool:
        self.hosts += 1
        return self.of_other_command


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60)
    yield opened
    opened.close()


def test_a_command_returns_when_the_last_run_has_ended_not_when_its_documents_are_committed(
    ledger: SqlLedger,
) -> None:
    host = SlowToEnd(ledger)
    report = driven(ledger, host)
    assert host.ended
    assert (report.exit_code, report.summary.state) == (0, JobState.DONE)


@pytest.mark.parametrize("how", ["stopped", "killed", "gone at once"])
def test_a_host_that_ends_with_another_command_is_replaced_and_the_job_finished(
    ledger: SqlLedger, how: str
) -> None:
    host = OfAnotherCommand(ledger, how)
    report = driven(ledger, host)
    assert (report.exit_code, report.summary.documents.committed, host.hosts) == (0, 2, 2)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_host_of_medkg_up_that_is_stopped_ends_the_command_with_documents_pending(
    ledger: SqlLedger, how: str
) -> None:
    report = driven(ledger, OfAnotherCommand(ledger, how, of_other_command=False))
    assert (report.exit_code, report.summary.documents.pending) == (3, 2)
    assert report.stopped_because in ("its host was stopped", "The host ended while it answered.")


@pytest.mark.parametrize(
    ("mirrored", "exit_code"),
    [
        (None, 0),
        (Mirrored(gone=2, removed=2), 0),
        (Mirrored(gone=2, removed=0), 1),
        (Mirrored(gone=0, removed=0, kept_because=("/in lists nothing now",)), 1),
    ],
)
def test_a_mirror_is_named_in_the_account_and_in_the_exit_code_while_something_is_left(
    ledger: SqlLedger, mirrored: Mirrored | None, exit_code: int
) -> None:
    def remove() -> Mirrored:
        assert mirrored is not None
        ledger.jobs.note_removed("job-1", mirrored.removed)
        return mirrored

    report = driven(ledger, SlowToEnd(ledger), None if mirrored is None else remove)
    account = report.as_json()
    assert report.exit_code == exit_code
    assert account["removed"] == (mirrored.removed if mirrored is not None else 0)
    assert account.get("mirror") == (mirrored.as_json() if mirrored is not None else None)
    show_reports([report], as_json=False)


def driven(
    ledger: SqlLedger, host: SlowToEnd, after_listing: Callable[[], Mirrored] | None = None
) -> RunReport:
    submission = a_submission("job-1")
    ledger.jobs.open(submission)
    ledger.jobs.enqueue("job-1", [an_item("1"), an_item("2")], fingerprint_of)
    ledger.jobs.set_state("job-1", JobState.OPEN)
    submissions = Submissions(ledger, {}, made_under("f1"), 2)
    return drive(
        ledger,
        submissions,
        submission,
        None,
        host,
        lambda summary: None,
        time.time(),
        lambda job_id: False,
        after_listing,
    )
