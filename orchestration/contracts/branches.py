"""Branches of a topology behind the parsed document, and which of them a document is due for.

Input: the fingerprints that a run would give a document now, and its commit. Output: the branches to run, and
whether the parsed document may be taken from its store.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from orchestration.contracts.commits import Commit
from orchestration.records import Fingerprints, StageContext

__all__ = ["ALL_DUE", "Branch", "Due", "branches_of", "due", "parsed_under", "with_due"]

DUE: Final = "due"
PARSED: Final = "parsed"
"""Names in the metadata of a context."""


class Branch(StrEnum):
    """What is made of a parsed document, and committed with the other branch or alone."""

    INDEX = "index"
    """Chunks and vectors."""
    GRAPH = "graph"
    """Mentions and claims."""


class Due(NamedTuple):
    """What a run has to do for a document."""

    branches: frozenset[Branch]
    parsed: str | None
    """Fingerprint under which its parsed document is kept, where a run would make the same one again."""


ALL_DUE: Final = Due(frozenset(Branch), None)
"""Of a document of which nothing can be kept."""


def due(version: str | None, now: Fingerprints, pipeline: str, visible: Commit | None) -> Due:
    """Return the due branches of a document with this content; `now` is what a run would give it.

    A fingerprint that the commit does not know counts as different.
    """
    if visible is None or (visible.version, visible.pipeline) != (version, pipeline):
        return ALL_DUE
    has_index = visible.fingerprint == now.index
    has_graph = visible.graph_fingerprint == now.graph
    is_parsed = has_index or visible.parse_fingerprint == now.parse or (has_graph and now.graph is not None)
    if not is_parsed:
        return ALL_DUE
    current = {branch for branch, has in ((Branch.INDEX, has_index), (Branch.GRAPH, has_graph)) if has}
    return Due(frozenset(Branch) - current, visible.fingerprint)


def with_due(ctx: StageContext, work: Due) -> StageContext:
    """Return the context with the due branches of its document."""
    return ctx.with_metadata(**{DUE: " ".join(sorted(work.branches)), PARSED: work.parsed})


def branches_of(ctx: StageContext) -> frozenset[Branch]:
    """Return the branches that a document is due for; both where its context does not name any."""
    named = ctx.metadata.get(DUE)
    return frozenset(Branch) if named is None else frozenset(map(Branch, named.split()))


def parsed_under(ctx: StageContext) -> str | None:
    """Return the fingerprint under which the parsed document is kept; None: it is to be made."""
    return ctx.metadata.get(PARSED)
