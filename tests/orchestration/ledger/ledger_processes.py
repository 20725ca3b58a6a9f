"""What test processes do with a ledger that others use, or that dies with them. Run by `python -m`.

Each prints one line for each thing that is done for good, so that a test can end it right after.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import a_commit, a_submission, an_item, fingerprint_of
from orchestration.contracts import JobState
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import is_alive, own_identity

BATCH = 20


def enqueue(ledger: SqlLedger, job_id: str, count: int) -> None:
    """List `count` documents into an open job, then declare it listed."""
    for start in range(0, count, BATCH):
        items = [an_item(str(number)) for number in range(start, min(start + BATCH, count))]
        ledger.jobs.enqueue(job_id, items, fingerprint_of)
        _say(start + len(items))
    ledger.jobs.set_state(job_id, JobState.OPEN)


def work(ledger: SqlLedger, job_id: str, limit: int) -> None:
    """Claim, lease and commit windows until the job is listed and has no more."""
    while True:
        listed = ledger.jobs.find(None, [JobState.OPEN])
        window_id = ledger.windows.claim(job_id, limit)
        if window_id is None:
            if listed:
                return
            continue
        _say(window_id, *_commit(ledger, window_id))


def share(ledger: SqlLedger, _: str, hang_at: int) -> None:
    """Commit windows of all open jobs, each tenant in turn, until none is open.

    With `hang_at` it leases that many windows, the last of which it never commits.
    """
    submissions = Submissions(ledger, {}, made_under("f1"), window_workers=4)
    leased = 0
    while jobs := [job.submission for job in reversed(ledger.jobs.find(None, [JobState.OPEN]))]:
        ledger.windows.reclaim(is_alive)
        submission, window_id = next(submissions.claims(jobs, own_identity()), (None, ""))
        if submission is None:
            for job in jobs:
                ledger.jobs.settle(job.job_id)
            continue
        leased += 1
        if leased == hang_at:
            ledger.windows.lease(window_id, own_identity())
            _say("hangs")
            signal.pause()
        _say(submission.tenant_id, window_id, *_commit(ledger, window_id))


def _commit(ledger: SqlLedger, window_id: str) -> list[str]:
    owner = own_identity()
    contexts = [document.ctx for document in ledger.windows.lease(window_id, owner).documents]
    ledger.outcomes.advance(window_id, "ingest", contexts, [], {})
    ledger.outcomes.finish(window_id, owner, [a_commit(ctx, window_id) for ctx in contexts])
    return [ctx.doc_id for ctx in contexts]


def open_only(ledger: SqlLedger, job_id: str, _: int) -> None:
    """Open a job, each process its own."""
    ledger.jobs.open(a_submission(job_id))
    _say(job_id)


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


DEEDS: Mapping[str, Callable[[SqlLedger, str, int], None]] = {
    "enqueue": enqueue,
    "work": work,
    "share": share,
    "open": open_only,
}

if __name__ == "__main__":
    deed, url, job_id, number = sys.argv[1:]
    opened = open_ledger(url)
    DEEDS[deed](opened, job_id, int(number))
    opened.close()
