"""Documents of a source, parsed, and nothing else: for commands that read documents without ingesting them.

Comes in: what a user asks a source for. Leaves: Documents one by one, or what kept one from being read. Bytes
are fetched and parsed as a run does it, under the default policy, parsers in processes that can be killed;
neither ledger nor stores are touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orchestration.batching import batched
from orchestration.contracts import Outcome, Source, SourceRequest
from orchestration.errors import DuplicateDocumentError, MedkgError, UnavailableError
from orchestration.jobs.submission import installed_source
from orchestration.records import AdapterRequest, Document, SourceItem, StageContext

__all__ = ["INGEST", "PARSE", "DocumentReader", "ReadingStep", "Unread"]

BATCH: Final = 100
"""Documents whose bytes are in memory at once."""


@dataclass(frozen=True, slots=True)
class ReadingStep:
    """A stage with the name and policy that the guards need."""

    name: str
    pipeline: str = "reading"
    policy: str = "default"
    optional: bool = False


INGEST: Final = ReadingStep("ingest")
PARSE: Final = ReadingStep("parse")


@dataclass(frozen=True, slots=True)
class Unread:
    """A document that could not be read, and its error."""

    doc_id: str
    code: str
    message: str


class BatchResult(Protocol):
    """Result of a guarded call."""

    @property
    def outcomes(self) -> Sequence[Outcome[Any]]: ...


class StepCaller(Protocol):
    """Calls a stage under its policy; assembly puts it together."""

    def call(self, step: ReadingStep, items: Sequence[tuple[StageContext, Any]]) -> BatchResult: ...


class DocumentReader:
    """Reads sources; used by one thread at a time."""

    def __init__(self, sources: Mapping[str, Source], caller: StepCaller, tenant_id: str) -> None:
        """`caller` knows the steps INGEST and PARSE."""
        self._sources = sources
        self._caller = caller
        self._tenant_id = tenant_id

    def read(self, request: SourceRequest) -> Iterator[Document | Unread]:
        """Every document of the source once, in its order; few are held at a time.

        Raises UsageError for a source or path that is not there, UnavailableError where none answers.
        """
        items = _once(installed_source(self._sources, request.plugin).enumerate(request))
        for batch in batched(items, BATCH):
            yield from self._batch(request.plugin, batch)

    def read_again(self, items: Sequence[tuple[StageContext, AdapterRequest]]) -> Sequence[Outcome[Document]]:
        """Documents from where they were enumerated once, one outcome per item, in order.

        Raises UnavailableError where a source does not answer.
        """
        fetched = self._called(INGEST, items)
        readable = [
            (ctx, payloads)
            for (ctx, _), payloads in zip(items, fetched, strict=True)
            if not _failed(payloads)
        ]
        parsed = iter(self._called(PARSE, readable))
        return [each if _failed(each) else next(parsed) for each in fetched]

    def _batch(self, plugin: str, batch: Sequence[SourceItem | Unread]) -> Iterator[Document | Unread]:
        requests = [
            (_context(item, self._tenant_id), _request(item, plugin, self._tenant_id))
            for item in batch
            if isinstance(item, SourceItem)
        ]
        fetched = self._called(INGEST, requests)
        contexts = [ctx for ctx, _ in requests]
        payloads = [pair for pair in zip(contexts, fetched, strict=True) if not _failed(pair[1])]
        parsed = iter(self._called(PARSE, payloads))
        read = iter([each if _failed(each) else next(parsed) for each in fetched])
        for item in batch:
            outcome = item if isinstance(item, Unread) else next(read)
            if isinstance(outcome, MedkgError):
                yield Unread(item.doc_id, outcome.code, outcome.message)
            else:
                yield outcome

    def _called(self, step: ReadingStep, items: Sequence[tuple[StageContext, Any]]) -> Sequence[Outcome[Any]]:
        outcomes = self._caller.call(step, items).outcomes if items else ()
        for outcome in outcomes:
            if isinstance(outcome, UnavailableError):
                raise outcome
        return outcomes


def _once(items: Iterator[SourceItem]) -> Iterator[SourceItem | Unread]:
    """The items without repetitions; a broken item, or another record of the same id, as what it is."""
    versions: dict[tuple[str, str], str | None] = {}
    for item in items:
        if item.error_code is not None:
            yield Unread(item.doc_id, item.error_code, item.error_message or "")
            continue
        key = item.source, item.doc_id
        if key not in versions:
            versions[key] = item.version
            yield item
        elif versions[key] != item.version:
            yield Unread(
                item.doc_id,
                DuplicateDocumentError.code,
                f"{item.locator.uri} holds another record of {item.doc_id}; the first was taken. Remove one.",
            )


def _failed(outcome: Outcome[Any]) -> bool:
    return isinstance(outcome, MedkgError)


def _context(item: SourceItem, tenant_id: str) -> StageContext:
    return StageContext(
        tenant_id=tenant_id,
        job_id="reading",
        doc_id=item.doc_id,
        correlation_id=item.doc_id,
        metadata={"source": item.source},
        pipeline_name=INGEST.pipeline,
        pipeline_version="",
    )


def _request(item: SourceItem, plugin: str, tenant_id: str) -> AdapterRequest:
    return AdapterRequest(tenant_id=tenant_id, plugin=plugin, doc_id=item.doc_id, locator=item.locator)
