"""The index stage over a writer that fails: one document never costs the others."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from medkg.testing.builders import a_context, chunks_of
from orchestration.contracts import Commit, Outcome
from orchestration.errors import (
    MedkgError,
    RequestRejectedError,
    StageFailedError,
    StoreUnwritableError,
)
from orchestration.records import EmbeddingBatch, IndexReceipt, StageContext
from orchestration.stages.index import Index

Items = Sequence[tuple[StageContext, EmbeddingBatch]]


class Writer:
    """An IndexWriter that fails for any batch with one of these documents."""

    def __init__(self, errors: dict[str, Exception]) -> None:
        self._errors = errors
        self.staged: list[str] = []

    def stage(self, tenant_id: str, owner: str, items: Items) -> list[Outcome[IndexReceipt]]:
        for ctx, _ in items:
            if ctx.doc_id in self._errors:
                raise self._errors[ctx.doc_id]
        self.staged += [ctx.doc_id for ctx, _ in items]
        return [
            IndexReceipt(
                key=ctx.key, version=ctx.version, fingerprint="f", intent_id="i", chunk_count=1, namespace="m"
            )
            for ctx, _ in items
        ]

    def lost(self, receipts: Sequence[IndexReceipt]) -> list[IndexReceipt]:
        raise AssertionError("a stage commits nothing")

    def clean(self, superseded: Sequence[Commit]) -> None:
        raise AssertionError("a stage removes nothing")

    def recover(self, is_alive: Callable[[str], bool], before: float = 0.0) -> int:
        raise AssertionError("a stage removes nothing")


def a_window(count: int) -> Items:
    return [
        (
            a_context(str(number), source="files"),
            EmbeddingBatch(
                tuple(chunks_of("walking", doc_id=str(number))),
                np.ones((1, 2), np.float32),
                None,
                {"dense": "m"},
            ),
        )
        for number in range(count)
    ]


def test_only_the_documents_that_a_store_fails_on_fail() -> None:
    writer = Writer({"3": RequestRejectedError("no such date"), "7": ValueError("a defect")})
    outcomes = Index(writer, "owner").execute_batch(a_window(10))
    failed = {place: each for place, each in enumerate(outcomes) if isinstance(each, MedkgError)}
    assert set(failed) == {3, 7}
    assert failed[3].message == "no such date"
    assert (
        isinstance(failed[7], StageFailedError)
        and "7: a store raised ValueError: a defect" in failed[7].message
    )
    assert writer.staged == [str(number) for number in range(10) if number not in (3, 7)]


def test_a_store_that_is_unavailable_is_no_documents_fault() -> None:
    writer = Writer({"3": StoreUnwritableError("the disk is full")})
    with pytest.raises(StoreUnwritableError):
        Index(writer, "owner").execute_batch(a_window(4))
    assert writer.staged == []


def test_a_full_disk_that_a_store_does_not_name_is_no_documents_fault() -> None:
    writer = Writer({"3": OSError(errno.ENOSPC, "No space left on device", "/data/search/x")})
    with pytest.raises(StoreUnwritableError, match="/data/search/x cannot be written"):
        Index(writer, "owner").execute_batch(a_window(4))
    assert writer.staged == []
