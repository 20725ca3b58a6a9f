"""Passes over the ledger's graph that bring a projection up to date, each under the tenant's lease.

Input: changes of the ledger by number, or a comparison of both sides. Output: a projection with every change
up to its watermark. A pass may end at any point, by kill -9 too: what it wrote is whole, and the next one
goes on from the watermark or compares again. A document whose stamp is there already costs no write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeVar

import structlog
from anyio import create_task_group, to_thread

from orchestration.batching import batched
from orchestration.contracts.commits import EVERYTHING
from orchestration.contracts.projection import (
    GraphFeed,
    GraphProjection,
    ProjectedDocument,
    ProjectionLease,
)
from orchestration.errors import ConfigurationError, MedkgError, StoreCorruptError
from orchestration.projection.comparison import differences
from orchestration.projection.documents import LOADED, projected
from orchestration.records import DocumentKey

__all__ = ["Call", "Pass", "Projector"]

PAGE: Final = 500
"""Changes or documents that are looked at together."""

ROWS: Final = 5000
"""Rows after which a transaction is written: bounds its memory here and on the server."""

T = TypeVar("T")


class Call(Protocol):
    """Makes a call under a policy: repeats it, waits for a server, leaves a failing one alone for a while."""

    async def __call__(self, action: Callable[[], Awaitable[T]]) -> T: ...


@dataclass(slots=True)
class Pass:
    """What a pass did."""

    total: int = 0
    """Documents that were to be looked at when it began."""
    projected: int = 0
    """Documents that were written."""
    removed: int = 0
    unchanged: int = 0
    """Documents that changed in the ledger, but not in what is projected of them."""
    derived: int = 0
    """Concepts whose counts, names and edges were set again."""
    compared: bool = False
    """Whether both sides were compared as a whole."""
    lost: list[str] = field(default_factory=list)
    """Documents whose rows the ledger lost; they are not projected."""


Observe = Callable[[Pass], None]
"""Is given the pass after each transaction."""


class Projector:
    """Projects tenants of one ledger to one server; for one event loop."""

    def __init__(
        self,
        feed: GraphFeed,
        target: GraphProjection,
        format_version: int,
        call: Call,
        owner: str,
        is_alive: Callable[[str], bool],
        observe: Observe = lambda _: None,
    ) -> None:
        """`owner`: process identity; `format_version`: of what `target` writes."""
        self._feed = feed
        self._target = target
        self._format = format_version
        self._call = call
        self._owner = owner
        self._is_alive = is_alive
        self._observe = observe
        self._log = structlog.get_logger(__name__)
        self._prepared = False

    async def catch_up(self, tenant_id: str, *, rebuild: bool = False) -> Pass | None:
        """Project what changed of a tenant; None while another process projects it.

        `rebuild`: empty the projection first. Raises ConfigurationError for the projection of another ledger,
        LeaseLostError if another process took over.
        """
        ledger = await to_thread.run_sync(self._feed.identity)
        if not rebuild:
            await self._check_ledger(tenant_id, ledger)
        async with self._leased(tenant_id, ledger) as lease:
            if lease is None:
                return None
            done = Pass()
            state = await self._call(lambda: self._target.state(tenant_id))
            watermark = state.watermark if state else None
            if state is None or rebuild or state.clearing or state.format != self._format:
                await self._clear(lease, ledger)
                watermark = None
            done.total = await to_thread.run_sync(self._feed.pending, tenant_id, watermark or 0)
            if watermark is None:
                watermark = await self._compare(lease, done)
            await self._follow(lease, watermark, done)
            return done

    async def repair(self, tenant_id: str) -> Pass | None:
        """Bring up to date, and write again what differs; None while another process projects the tenant."""
        done = await self.catch_up(tenant_id)
        if done is None:
            return None
        differing = await differences(self._feed, self._target, tenant_id)
        if any(each.key.doc_id == EVERYTHING for each in differing):
            return await self.catch_up(tenant_id, rebuild=True)
        async with self._leased(tenant_id, await to_thread.run_sync(self._feed.identity)) as lease:
            if lease is None:
                return None
            keys = [each.key for each in differing if each.kind in ("missing", "incomplete", "leftover")]
            for batch in batched(keys, PAGE):
                due = await to_thread.run_sync(self._feed.stamps, batch)
                await self._write(lease, list(due), [key for key in batch if key not in due], done)
            wrong = [concept async for concept in self._target.derived_differences(tenant_id)]
            for concepts in batched(wrong, PAGE):
                await self._call(partial(self._target.derive_again, lease, concepts))
            done.derived = len(wrong)
            return done

    async def _check_ledger(self, tenant_id: str, ledger: str) -> None:
        state = await self._call(lambda: self._target.state(tenant_id))
        if state is not None and state.ledger != ledger:
            raise ConfigurationError(
                f"{self._target.name} has the graph of tenant {tenant_id} from another ledger: of another "
                "data folder, or of this one before its ledger was restored. If this folder is to own it, "
                "run `medkg graph project --rebuild`; else set MEDKG_NEO4J_URL to another server."
            )

    @asynccontextmanager
    async def _leased(self, tenant_id: str, ledger: str) -> AsyncIterator[ProjectionLease | None]:
        if not self._prepared:
            await self._call(self._target.prepare)
            self._prepared = True
        lease = await self._call(lambda: self._target.acquire(tenant_id, ledger, self._owner, self._is_alive))
        try:
            yield lease
        except MedkgError:
            if lease is not None:
                with suppress(MedkgError):  # a server that does not answer: the lease ends by itself
                    await self._target.release(lease)
            raise
        if lease is not None:
            await self._call(lambda: self._target.release(lease))

    async def _clear(self, lease: ProjectionLease, ledger: str) -> None:
        await self._target.clear(lease, ledger)

    # --- changes by number ----------------------------------------------------------------------------

    async def _follow(self, lease: ProjectionLease, watermark: int, done: Pass) -> None:
        """Project changes after the watermark until there are none."""
        while changes := await to_thread.run_sync(self._feed.changes, lease.tenant_id, watermark, PAGE):
            if any(change.key.source == EVERYTHING for change in changes):
                watermark = await self._compare(lease, done)
                continue
            watermark = changes[-1].sequence
            await self._bring(lease, [change.key for change in changes], done, watermark)

    async def _bring(
        self, lease: ProjectionLease, keys: Sequence[DocumentKey], done: Pass, watermark: int | None = None
    ) -> None:
        """Have the projection agree with the ledger on these documents; then set the watermark."""
        due = await to_thread.run_sync(self._feed.stamps, keys)
        present = await self._call(lambda: self._target.stamps(lease.tenant_id, keys))
        changed = [key for key, stamp in due.items() if present.get(key) != stamp]
        done.unchanged += len(due) - len(changed)
        removed = [key for key in present if key not in due]
        await self._write(lease, changed, removed, done, watermark)

    async def _write(
        self,
        lease: ProjectionLease,
        changed: Sequence[DocumentKey],
        removed: Sequence[DocumentKey],
        done: Pass,
        watermark: int | None = None,
    ) -> None:
        """Write documents as the ledger has them now, in transactions of a bounded number of rows."""
        gone = list(removed)
        keys = iter(changed)
        batch = await to_thread.run_sync(self._load_some, keys, gone, done)
        while batch:
            batch = await self._apply_and_load(lease, batch, keys, gone, done)
        if gone or watermark is not None:
            await self._apply(lease, [], gone, done, watermark)

    async def _apply_and_load(
        self,
        lease: ProjectionLease,
        batch: Sequence[ProjectedDocument],
        keys: Iterator[DocumentKey],
        gone: list[DocumentKey],
        done: Pass,
    ) -> list[ProjectedDocument]:
        """Write documents, and load the next ones while the server works."""
        errors: list[MedkgError] = []

        async def apply() -> None:
            try:
                await self._apply(lease, batch, [], done)
            except MedkgError as error:  # raised below: a task group would wrap it
                errors.append(error)

        following: list[ProjectedDocument] = []
        async with create_task_group() as group:
            group.start_soon(apply)
            try:
                following = await to_thread.run_sync(self._load_some, keys, gone, done)
            except MedkgError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return following

    def _load_some(
        self, keys: Iterator[DocumentKey], gone: list[DocumentKey], done: Pass
    ) -> list[ProjectedDocument]:
        """The next documents, as many as a transaction takes; those that are not to be there go to `gone`."""
        documents: list[ProjectedDocument] = []
        while sum(document.rows for document in documents) < ROWS and (some := list(islice(keys, LOADED))):
            visible = self._feed.load(some)
            gone += [key for key in some if key not in visible]
            for key, graph in visible.items():
                if isinstance(graph, StoreCorruptError):
                    gone.append(key)
                    done.lost.append(key.doc_id)
                    self._log.warning(
                        "not projected", document=key.doc_id, code=graph.code, message=graph.message
                    )
                else:
                    documents.append(projected(graph))
        return documents

    async def _apply(
        self,
        lease: ProjectionLease,
        documents: Sequence[ProjectedDocument],
        removed: Sequence[DocumentKey],
        done: Pass,
        watermark: int | None = None,
    ) -> None:
        await self._call(lambda: self._target.apply(lease, documents, removed, watermark))
        done.projected += len(documents)
        done.removed += len(removed)
        self._observe(done)

    # --- both sides as a whole ------------------------------------------------------------------------

    async def _compare(self, lease: ProjectionLease, done: Pass) -> int:
        """Have both sides agree on every document; returns the number of the newest change before that."""
        tenant_id = lease.tenant_id
        newest = (await to_thread.run_sync(self._feed.newest)).get(tenant_id, 0)
        last: DocumentKey | None = None
        while page := await to_thread.run_sync(self._feed.page, tenant_id, last, PAGE):
            last = page[-1][0]
            await self._bring(lease, [key for key, _ in page], done)
        batch: list[DocumentKey] = []
        async for key in self._target.keys(tenant_id):
            batch.append(key)
            if len(batch) == PAGE:
                await self._remove_invisible(lease, batch, done)
                batch = []
        await self._remove_invisible(lease, batch, done)
        await self._call(lambda: self._target.set_watermark(lease, newest))
        done.compared = True
        return newest

    async def _remove_invisible(
        self, lease: ProjectionLease, keys: Sequence[DocumentKey], done: Pass
    ) -> None:
        visible = await to_thread.run_sync(self._feed.stamps, keys)
        if gone := [key for key in keys if key not in visible]:
            await self._apply(lease, [], gone, done)
