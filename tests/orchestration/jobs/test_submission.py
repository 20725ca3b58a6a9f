"""Listing a source into the ledger, also when the process that lists it dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.contextvars import get_contextvars

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import claimed, commit_all
from orchestration.contracts import JobState, Outcome, SourceRequest
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import is_alive
from orchestration.records import AdapterRequest, Fingerprints, Locator, RawPayload, SourceItem

LISTED = 700
"""More than one batch, so that some documents are in the ledger when the listing ends early."""


class Abstracts:
    """A source of as many documents as are asked for."""

    name = "abstracts"

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        for number in range(request.limit or 0):
            locator = Locator(uri=f"/abstracts/{number}", format="text")
            yield SourceItem(doc_id=str(number), source="pubmed", locator=locator, version="v1")

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        raise AssertionError("nothing is fetched here")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60)
    yield opened
    opened.close()


@pytest.fixture
def submissions(ledger: SqlLedger) -> Submissions:
    return Submissions(ledger, {"abstracts": Abstracts()}, made_under("f"), 2)


@dataclass(frozen=True)
class ATopology:
    """What a submission needs to know of one."""

    name: str = "auto"
    version: str = "2026-11-23"
    content_hash: str = "h"


def test_log_lines_of_an_enumeration_have_the_ids_of_its_job(
    ledger: SqlLedger, submissions: Submissions
) -> None:
    bound: list[dict[str, str]] = []

    class Logging(Abstracts):
        def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
            for item in super().enumerate(request):
                bound.append(dict(get_contextvars()))
                yield item

    noted = Submissions(ledger, {"abstracts": Logging()}, made_under("f"), 2)
    request = SourceRequest(plugin="abstracts", limit=LISTED)
    job = noted.open(ATopology(), request, tenant_id="guests", window_size=100, attended=True)
    for _ in noted.enqueue(job, ATopology()):
        assert get_contextvars() == {}, "the caller's own lines are not about this job"
    assert bound == [{"stage": "enumerate", "tenant": "guests", "job": job.job_id}] * LISTED


def half_listed(submissions: Submissions, attended: bool) -> str:
    """A job whose listing stopped after its first batch."""
    request = SourceRequest(plugin="abstracts", limit=LISTED)
    job = submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=attended)
    assert next(submissions.enqueue(job, ATopology())).pending == 500
    return job.job_id


def a_run_of_three(submissions: Submissions) -> str:
    """A foreground run's job with three documents, all listed."""
    request = SourceRequest(plugin="abstracts", limit=3)
    job = submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=True)
    list(submissions.enqueue(job, ATopology()))
    return job.job_id


def test_a_fingerprint_is_computed_once_per_format_and_submission(ledger: SqlLedger) -> None:
    computed: list[str] = []

    class TwoFormats(Abstracts):
        def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
            for number, item in enumerate(super().enumerate(request)):
                locator = Locator(uri=item.locator.uri, format=("text", "markdown")[number % 2])
                yield item.model_copy(update={"locator": locator})

    def fingerprints(topology: object, document_format: str) -> Fingerprints:
        computed.append(document_format)
        return Fingerprints("p", document_format)

    submissions = Submissions(ledger, {"abstracts": TwoFormats()}, fingerprints, 2)
    request = SourceRequest(plugin="abstracts", limit=LISTED)
    for _ in range(2):
        job = submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=True)
        assert sum(counts.total for counts in submissions.enqueue(job, ATopology())) == LISTED
    assert sorted(computed) == ["markdown", "markdown", "text", "text"]
    (first, second) = ledger.documents.find("default", doc_id="0") + ledger.documents.find(
        "default", doc_id="1"
    )
    assert (first.fingerprint, second.fingerprint) == ("text", "markdown")


def test_what_a_submit_had_listed_when_it_died_is_run(ledger: SqlLedger, submissions: Submissions) -> None:
    job_id = half_listed(submissions, attended=False)
    assert submissions.end_abandoned(lambda identity: False) == [job_id]
    assert ledger.jobs.summary(job_id).state is JobState.OPEN
    windows = list(iter(lambda: submissions.claim(job_id), None))
    assert sum(len(ledger.windows.lease(window, "w").documents) for window in windows) == 500
    assert submissions.end_abandoned(lambda identity: False) == []


def test_what_a_foreground_run_had_listed_when_it_died_waits_for_the_same_command(
    ledger: SqlLedger, submissions: Submissions
) -> None:
    job_id = half_listed(submissions, attended=True)
    assert submissions.end_abandoned(lambda identity: False) == [job_id]
    assert ledger.jobs.summary(job_id).state is JobState.CANCELLED


def test_a_listing_whose_process_lives_goes_on(ledger: SqlLedger, submissions: Submissions) -> None:
    job_id = half_listed(submissions, attended=False)
    assert submissions.end_abandoned(is_alive) == []
    assert ledger.jobs.summary(job_id).state is JobState.ENUMERATING


def test_the_job_of_a_killed_run_is_done_when_its_repetition_has_done_it(
    ledger: SqlLedger, submissions: Submissions
) -> None:
    killed = a_run_of_three(submissions)
    assert submissions.end_abandoned(lambda identity: False) == []
    assert ledger.jobs.summary(killed).state is JobState.OPEN  # three documents wait for the same command
    commit_all(ledger, claimed(ledger, a_run_of_three(submissions)))
    submissions.end_abandoned(is_alive)
    assert ledger.jobs.summary(killed).state is JobState.OPEN  # its command lives, and settles it itself
    submissions.end_abandoned(lambda identity: False)
    assert ledger.jobs.summary(killed).state is JobState.DONE


def test_a_listing_that_is_interrupted_is_no_job_to_run(ledger: SqlLedger) -> None:
    class Interrupted(Abstracts):
        def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
            yield from super().enumerate(request)
            raise KeyboardInterrupt

    submissions = Submissions(ledger, {"abstracts": Interrupted()}, made_under("f"), 2)
    request = SourceRequest(plugin="abstracts", limit=LISTED)
    job = submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=False)
    with pytest.raises(KeyboardInterrupt):
        list(submissions.enqueue(job, ATopology()))
    assert ledger.jobs.summary(job.job_id).state is JobState.CANCELLED
