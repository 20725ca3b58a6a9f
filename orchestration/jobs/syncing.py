"""Enumeration of a source page by page, which can be interrupted at any moment.

Comes in: a source that lists page by page, and what the ledger remembers of the last listing. Leaves: batches
of items to be queued. The cursor after a page is saved when that page's items are queued, so a process that
is killed in between lists one page twice, and none not at all. What earlier jobs of the same request left
unfinished comes last, unless it was enumerated again. Repeats within an enumeration are dropped: the next
enumeration finds a record that changed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from orchestration.batching import batched
from orchestration.contracts import ListedSource, SourceRequest, Submission, Sync, SyncKey, SyncLedger
from orchestration.errors import CursorRefusedError, UnexpectedAnswerError
from orchestration.records import SourceItem

__all__ = ["listed_batches", "listing_place", "shown_sync"]

BATCH: Final = 500
"""Documents of one ledger transaction."""


def listed_batches(
    syncs: SyncLedger,
    source: ListedSource,
    submission: Submission,
    fingerprint: str,
    now: Callable[[], float] = time.time,
) -> Iterator[Sequence[SourceItem]]:
    """The items of the submission's request: the listing, then what earlier jobs left.

    A batch counts as queued when the next one is asked for. Raises what ListedSource.listing raises; then
    the same request goes on where this one ended.
    """
    request = submission.request
    key = SyncKey(
        tenant_id=submission.tenant_id,
        pipeline_name=submission.pipeline_name,
        fingerprint=fingerprint,
        plugin=request.plugin,
        origin=source.origin,
        query=request.query,
        limit=request.limit,
    )
    listing = _Listing(syncs, source, submission, key, now)
    if request.resync or request.mirror:
        listing.forget()
    try:
        yield from listing.batches()
    except CursorRefusedError as error:
        structlog.get_logger(__name__).warning(
            "enumeration restarts", source=request.plugin, cause=error.message
        )
        listing.restart()
        yield from listing.batches()
    if request.mirror and listing.total is not None and listing.records < listing.total:
        raise UnexpectedAnswerError(
            f"{source.origin} reports {listing.total} records and listed {listing.records}, so --mirror "
            "cannot know what is gone: nothing was removed. Run again, or leave out --mirror."
        )
    yield from batched(listing.new(syncs.unfinished(submission)), BATCH)


def listing_place(request: SourceRequest, origin: str) -> str:
    """The place of the documents that a service lists for a request: plugin, address and query."""
    return f"{request.plugin}:{origin}?{request.query or ''}"


def shown_sync(key: SyncKey, sync: Sync) -> dict[str, Any]:
    """Return the state of a sync as JSON values; times as ISO 8601, UTC."""
    moment = sync.begun_at or sync.since
    return {
        "source": key.plugin,
        "query": key.query,
        "limit": key.limit,
        "pipeline": key.pipeline_name,
        "state": "under way" if sync.begun_at is not None else "complete",
        "listed": sync.listed,
        "begun": datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None,
    }


class _Listing:
    """One enumeration with its saved state."""

    def __init__(
        self,
        syncs: SyncLedger,
        source: ListedSource,
        submission: Submission,
        key: SyncKey,
        now: Callable[[], float],
    ) -> None:
        self._syncs = syncs
        self._source = source
        self._submission = submission
        self._key = key
        self._now = now
        self._sync = syncs.get(key)
        self._seen: set[tuple[str, str]] = set()
        self._place = listing_place(submission.request, source.origin)
        self.records = 0
        """Records of the pages since the first, or since the last restart; repeats included."""
        self.total: int | None = None
        """Number of records in all, as the last page reports it."""

    def forget(self) -> None:
        """Enumerate everything, whatever was enumerated before."""
        self._save(Sync())

    def restart(self) -> None:
        """Start the running enumeration again from its first page; the end of the last complete one stays."""
        self.records = 0
        self._save(Sync(since=self._sync.since))

    def batches(self) -> Iterator[Sequence[SourceItem]]:
        """Iterate over the new items of each page; the cursor is saved when the next batch is requested."""
        if self._sync.begun_at is None:
            self._save(self._sync.model_copy(update={"begun_at": self._now(), "listed": 0, "cursor": None}))
        since = self._sync.since
        pages = self._source.listing(
            self._submission.request,
            self._submission.tenant_id,
            None if since is None else datetime.fromtimestamp(since, UTC),
            self._sync.cursor,
        )
        if self._full():  # interrupted between the last page and its end
            self._end()
            return
        for page in pages:
            items = self._within_limit(self.new(page.items))
            self.records += len(page.items)
            self.total = page.total
            yield from batched((item.model_copy(update={"place": self._place}) for item in items), BATCH)
            listed = self._sync.listed + len(items)
            self._save(self._sync.model_copy(update={"cursor": page.cursor, "listed": listed}))
            if page.cursor is None or self._full():
                self._end()
                return
        self._end()

    def new(self, items: Sequence[SourceItem]) -> Sequence[SourceItem]:
        """Return the items that this enumeration has not yielded yet."""
        fresh = {(item.source, item.doc_id): item for item in reversed(items)}
        unseen = [item for place, item in reversed(fresh.items()) if place not in self._seen]
        self._seen.update(fresh)
        return unseen

    def _within_limit(self, items: Sequence[SourceItem]) -> Sequence[SourceItem]:
        limit = self._submission.request.limit
        return items if limit is None else items[: limit - self._sync.listed]

    def _full(self) -> bool:
        limit = self._submission.request.limit
        return limit is not None and self._sync.listed >= limit

    def _end(self) -> None:
        self._save(Sync(since=self._sync.begun_at, listed=self._sync.listed))

    def _save(self, sync: Sync) -> None:
        self._syncs.save(self._key, sync)
        self._sync = sync
