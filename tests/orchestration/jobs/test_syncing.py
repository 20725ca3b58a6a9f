"""Listings that are interrupted, repeated and limited: the documents queued, the pages requested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import made_under
from medkg.testing.ledger_suite.builders import claimed, commit_all
from orchestration.contracts import JobState, ListedPage, Outcome, SourceRequest
from orchestration.errors import (
    CursorRefusedError,
    DagsterResourceUnavailableError,
    UnexpectedAnswerError,
)
from orchestration.jobs.submission import Submissions
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.records import AdapterRequest, Fingerprints, Locator, RawPayload, SourceItem


@dataclass
class Registry:
    """A source of records in pages of two; it records the requests."""

    name: str = "registry"
    format: str = "text"
    origin: str = "https://registry.example"
    records: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[datetime | None, str | None]] = field(default_factory=list)
    fails_at: str | None = None
    refused: set[str] = field(default_factory=set)

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        raise AssertionError("a source that lists pages is not enumerated")

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        raise AssertionError("nothing is fetched here")

    def listing(
        self, request: SourceRequest, tenant_id: str, since: datetime | None, cursor: str | None
    ) -> Iterator[ListedPage]:
        changed = self.records if since is None else list(self.versions)
        while True:
            self.requests.append((since, cursor))
            if cursor in self.refused:
                raise CursorRefusedError(f"{cursor} is forgotten")
            if cursor is not None and cursor == self.fails_at:
                raise DagsterResourceUnavailableError("the registry is unavailable")
            start = int(cursor or 0)
            page = changed[start : start + 2]
            cursor = str(start + 2) if start + 2 < len(changed) else None
            yield ListedPage(tuple(map(self._item, page)), cursor, len(changed))
            if cursor is None:
                return

    def _item(self, doc_id: str) -> SourceItem:
        locator = Locator(uri=f"raw/{doc_id}", format="text")
        version = self.versions.get(doc_id, "v1")
        return SourceItem(doc_id=doc_id, source="registry", locator=locator, version=version)


@dataclass(frozen=True)
class ATopology:
    name: str = "auto"
    version: str = "2026-11-23"
    content_hash: str = "h"


class Syncing:
    """The same command again and again."""

    def __init__(self, ledger: SqlLedger, registry: Registry) -> None:
        self.ledger = ledger
        self.fingerprint = "f"
        self.submissions = Submissions(
            ledger, {"registry": registry}, lambda _, __: Fingerprints("p", self.fingerprint), 2
        )

    def begin(self, limit: int | None = None, query: str = "EGFR", resync: bool = False) -> str:
        """A job that nothing is listed for yet."""
        request = SourceRequest(plugin="registry", query=query, limit=limit, resync=resync)
        job = self.submissions.open(
            ATopology(), request, tenant_id="default", window_size=100, attended=False
        )
        self._listing = self.submissions.enqueue(job, ATopology())
        return job.job_id

    def batches(self, count: int) -> None:
        """Take so many batches, then be killed: nothing of ours runs any more."""
        for _ in range(count):
            next(self._listing, None)

    def run(self, limit: int | None = None, query: str = "EGFR", resync: bool = False) -> list[str]:
        """List to the end and commit; the ids that were listed."""
        job_id = self.begin(limit, query, resync)
        for _ in self._listing:
            pass
        return self.finish(job_id)

    def finish(self, job_id: str) -> list[str]:
        self.ledger.jobs.set_state(job_id, JobState.OPEN)
        pending = self.ledger.jobs.summary(job_id).documents.pending
        listed = self.ids(job_id)
        if pending:
            commit_all(self.ledger, claimed(self.ledger, job_id), intent_id=job_id)
        return listed

    def ids(self, job_id: str) -> list[str]:
        rows = self.ledger.documents.find("default")
        return sorted(row.key.doc_id for row in rows if row.job_id == job_id and row.status == "queued")


@pytest.fixture
def registry() -> Registry:
    return Registry(records=list("abcde"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", 60)
    yield opened
    opened.close()


@pytest.fixture
def syncing(ledger: SqlLedger, registry: Registry) -> Syncing:
    return Syncing(ledger, registry)


def cursors(registry: Registry) -> Sequence[str | None]:
    return [cursor for _, cursor in registry.requests]


def test_a_first_listing_asks_for_everything_and_the_next_one_for_changes(
    syncing: Syncing, registry: Registry
) -> None:
    before = datetime.now(UTC)
    assert syncing.run() == list("abcde")
    registry.requests.clear()
    registry.versions = {"b": "v2", "f": "v1"}
    assert syncing.run() == ["b", "f"]
    ((since, _),) = registry.requests
    assert since is not None
    assert before <= since <= datetime.now(UTC)


def test_a_killed_listing_goes_on_after_the_last_page_that_was_queued(
    syncing: Syncing, registry: Registry
) -> None:
    syncing.begin()
    syncing.batches(2)  # the second page is queued, but its cursor was not saved yet
    registry.requests.clear()
    assert syncing.run() == list("abcde")
    assert cursors(registry) == ["2", "4"]


def test_what_a_killed_job_left_is_not_brought_twice(syncing: Syncing, registry: Registry) -> None:
    syncing.begin()
    syncing.batches(1)
    job_id = syncing.begin()
    syncing.batches(3)
    documents = syncing.ledger.jobs.summary(job_id).documents
    assert (documents.total, documents.pending, documents.skipped) == (5, 5, 0)


def test_a_service_that_goes_away_in_the_middle_costs_no_page(syncing: Syncing, registry: Registry) -> None:
    registry.fails_at = "4"
    with pytest.raises(DagsterResourceUnavailableError):
        syncing.run()
    registry.fails_at = None
    registry.requests.clear()
    assert syncing.run() == list("abcde")
    assert cursors(registry) == ["4"]


def test_a_forgotten_cursor_restarts_the_listing(syncing: Syncing, registry: Registry) -> None:
    syncing.begin()
    syncing.batches(2)
    registry.refused = {"2"}
    registry.requests.clear()
    syncing.begin()
    syncing.batches(1)
    assert cursors(registry) == ["2", None]


def test_a_cursor_that_a_fresh_listing_is_refused_is_an_error(syncing: Syncing, registry: Registry) -> None:
    registry.refused = {"2"}
    with pytest.raises(CursorRefusedError):
        syncing.run()


def test_a_mirror_that_restarts_counts_the_records_of_its_last_listing_alone(
    syncing: Syncing, registry: Registry
) -> None:
    class Short(Registry):
        """Forgets its last cursor, and then lists its first page alone."""

        def listing(
            self, request: SourceRequest, tenant_id: str, since: datetime | None, cursor: str | None
        ) -> Iterator[ListedPage]:
            pages = super().listing(request, tenant_id, since, cursor)
            if not self.requests:
                yield next(pages)
                yield next(pages)
                raise CursorRefusedError("4 is forgotten")
            yield replace(next(pages), cursor=None)

    short = Short(records=registry.records)
    submissions = Submissions(syncing.ledger, {"registry": short}, made_under("f"), 2)
    request = SourceRequest(plugin="registry", query="EGFR", mirror=True)
    job = submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=False)
    with pytest.raises(UnexpectedAnswerError, match=r"reports \d+ records and listed 2"):
        list(submissions.enqueue(job, ATopology()))


def test_a_limit_holds_over_a_kill(syncing: Syncing, registry: Registry) -> None:
    syncing.begin(limit=3)
    syncing.batches(1)
    assert syncing.run(limit=3) == ["a", "b", "c"]


def test_resync_lists_everything(syncing: Syncing, registry: Registry) -> None:
    syncing.run()
    registry.requests.clear()
    syncing.run(resync=True)
    assert registry.requests == [(None, None), (None, "2"), (None, "4")]


@pytest.mark.parametrize("change", ["query", "limit", "fingerprint", "origin"])
def test_another_request_lists_everything_for_itself(
    syncing: Syncing, registry: Registry, change: str
) -> None:
    syncing.run()
    registry.requests.clear()
    if change == "fingerprint":
        syncing.fingerprint = "g"
    if change == "origin":
        registry.origin = "https://mirror.example"
    syncing.run(query="KRAS" if change == "query" else "EGFR", limit=9 if change == "limit" else None)
    assert registry.requests[0] == (None, None)


def test_repeats_within_a_listing_count_once(syncing: Syncing, registry: Registry) -> None:
    registry.records = ["a", "b", "b", "a", "c", "c"]
    job_id = syncing.begin()
    syncing.batches(2)
    assert syncing.ledger.jobs.summary(job_id).documents.total == 3


def test_a_changed_record_replaces_the_version_that_was_left(syncing: Syncing, registry: Registry) -> None:
    syncing.run()
    registry.versions = {"a": "v2"}
    syncing.begin()
    syncing.batches(1)
    registry.versions = {"a": "v3"}
    syncing.run()
    (row,) = syncing.ledger.documents.find("default", doc_id="a")
    assert (row.status, row.version) == ("committed", "v3")


def test_tenants_list_for_themselves(syncing: Syncing, registry: Registry) -> None:
    syncing.run()
    request = SourceRequest(plugin="registry", query="EGFR")
    job = syncing.submissions.open(ATopology(), request, tenant_id="other", window_size=100, attended=False)
    counts = list(syncing.submissions.enqueue(job, ATopology()))
    assert sum(count.pending for count in counts) == 5


@settings(max_examples=25, deadline=None)
@given(
    records=st.lists(st.sampled_from("abcdefgh"), max_size=12),
    kills=st.lists(st.integers(1, 4), max_size=4),
)
def test_wherever_listings_are_killed_every_record_is_queued_once(
    records: list[str], kills: list[int]
) -> None:
    with TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{folder}/ledger.sqlite", 60)
        syncing = Syncing(ledger, Registry(records=records))
        for taken in kills:
            syncing.begin()
            syncing.batches(taken)
        job_id = syncing.begin()
        syncing.batches(99)
        documents = ledger.jobs.summary(job_id).documents
        committed = syncing.finish(job_id)
        ledger.close()
    assert (documents.skipped, documents.failed) == (0, 0)
    assert committed == sorted(set(records))


# --- mirrors ----------------------------------------------------------------------------------------


def mirrored(syncing: Syncing, query: str = "EGFR") -> tuple[list[str], tuple[str, ...]]:
    """List everything as a mirror; the ids that are gone, and why some stay."""
    request = SourceRequest(plugin="registry", query=query, mirror=True)
    job = syncing.submissions.open(ATopology(), request, tenant_id="default", window_size=100, attended=False)
    for _ in syncing.submissions.enqueue(job, ATopology()):
        pass
    plan = syncing.submissions.mirror_plan(job)
    return [key.doc_id for key in plan.documents], plan.kept_because


def test_a_mirror_lists_everything_and_names_what_the_service_no_longer_lists(
    syncing: Syncing, registry: Registry
) -> None:
    syncing.run()
    registry.records = list("abd")
    registry.requests.clear()
    assert mirrored(syncing) == (["c", "e"], ())
    assert registry.requests[0] == (None, None)


def test_a_document_of_another_query_stays(syncing: Syncing, registry: Registry) -> None:
    syncing.run(query="EGFR")
    registry.records = ["c", "x"]
    syncing.run(query="KRAS")
    registry.records = list("abd")
    assert mirrored(syncing)[0] == ["e"]


def test_a_listing_that_fails_or_is_empty_or_was_cut_off_removes_nothing(
    syncing: Syncing, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing.run()
    registry.records = list("abc")
    registry.fails_at = "2"
    with pytest.raises(DagsterResourceUnavailableError):
        mirrored(syncing)
    registry.fails_at = None
    registry.records = []
    gone, kept_because = mirrored(syncing)
    assert gone == []
    assert "lists nothing now" in kept_because[0]
    registry.records = list("abcde")
    whole = Registry.listing

    def cut_off(self: Registry, *arguments: Any) -> Iterator[ListedPage]:
        for page in whole(self, *arguments):
            yield ListedPage(page.items, None, page.total)
            return

    monkeypatch.setattr(Registry, "listing", cut_off)
    with pytest.raises(UnexpectedAnswerError, match="reports 5 records and listed 2"):
        mirrored(syncing)
    assert len(syncing.ledger.documents.find("default")) == 5
