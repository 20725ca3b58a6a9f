"""The plan of a repair: what each difference means, what is restored from what, and what would be deleted.

Comes in: differences. Leaves: steps in the order in which they are done, for people and as JSON. A step that
deletes what a commit names, or what may be the only copy of something, has `asks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from orchestration.records import DocumentKey, Record
from orchestration.stores.verify import EVERY, Difference, documents_with

__all__ = ["Step", "repair_plan"]


class Step(Record):
    """One step of a repair."""

    action: Literal["restore", "remove", "delete"] = Field(
        description="restore: from what is whole; remove: of no commit; delete: perhaps the last copy."
    )
    store: str = Field(description="ledger, search, vectors, documents, graph or projection.")
    origin: str = Field(description="What it is restored from; empty for the others.")
    documents: tuple[str, ...] = Field(description="Ids; '*': all of the store.")
    asks: bool = Field(description="Done only with --yes, or after a question on a terminal.")
    detail: str = Field(description="One sentence for people.")


def repair_plan(differences: Sequence[Difference], repair_deletes: bool) -> list[Step]:
    """The steps that repair these differences.

    `repair_deletes`: whether the search store can only be made usable by deleting what it holds.
    """
    damaged = {
        each.store
        for each in differences
        if each.key.doc_id == EVERY and each.kind == "damaged" and each.store != "projection"
    }
    steps = [_damaged(store, repair_deletes and store == "search") for store in sorted(damaged)]
    lost = {
        store: documents_with(differences, store)
        for store in ("ledger", "search", "documents", "vectors", "graph")
    }
    without_text, without_entries = set(lost["documents"]), set(lost["search"])
    gone = [key for key in lost["search"] if key in without_text]
    restored: list[tuple[str, str, Sequence[DocumentKey], str]] = [
        (
            "ledger",
            "search, vectors, documents",
            lost["ledger"],
            "committed again as the stores hold them",
        ),
        ("documents", "sources", lost["documents"], "fetched and parsed again where their source has them"),
        ("search", "documents", lost["search"], "cut into chunks again from their parsed documents"),
        (
            "vectors",
            "search",
            [key for key in lost["vectors"] if key not in without_entries],
            "embedded again from their chunks, which needs the models",
        ),
        ("graph", "documents", lost["graph"], "extracted again from their parsed documents"),
    ]
    steps += [
        _step("restore", store, keys, detail, origin) for store, origin, keys, detail in restored if keys
    ]
    steps += _removals(differences)
    steps += _of_projection(differences)
    if gone:
        detail = (
            "withdrawn and queued again, if their source has them no more: neither text nor chunks are left"
        )
        steps.append(_step("delete", "ledger", gone, detail, asks=True))
    return steps


def _removals(differences: Sequence[Difference]) -> list[Step]:
    steps = []
    for store in ("search", "vectors", "graph"):
        if keys := documents_with(differences, store, ("leftover",)):
            steps.append(_step("remove", store, keys, "left by writes that were never committed"))
        if keys := documents_with(differences, store, ("unrecorded",)):
            detail = "written without a record in this ledger, which names other entries of them"
            steps.append(_step("delete", store, keys, detail, asks=True))
    return steps


def _of_projection(differences: Sequence[Difference]) -> list[Step]:
    """Steps for the graph server, which holds nothing that the ledger has not."""
    keys = list(dict.fromkeys(each.key for each in differences if each.store == "projection"))
    detail = "projected again from the ledger"
    return [_step("restore", "projection", keys, detail, "graph")] if keys else []


def _damaged(store: str, deletes: bool) -> Step:
    if store == "ledger":
        detail = (
            "the file is set aside; its jobs, dead letters and listings are lost, its commits are restored"
        )
    elif deletes:
        detail = "the index has lost shards, and is deleted and made again; start the missing nodes first"
    elif store == "search":
        detail = "its words are indexed again, or a file that cannot be read is set aside"
    else:
        detail = "a file that cannot be read is set aside"
    origin = {"ledger": "search, vectors, documents", "search": "documents"}.get(store, "sources")
    action: Literal["restore", "delete"] = "delete" if deletes else "restore"
    return Step(action=action, store=store, origin=origin, documents=(EVERY,), asks=deletes, detail=detail)


def _step(
    action: Literal["restore", "remove", "delete"],
    store: str,
    keys: Sequence[DocumentKey],
    detail: str,
    origin: str = "",
    *,
    asks: bool = False,
) -> Step:
    names = tuple(key.doc_id for key in keys)
    return Step(action=action, store=store, origin=origin, documents=names, asks=asks, detail=detail)
