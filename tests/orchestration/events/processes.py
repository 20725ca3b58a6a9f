"""Processes that a test kills: one lists documents into jobs, others work on their windows as runs do.

    python -m tests.orchestration.events.processes list|work LEDGER_URL DOCUMENTS

All they know is in the ledger, so a process that is started again goes on where the killed one was. Documents
fail, are retried, wait at a gate, are repeated, superseded, deleted and listed by two jobs at once; by their
numbers, so always the same ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from random import Random
from threading import Event
from typing import Final

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    GATE,
    READY,
    a_broken_item,
    a_commit,
    a_deletion,
    a_failure,
    a_key,
    a_submission,
    an_item,
    fingerprint_of,
)
from orchestration.contracts import JobState, Ledger, Phase, StageReport
from orchestration.errors import LeaseLostError, PlaneUnavailableError
from orchestration.ledger import open_ledger
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import SourceItem, StageContext

ALL, AGAIN, OTHER, REPLAYED = "job-all", "job-again", "job-other", "job-replayed"
JOBS: Final = (ALL, AGAIN, OTHER, REPLAYED)
PART: Final = 25
"""Items that one transaction lists."""
WINDOW: Final = 10
STAGES: Final = {
    Phase.FIRST: ("ingest", "parse", "ir_validation"),
    Phase.SECOND: ("chunk", "embed", "index", "extract", "kg"),
}
LAST_STAGES: Final = frozenset({JobState.DONE, JobState.STALLED})
PAUSE: Final = Event()
"""Never set: its wait is how an idle process passes time."""


# --- the lister ---------------------------------------------------------------------------------------


def list_documents(ledger: Ledger, documents: int) -> None:
    """List three jobs, part by part in turn; then delete some documents and replay what failed."""
    items = {ALL: list(_all(documents)), AGAIN: list(_again(documents)), OTHER: list(_other(documents))}
    opened = {summary.submission.job_id for summary in ledger.jobs.find(TENANT, None)}
    for job_id in items.keys() - opened:
        ledger.jobs.open(a_submission(job_id, pipeline="other" if job_id == OTHER else "auto"))
    listed = {job_id: ledger.jobs.account(job_id).documents.total for job_id in items}
    while any(listed[job_id] < len(items[job_id]) for job_id in items):
        for job_id, of_job in items.items():
            part = of_job[listed[job_id] : listed[job_id] + PART]
            ledger.jobs.enqueue(job_id, part, fingerprint_of)
            listed[job_id] += len(part)
    for job_id in items:
        if ledger.jobs.account(job_id).state is JobState.ENUMERATING:
            ledger.jobs.set_state(job_id, JobState.OPEN)
    ledger.documents.delete([a_key(str(number)) for number in range(0, documents, 61)])
    while any(ledger.jobs.settle(job_id) not in LAST_STAGES for job_id in items):
        PAUSE.wait(0.1)
    if REPLAYED not in opened:
        waiting = [
            letter.id for letter in ledger.dead_letters.find(TENANT) if letter.failure.stage == "embed"
        ]
        ledger.dead_letters.replay(waiting, a_submission(REPLAYED), fingerprint_of)


def _all(documents: int) -> Iterator[SourceItem]:
    """Every document, with unreadable records, repeats and newer revisions among them."""
    for number in range(documents):
        version = None if number % 7 == 0 else "v1"
        yield an_item(str(number), version, revision="1")
        if number % 97 == 0:
            yield a_broken_item(f"broken-{number}")
        if number % 89 == 0 and version:
            yield an_item(str(number), version, "repeat.jsonl", revision="1")
        if number % 83 == 0:
            yield an_item(str(number), "other", "without-revision.jsonl")
        if number % 41 == 0 and number >= 41:
            yield an_item(str(number - 41), "v2", "newer.jsonl", revision="2")


def _again(documents: int) -> Iterator[SourceItem]:
    """The second half of the documents in another job, and announced deletions."""
    for number in range(documents // 2, documents):
        version = "v2" if number % 41 == 0 else "v1"
        yield an_item(str(number), version, revision="2" if number % 41 == 0 else "1")
        if number % 53 == 7:
            yield a_deletion(str(number - documents // 2), revision="3")


def _other(documents: int) -> Iterator[SourceItem]:
    """A part of the documents in another pipeline."""
    for number in range(0, documents, 10):
        yield an_item(str(number), "v1", revision="1")


# --- the worker ---------------------------------------------------------------------------------------


def work(ledger: Ledger) -> None:
    """Run windows until all jobs have ended."""
    owner, random = own_identity(), Random()
    while True:
        ledger.windows.reclaim(is_alive)
        ledger.gates.sweep(GATE, READY, 3.0)
        if random.random() < 0.1:
            ledger.gates.let_pass(ledger.gates.waiting(TENANT, limit=1))
        window_id = _claimed(ledger, owner, random)
        if window_id is not None:
            try:
                _run(ledger, window_id, owner, random)
            except LeaseLostError:
                continue
        elif not _goes_on(ledger):
            return
        else:
            PAUSE.wait(0.05)


def _claimed(ledger: Ledger, owner: str, random: Random) -> str | None:
    opened = [summary.submission.job_id for summary in ledger.jobs.find(TENANT, None)]
    for job_id in random.sample(opened, len(opened)):
        for phase in (Phase.SECOND, Phase.FIRST):
            window_id = ledger.windows.claim(job_id, WINDOW, owner, phase)
            if window_id is not None:
                return window_id
    return None


def _goes_on(ledger: Ledger) -> bool:
    opened = [summary.submission.job_id for summary in ledger.jobs.find(TENANT, None)]
    states = [ledger.jobs.settle(job_id) for job_id in opened]
    return len(states) < len(JOBS) or any(state not in LAST_STAGES for state in states)


def _run(ledger: Ledger, window_id: str, owner: str, random: Random) -> None:
    """What the run of a window does, as far as the ledger sees it."""
    contexts = [document.ctx for document in ledger.windows.lease(window_id, owner).documents]
    if not contexts:
        return
    phase = ledger.windows.phase_of(window_id)
    if phase is Phase.FIRST:
        fetched = [ctx if "version" in ctx.metadata else ctx.with_metadata(version="v1") for ctx in contexts]
        contexts = ledger.outcomes.record_versions(fetched)
    contexts, ended = _stages(ledger, window_id, STAGES[phase], contexts, random)
    if ended or not contexts:
        return
    if phase is Phase.FIRST:
        at_gate = [ctx for ctx in contexts if _number(ctx) % 5 == 0 and ctx.pipeline_name == "auto"]
        ready = [ctx.key for ctx in at_gate if _number(ctx) % 3]
        ledger.gates.set_field(window_id, "pdf_ir_ready", ready)
        ledger.gates.wait_at(window_id, owner, GATE.name, "payload", [ctx.key for ctx in at_gate])
        contexts = [ctx for ctx in contexts if ctx not in at_gate]
        contexts, ended = _stages(ledger, window_id, STAGES[Phase.SECOND], contexts, random)
        if ended or not contexts:
            return
    intent = ledger.commits.open_intent(TENANT, owner, [ctx.key for ctx in contexts])
    ledger.outcomes.finish(window_id, owner, [a_commit(ctx, intent.intent_id) for ctx in contexts])


def _stages(
    ledger: Ledger, window_id: str, stages: Sequence[str], contexts: list[StageContext], random: Random
) -> tuple[list[StageContext], bool]:
    """The documents that came through, and whether the run ended without an outcome."""
    for stage in stages:
        if not contexts:
            break
        if random.random() < 0.01:
            error = PlaneUnavailableError("no plane answers. Start it with `medkg up`.")
            ledger.outcomes.abandon(window_id, stage, contexts, error)
            ledger.windows.release(window_id, error.message)
            return [], True
        ledger.outcomes.begin(window_id, stage, contexts)
        contexts = _stage(ledger, window_id, stage, contexts)
    return contexts, False


def _stage(ledger: Ledger, window_id: str, stage: str, contexts: list[StageContext]) -> list[StageContext]:
    failed = [ctx for ctx in contexts if _fails(ctx, stage)]
    survivors = [ctx for ctx in contexts if ctx not in failed]
    retries = {ctx.doc_id: 2 for ctx in contexts if _number(ctx) % 13 == 0}
    failures = [a_failure(ctx, stage, "cut off", stage != "extract", attempts=3) for ctx in failed]
    if stage == "extract":
        survivors = contexts
    report = StageReport(
        job_id=contexts[0].job_id,
        window_id=window_id,
        stage=stage,
        documents_in=len(contexts),
        documents_out=len(survivors),
        failed=len(failed),
        retried=2 * len(retries),
        items_out=2 * len(survivors),
        started_at=1,
        seconds=0.5,
        cpu_seconds=0.25,
    )
    ledger.outcomes.advance(window_id, stage, survivors, failures, retries, report, [2] * len(survivors))
    return survivors


def _fails(ctx: StageContext, stage: str) -> bool:
    """Some documents fail in some stages; a replay succeeds."""
    failing = {"parse": 29, "embed": 17, "extract": 19}.get(stage)
    return failing is not None and _number(ctx) % failing == 3 and ctx.job_id != REPLAYED


def _number(ctx: StageContext) -> int:
    return int(ctx.doc_id)


def main() -> None:
    """Be the process that the command line names."""
    role, url, documents = sys.argv[1:]
    ledger = open_ledger(url)
    if role == "list":
        list_documents(ledger, int(documents))
    else:
        work(ledger)
    ledger.close()


if __name__ == "__main__":
    main()
