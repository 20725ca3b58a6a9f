"""Calls extractors for all documents of a window: one outcome per document, whatever an extractor raises.

Input: an extractor and documents. Output: their extractions or errors, in order. An extractor of single
documents works in its own thread, so that a document that exceeds the time-out fails alone; one that
takes batches enforces the time-out itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from orchestration.contracts import BatchExtractor, Extractor, Found, Outcome
from orchestration.disk_space import unwritable_disk
from orchestration.errors import (
    DagsterStageTimeoutError,
    MedkgError,
    StageContractError,
    StageFailedError,
    UnavailableError,
)
from orchestration.records import Document

__all__ = ["called", "extracted"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def extracted(
    extractor: Extractor | BatchExtractor, documents: Sequence[Document], timeout_seconds: float
) -> list[Outcome[Found]]:
    """The extractions of documents; raises UnavailableError where the extractor's service is unavailable."""
    name = f"extractor {extractor.name}"
    if isinstance(extractor, BatchExtractor):
        return called(name, extractor.extract_batch, documents)
    return _one_by_one(name, extractor, documents, timeout_seconds)


def called(
    name: str, call: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | MedkgError]:
    """One outcome per item; where the call as a whole raises, each item is tried alone.

    Raises UnavailableError, and StageContractError for a wrong number of outcomes.
    """
    if not items:
        return []
    try:
        outcomes: list[Result | MedkgError] = list(call(items))
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it must not fail the window
        if len(items) == 1:
            return [_failure(name, error)]
        return [outcome for item in items for outcome in called(name, call, [item])]
    if len(outcomes) != len(items):
        raise StageContractError(
            f"{name} returned {len(outcomes)} outcomes for {len(items)} documents; it must return one for "
            "each, in order."
        )
    return outcomes


def _one_by_one(
    name: str, extractor: Extractor, documents: Sequence[Document], timeout_seconds: float
) -> list[Outcome[Found]]:
    outcomes: list[Outcome[Found]] = []
    while len(outcomes) < len(documents):
        answers: SimpleQueue[Outcome[Found]] = SimpleQueue()
        remaining = documents[len(outcomes) :]
        Thread(target=_answer, args=(name, extractor, remaining, answers), name=name, daemon=True).start()
        for document in remaining:
            try:
                outcome = answers.get(timeout=timeout_seconds)
            except Empty:
                outcomes.append(_timed_out(name, document, timeout_seconds))
                break  # that thread is lost to the document; another one takes the rest
            if isinstance(outcome, UnavailableError):
                raise outcome
            outcomes.append(outcome)
    return outcomes


def _answer(
    name: str,
    extractor: Extractor,
    documents: Sequence[Document],
    answers: SimpleQueue[Outcome[Found]],
) -> None:
    for document in documents:
        try:
            answers.put(extractor.extract(document))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the document keeps it
            answers.put(_failure(f"{document.doc_id}: {name}", error))


def _failure(what: str, error: Exception) -> MedkgError:
    if isinstance(error, MedkgError):
        return error
    return unwritable_disk(error) or StageFailedError(
        f"{what} raised {type(error).__name__}: {error}. Fix the extractor or the record, then "
        "`medkg dlq replay`."
    )


def _timed_out(name: str, document: Document, seconds: float) -> MedkgError:
    return DagsterStageTimeoutError(
        f"{document.doc_id}: {name} took longer than {seconds:g} s, the time-out of its policy. If the work "
        "is sound, raise timeout_seconds in resilience.yaml, then `medkg dlq replay`."
    )
