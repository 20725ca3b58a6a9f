"""Results of the steps up to the parsed document, for documents that an earlier run has parsed alike.

Input: documents of which a branch is due, and the document store. Output: what each such step would give, so
that neither source nor parser is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.contracts import DocumentStore, Outcome, parsed_under
from orchestration.errors import StoreCorruptError
from orchestration.records import Document, StageContext
from orchestration.topology.nodes import StageNode

__all__ = ["reused_results"]

Result = tuple[StageContext, Outcome[Any]]


def reused_results(
    store: DocumentStore, node: StageNode, items: Sequence[tuple[StageContext, Any]]
) -> list[Result]:
    """What a step gives for documents whose parsed form is kept; a lost one is the failure of its document.

    The step that stores parsed documents keeps each under its new fingerprint as well, durably.
    """
    if node.gives != "document":
        return list(items)
    if node.takes != "document":
        return [(ctx, _parsed(store, ctx)) for ctx, _ in items]
    store.copy(
        [
            (ctx.key, ctx.version, under, ctx.fingerprint)
            for ctx, _ in items
            if (under := parsed_under(ctx)) is not None and under != ctx.fingerprint
        ]
    )
    return list(items)


def _parsed(store: DocumentStore, ctx: StageContext) -> Outcome[Document]:
    try:
        document = store.get(ctx.key, ctx.version, parsed_under(ctx) or "")
    except StoreCorruptError as error:
        return error
    if document is None:
        return StoreCorruptError(
            f"{ctx.doc_id}: its parsed document is gone, from which a branch was to be made again. `medkg "
            "verify --repair` fetches and parses it again, then `medkg dlq replay`."
        )
    return document
