"""Results of the first phase of documents at a gate, stored until the second phase reads them.

Comes in: a window's batch at its gate. Leaves: an artifact that does not expire while a document needs it;
later each document's value, its converted PDF filled in. What is gone is that document's failure, by name.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from orchestration.contracts import Failure, ObjectStore
from orchestration.errors import MedkgError, StoreCorruptError
from orchestration.records import DocumentKey, RawPayload, StageContext
from orchestration.runs.artifacts import WindowBatch, read_artifact, write_artifact

__all__ = ["PREFIX", "GatePayloads"]

PREFIX: Final = "gates"

SETTLED_SECONDS: Final = 3600
"""Age after which the documents of an artifact have come to their gate, or never will."""

Resumed = tuple[StageContext, Any]


class GatePayloads:
    """Artifacts of documents that wait."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def keep(self, batch: WindowBatch) -> str:
        """Write the batch of a window; returns its key. Durable; idempotent."""
        key = f"{PREFIX}/{batch.window_id}.parquet"
        write_artifact(self._objects, key, batch)
        return key

    def take(
        self, payloads: Mapping[DocumentKey, str], contexts: Sequence[StageContext]
    ) -> tuple[list[Resumed], list[Failure]]:
        """Return the value of each document, in the order of `contexts`, and a failure per missing one."""
        by_artifact: dict[str, list[StageContext]] = defaultdict(list)
        for ctx in contexts:
            by_artifact[payloads.get(ctx.key, "")].append(ctx)
        values: dict[DocumentKey, Any | MedkgError] = {}
        for artifact, of_artifact in by_artifact.items():
            values |= self._values(artifact, of_artifact)
        resumed, failures = [], []
        for ctx in contexts:
            value = values[ctx.key]
            if isinstance(value, MedkgError):
                failures.append(_failure(ctx, value))
            else:
                resumed.append((ctx, value))
        return resumed, failures

    def leave_out(self, keys: Collection[DocumentKey]) -> None:
        """Rewrite artifacts without these documents; other documents in them are unchanged.

        A damaged artifact is removed, since it may contain them.
        """
        for key in [listed.key for listed in self._objects.list(PREFIX)]:
            try:
                batch = read_artifact(self._objects, key)
            except StoreCorruptError:
                self._objects.delete([key])
                continue
            left = tuple((ctx, value) for ctx, value in batch.items if ctx.key not in keys)
            if not left:
                self._objects.delete([key])
            elif len(left) < len(batch.items):
                write_artifact(self._objects, key, replace(batch, items=left))
        self._objects.sweep(PREFIX)

    def prune(self, needed: Callable[[], set[str]]) -> int:
        """Remove artifacts that no document needs; returns their number. `needed` is called after listing.

        `needed` is called after listing. New ones are left alone: their documents may be on their
        way to the gate.
        """
        settled = time.time() - SETTLED_SECONDS
        old = [listed.key for listed in self._objects.list(PREFIX) if listed.changed < settled]
        unneeded = sorted({*old} - needed()) if old else []
        self._objects.delete(unneeded)
        return len(unneeded)

    def _values(self, artifact: str, contexts: Sequence[StageContext]) -> dict[DocumentKey, Any | MedkgError]:
        if not artifact:
            return {ctx.key: _gone(ctx, "the ledger names no artifact.") for ctx in contexts}
        try:
            batch = read_artifact(self._objects, artifact)
        except StoreCorruptError as error:
            return {ctx.key: _gone(ctx, error.message) for ctx in contexts}
        values = {ctx.key: value for ctx, value in batch.items}
        return {
            ctx.key: self._filled(ctx, values[ctx.key])
            if ctx.key in values
            else _gone(ctx, f"{artifact} does not hold it.")
            for ctx in contexts
        }

    def _filled(self, ctx: StageContext, value: Any) -> Any | MedkgError:
        """The value, with the bytes of payloads that are kept as separate objects."""
        if not isinstance(value, list):
            return value
        filled = []
        for payload in value:
            if not isinstance(payload, RawPayload) or payload.stored is None:
                filled.append(payload)
                continue
            content = self._objects.get(payload.stored)
            if content is None:
                return _gone(ctx, f"{payload.stored} in {self._objects.name} is not there.")
            filled.append(payload.model_copy(update={"content": content.data, "stored": None}))
        return filled


def _gone(ctx: StageContext, reason: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{ctx.doc_id} passed its gate, but what it is to be made from is gone: {reason} "
        "`medkg dlq replay` fetches and converts it again."
    )


def _failure(ctx: StageContext, error: MedkgError) -> Failure:
    return Failure(ctx=ctx, stage="resume", code=error.code, message=error.message, attempts=1)
