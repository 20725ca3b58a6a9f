"""Tenants are served round robin, whatever they submit and however their windows end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import a_submission, an_item, commit_all, fingerprint_of
from orchestration.contracts import JobState, Submission
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger

NUMBERS = count()
ARRIVALS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5)), min_size=1, max_size=6)
"""Tenant and documents of each job."""


class Work:
    """Jobs of some tenants with windows of one document, and the claims that were made for them."""

    def __init__(self, ledger: SqlLedger, slots: int) -> None:
        self.ledger = ledger
        self.submissions = Submissions(ledger, {}, made_under("f1"), 2)
        self.slots = slots
        self.prefix = f"{next(NUMBERS)}-"
        self.jobs: list[Submission] = []
        self.in_work: list[tuple[str, str]] = []
        self.claims: list[str] = []
        self.unclaimed: Counter[str] = Counter()

    def arrive(self, tenant: str, documents: int) -> None:
        job = a_submission(f"job-{next(NUMBERS)}", tenant_id=self.prefix + tenant)
        job = job.model_copy(update={"window_size": 1})
        self.ledger.jobs.open(job)
        self.ledger.jobs.enqueue(
            job.job_id, [an_item(f"{job.job_id}-{n}") for n in range(documents)], fingerprint_of
        )
        self.ledger.jobs.set_state(job.job_id, JobState.OPEN)
        self.jobs.append(job)
        self.unclaimed[job.job_id] = documents

    def fill(self) -> None:
        """Claim what there are slots for, and check each claim."""
        for submission, window_id in self.submissions.claims(self.jobs):
            self.check(submission)
            self.in_work.append((submission.tenant_id, window_id))
            self.claims.append(submission.tenant_id)
            self.unclaimed[submission.job_id] -= 1
            if len(self.in_work) >= self.slots:
                return

    def check(self, claimed: Submission) -> None:
        """Every other tenant with due work had a claim since this one's last, or has more in work."""
        tenant = claimed.tenant_id
        assert claimed == next(job for job in self.jobs if job.tenant_id == tenant and self.due(job))
        if tenant not in self.claims:
            return
        since = self.claims[len(self.claims) - self.claims[::-1].index(tenant) :]
        in_work = Counter(tenant for tenant, _ in self.in_work)
        for other in {job.tenant_id for job in self.jobs if self.due(job)} - {tenant}:
            assert other in since or in_work[other] > in_work[tenant]

    def due(self, job: Submission) -> bool:
        return self.unclaimed[job.job_id] > 0

    def end(self, which: int) -> None:
        """A window in work commits."""
        _, window_id = self.in_work.pop(which % len(self.in_work))
        commit_all(self.ledger, window_id)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('turns') / 'ledger.sqlite'}", 3600)
    yield opened
    opened.close()


@settings(max_examples=15, deadline=None)
@given(arrivals=ARRIVALS, slots=st.integers(1, 5), data=st.data())
def test_between_two_claims_of_a_tenant_every_other_one_with_due_work_has_its_turn(
    ledger: SqlLedger, arrivals: list[tuple[str, int]], slots: int, data: st.DataObject
) -> None:
    work = Work(ledger, slots)
    for tenant, documents in arrivals:
        work.arrive(tenant, documents)
        work.fill()
        for _ in range(data.draw(st.integers(0, 3))):
            if work.in_work:
                work.end(data.draw(st.integers(0, 4)))
                work.fill()
    while work.in_work:
        work.end(data.draw(st.integers(0, 4)))
        work.fill()
    assert len(work.claims) == sum(documents for _, documents in arrivals)


def test_a_tenant_with_ten_documents_does_not_wait_for_one_with_thousands(ledger: SqlLedger) -> None:
    work = Work(ledger, slots=1)
    work.arrive("large", 2000)
    work.arrive("small", 10)
    for _ in range(20):
        work.fill()
        work.end(0)
    assert work.claims.count(f"{work.prefix}small") == 10
