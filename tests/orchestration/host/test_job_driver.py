"""Several commands' jobs on one host: tenants get windows by round robin, a failed job harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import a_submission, an_item, commit_all, counts, fingerprint_of
from orchestration.contracts import JobState, Submission
from orchestration.errors import UsageError
from orchestration.host import job_driver
from orchestration.host.job_driver import JobDriver
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger

WORKERS = 2


class Host:
    """A driver whose windows end when the test says so; `gone` are jobs that cannot be launched."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.ledger = ledger
        self.in_work: list[tuple[str, str]] = []
        self.launched: list[str] = []
        self.gone: set[str] = set()
        submissions = Submissions(ledger, {}, made_under("f1"), WORKERS)
        self.driver = JobDriver(ledger, submissions, self._launch, lambda window_id: None, WORKERS)

    def _launch(self, submission: Submission, window_id: str) -> None:
        if submission.job_id in self.gone:
            raise UsageError("its topology is gone")
        self.launched.append(submission.tenant_id)
        self.in_work.append((submission.tenant_id, window_id))

    def job(self, tenant: str, windows: int) -> str:
        """A listed job with windows of one document."""
        job = a_submission(f"job-of-{tenant}", tenant_id=tenant).model_copy(update={"window_size": 1})
        self.ledger.jobs.open(job)
        self.ledger.jobs.enqueue(job.job_id, [an_item(str(n)) for n in range(windows)], fingerprint_of)
        self.ledger.jobs.set_state(job.job_id, JobState.OPEN)
        return job.job_id

    def end_a_window(self) -> None:
        _, window_id = self.in_work.pop(0)
        commit_all(self.ledger, window_id)
        self.driver.window_ended(window_id, None, cancelled=False)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60)
    yield Host(ledger)
    ledger.close()


def test_a_second_tenant_s_job_gets_the_next_window_and_then_round_robin_goes_on(host: Host) -> None:
    host.driver.work_on(host.job("large", 20))
    assert host.launched == ["large"] * (WORKERS + 1)
    small = host.job("small", 3)
    host.driver.work_on(small)
    while counts(host.ledger, small).pending:
        host.end_a_window()
    assert host.launched.index("small") == WORKERS + 1
    assert host.launched.count("large") <= WORKERS + 1 + 6
    while host.in_work:
        host.end_a_window()
    assert counts(host.ledger, "job-of-large").committed == 20


def test_no_more_windows_are_in_work_than_workers_need_however_many_jobs_there_are(host: Host) -> None:
    for tenant in "abcdef":
        host.driver.work_on(host.job(tenant, 4))
    assert len(host.in_work) == WORKERS + 1


def test_a_job_that_cannot_be_launched_is_given_up_and_the_others_go_on(host: Host) -> None:
    broken, sound = host.job("broken", 2), host.job("sound", 2)
    host.gone.add(broken)
    progress = host.driver.work_on(broken)
    assert not progress.working
    assert "its topology is gone" in str(progress.reason)
    assert counts(host.ledger, broken).pending == 2
    host.driver.work_on(sound)
    while host.in_work:
        host.end_a_window()
    assert counts(host.ledger, sound).committed == 2


def test_a_job_is_running_until_its_last_window_has_ended_and_a_late_cancel_leaves_it_done(
    host: Host,
) -> None:
    job = host.job("a", 1)
    assert host.driver.work_on(job).running
    _, window_id = host.in_work.pop()
    commit_all(host.ledger, window_id)
    assert host.driver.wait_for_news(job, -1, 0).running
    host.driver.window_ended(window_id, None, cancelled=True)
    assert not host.driver.wait_for_news(job, -1, 0).running
    assert host.ledger.jobs.summary(job).state is JobState.DONE


def test_a_host_that_is_stopped_claims_no_more_and_stops_no_job(host: Host) -> None:
    job_id = host.job("a", 9)
    host.driver.work_on(job_id)
    host.driver.close()
    while host.in_work:
        _, window_id = host.in_work.pop(0)
        host.ledger.windows.release(window_id, "the host was stopped")
        host.driver.window_ended(window_id, None, cancelled=True)
    progress = host.driver.wait_for_news(job_id, 0, 60)
    assert (progress.working, progress.stopping, progress.reason) == (False, True, "its host was stopped")
    assert host.ledger.jobs.summary(job_id).state is JobState.OPEN
    assert counts(host.ledger, job_id).pending == 9


def test_ended_jobs_are_forgotten_when_no_command_asks_and_known_again_when_one_does(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, working = host.job("ended", 1), host.job("working", 3)
    host.driver.work_on(ended)
    host.end_a_window()
    host.driver.work_on(working)
    host.driver.tick()
    assert set(host.driver._jobs) == {ended, working}, "a command may still ask"
    monkeypatch.setattr(job_driver, "FORGET_SECONDS", 0.0)
    host.driver.tick()
    assert set(host.driver._jobs) == {working}
    progress = host.driver.wait_for_news(ended, 1, 0)
    assert not progress.running and progress.reason is None
    while host.in_work:
        host.end_a_window()
    assert counts(host.ledger, working).committed == 3


def test_the_end_of_a_window_is_news_even_if_the_next_one_cannot_be_claimed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = host.job("only", 4)
    news = host.driver.work_on(job_id).news

    def fails(*_: object) -> NoReturn:
        raise UsageError("there is no job")

    monkeypatch.setattr(host.driver._submissions, "claims", fails)
    with pytest.raises(UsageError):
        host.end_a_window()
    assert host.driver.wait_for_news(job_id, news, 0).news > news
