"""Commits of a window's documents, of which some keep the branch that was not due.

Input: what the sinks of a window have staged, and what is visible. Output: the commits to make, each with the
one of which it keeps a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.contracts import Branch, Commit, Due, due
from orchestration.records import DocumentKey, GraphWriteReceipt, IndexReceipt, StageContext
from orchestration.runs.artifacts import WindowBatch
from orchestration.topology.graph import TopologyGraph

__all__ = ["BranchCommit", "branch_commits"]


@dataclass(frozen=True, slots=True)
class BranchCommit:
    """A commit to make."""

    commit: Commit
    base: Commit | None
    """The visible commit of which it keeps a part; None: it keeps nothing."""


def branch_commits(
    graph: TopologyGraph,
    sinks: Mapping[str, WindowBatch],
    leased: Mapping[DocumentKey, StageContext],
    visible: Mapping[DocumentKey, Commit],
) -> list[BranchCommit]:
    """Commits of the documents that every sink has which had to write them.

    `sinks`: batches of receipts by step. `leased`: the documents that the window still has, also those that
    needed no sink. A step on the way to an optional sink may have failed: then older mentions and claims of
    the same parsed document are kept, else the document is committed without any.
    """
    contexts = {**leased, **{ctx.key: ctx for ctx, _ in _items(sinks) if ctx.key in leased}}
    keys = {name: {ctx.key for ctx, _ in batch.items} for name, batch in sinks.items()}
    receipts = {kind: _receipts(sinks, kind) for kind in ("index_receipt", "graph_receipt")}
    commits: list[BranchCommit] = []
    for key, ctx in contexts.items():
        base = visible.get(key)
        work = due(ctx.metadata.get("version"), ctx.fingerprints, graph.name, base)
        needed = [
            sink.name for sink in graph.sinks if sink.branch in work.branches and not graph.is_optional(sink)
        ]
        index = receipts["index_receipt"].get(key)
        if any(key not in keys[name] for name in needed) or (index is None and Branch.INDEX in work.branches):
            continue
        commit = _commit(ctx, work, base, index, receipts["graph_receipt"].get(key))
        commits.append(BranchCommit(commit, base if _keeps(commit, base) else None))
    return commits


def _commit(
    ctx: StageContext,
    work: Due,
    base: Commit | None,
    index: IndexReceipt | None,
    graph: GraphWriteReceipt | None,
) -> Commit:
    if index is not None:
        commit = Commit.of(ctx, index, graph)
    else:
        assert base is not None  # else its index would be due
        commit = base.model_copy(
            update={"revision": ctx.revision or base.revision, **_graph_part(ctx, graph)}
        )
    is_made = ctx.fingerprints.graph is not None
    if graph is None and base is not None and work.parsed and (is_made or Branch.GRAPH not in work.branches):
        of_graph = ("graph_intent_id", "entity_count", "claim_count", "graph_fingerprint")
        commit = commit.model_copy(update={name: getattr(base, name) for name in of_graph})
    return commit


def _graph_part(ctx: StageContext, graph: GraphWriteReceipt | None) -> dict[str, Any]:
    """Fields of a commit with this part of the graph."""
    return {
        "graph_intent_id": graph.intent_id if graph else None,
        "entity_count": graph.entity_count if graph else 0,
        "claim_count": graph.claim_count if graph else 0,
        "graph_fingerprint": ctx.fingerprints.graph if graph else None,
    }


def _keeps(commit: Commit, base: Commit | None) -> bool:
    return base is not None and bool({*commit.intent_ids} & {*base.intent_ids})


def _items(sinks: Mapping[str, WindowBatch]) -> Iterator[tuple[StageContext, Any]]:
    for batch in sinks.values():
        yield from batch.items


def _receipts(sinks: Mapping[str, WindowBatch], kind: str) -> dict[DocumentKey, Any]:
    return {
        ctx.key: receipt for batch in sinks.values() if batch.kind == kind for ctx, receipt in batch.items
    }
