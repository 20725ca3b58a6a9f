"""The comparison of a projection with the ledger: every document by its content, and what follows from it.

Input: both sides. Output: differences, none for documents whose newest change is not projected yet. Runs and
projecting processes may go on meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final, Literal, NamedTuple

from anyio import to_thread

from orchestration.batching import batched
from orchestration.contracts.commits import EVERYTHING
from orchestration.contracts.projection import GraphFeed, GraphProjection
from orchestration.errors import StoreCorruptError
from orchestration.projection.documents import LOADED, digest, projected
from orchestration.records import DocumentKey

__all__ = ["ProjectionDifference", "differences"]

PAGE: Final = 100
"""Documents of each side that are in memory."""

CHANGES: Final = 10_000

Kind = Literal["missing", "incomplete", "leftover", "derived", "damaged"]


class ProjectionDifference(NamedTuple):
    """One disagreement."""

    key: DocumentKey
    """The document; with source '*': a concept, or, with id '*', the projection as a whole."""
    kind: Kind


async def differences(feed: GraphFeed, target: GraphProjection, tenant_id: str) -> list[ProjectionDifference]:
    """Differences of a tenant; raises the errors of ledger and server."""
    state = await target.state(tenant_id)
    identity = await to_thread.run_sync(feed.identity)
    if state is None or state.ledger != identity or state.watermark is None or state.clearing:
        return [ProjectionDifference(_key(tenant_id, EVERYTHING), "missing")]
    suspects = [each async for each in _of_documents(feed, target, tenant_id)]
    changed = await _changed(feed, tenant_id, state.watermark)
    differing = [each for each in suspects if each.key not in changed]
    if _key(tenant_id, EVERYTHING) in changed:
        differing = [each for each in differing if each.kind != "leftover"]
    differing += await _of_concepts(target, tenant_id)
    counts = await target.counts(tenant_id)
    if not differing and not changed and counts.claims != counts.stated:
        differing.append(ProjectionDifference(_key(tenant_id, EVERYTHING), "damaged"))
    return differing


async def _of_documents(
    feed: GraphFeed, target: GraphProjection, tenant_id: str
) -> AsyncIterator[ProjectionDifference]:
    last: DocumentKey | None = None
    while page := await to_thread.run_sync(feed.page, tenant_id, last, PAGE):
        last = page[-1][0]
        present = {
            document.key: (document.stamp, digest(document))
            for document in await target.documents(tenant_id, [key for key, _ in page])
        }
        for some in batched(page, LOADED):
            wanted = await to_thread.run_sync(_wanted, feed, dict(some))
            for key, content in wanted.items():
                if content != present.get(key):
                    yield ProjectionDifference(key, "incomplete" if key in present else "missing")
    async for keys in _batches(target, tenant_id):
        visible = await to_thread.run_sync(feed.stamps, keys)
        for key in keys:
            if key not in visible:
                yield ProjectionDifference(key, "leftover")


def _wanted(feed: GraphFeed, stamps: Mapping[DocumentKey, str]) -> dict[DocumentKey, tuple[str, str]]:
    """Stamps and digests of documents as they are to be, of those that can be compared."""
    return {
        key: (stamps[key], digest(projected(visible)))
        for key, visible in feed.load(list(stamps)).items()
        if not isinstance(visible, StoreCorruptError)  # the comparison of ledger and graph names it
    }


async def _batches(target: GraphProjection, tenant_id: str) -> AsyncIterator[list[DocumentKey]]:
    batch: list[DocumentKey] = []
    async for key in target.keys(tenant_id):
        batch.append(key)
        if len(batch) == PAGE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _of_concepts(target: GraphProjection, tenant_id: str) -> list[ProjectionDifference]:
    """Concepts that are wrong at two looks: between them a transaction ends that changes one."""
    first = [concept async for concept in target.derived_differences(tenant_id)]
    second = {concept async for concept in target.derived_differences(tenant_id)} if first else set()
    return [ProjectionDifference(_key(tenant_id, each), "derived") for each in first if each in second]


async def _changed(feed: GraphFeed, tenant_id: str, after: int) -> set[DocumentKey]:
    """Documents that changed since a number; between others both sides have to agree."""
    keys: set[DocumentKey] = set()
    while changes := await to_thread.run_sync(feed.changes, tenant_id, after, CHANGES):
        after = changes[-1].sequence
        keys.update(change.key for change in changes)
    return keys


def _key(tenant_id: str, doc_id: str) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=EVERYTHING, doc_id=doc_id)
