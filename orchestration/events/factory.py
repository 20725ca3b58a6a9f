"""CloudEventFactory: the CloudEvents of a fact, one per document that it is about.

Comes in: facts. Leaves: events in the order of their documents (https://github.com/cloudevents/spec/blob/
v1.0.2/cloudevents/spec.md). The same fact always makes the same events with the same ids: an id is made of
ledger, number of the fact and place in it. `sequence` grows with the order of commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from orchestration.contracts.facts import DocumentCommitted, DocumentErased, Fact, FactDocument, StageRetried
from orchestration.events import types
from orchestration.events.expansion import OF_BATCH, OF_DOCUMENT, ids_of, retried
from orchestration.events.types import PREFIX, EventData

__all__ = ["CloudEventFactory", "Event"]

NAMESPACE: Final = UUID("6f0f4d0e-7a0c-5c6b-9f5e-2f3b8f0a9d11")
"""Of the ids of events."""

_FORMAT: Final = JSONFormat()

Pair = tuple[FactDocument | None, EventData]
"""An event's document, if it has one, and its data."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the key by which it keeps its order."""

    cloud_event: CloudEvent
    key: str
    """`TENANT/SOURCE/DOC_ID`, or the job, stage or resource that it is about."""

    @property
    def type(self) -> str:
        return str(self.cloud_event.get_type())

    @property
    def id(self) -> str:
        return str(self.cloud_event.get_id())

    @property
    def short_type(self) -> str:
        """The type without its prefix, e.g. document.committed."""
        return self.type.removeprefix(PREFIX)

    def as_json(self) -> dict[str, Any]:
        """The event as a JSON value."""
        value: dict[str, Any] = json.loads(self.structured())
        return value

    def structured(self) -> bytes:
        """The event as JSON, application/cloudevents+json."""
        return _FORMAT.write(self.cloud_event)


class CloudEventFactory:
    """Makes events of facts; keeps nothing, so any number may work on the same facts."""

    def events(self, fact: Fact) -> list[Event]:
        """The events of a fact; of documents that are erased since, none."""
        return [_event(fact, place, *pair) for place, pair in enumerate(_pairs(fact)) if pair is not None]


def _event(fact: Fact, place: int, document: FactDocument | None, data: EventData) -> Event:
    subject, key, correlation = _about(fact, document, data)
    attributes: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE, f"{fact.ledger}/{fact.sequence}/{place}")),
        "source": f"/medkg/{fact.ledger}",
        "type": PREFIX + data.event,
        "subject": subject,
        "time": datetime.fromtimestamp(fact.happened_at, UTC),
        "datacontenttype": "application/json",
        "partitionkey": key,
        "sequence": f"{fact.position:016d}.{place:06d}",
    }
    optional = {
        "tenant": fact.tenant_id,
        "correlationid": correlation,
        "jobid": fact.job_id,
        "windowid": fact.window_id,
        "pipeline": fact.pipeline_name,
        "pipelineversion": fact.pipeline_version,
        "traceparent": fact.traceparent,
    }
    attributes |= {name: value for name, value in optional.items() if value}
    return Event(CloudEvent(attributes, data.model_dump(mode="json")), key)


def _about(fact: Fact, document: FactDocument | None, data: EventData) -> tuple[str, str, str]:
    """Subject, key and correlation id."""
    if document is not None:
        key = document.key
        return key.doc_id, f"{key.tenant_id}/{key.source}/{key.doc_id}", document.correlation_id
    if isinstance(data, types.DocumentErasedData):
        return data.key_hash, f"{fact.tenant_id}/{data.key_hash}", ""
    named = (getattr(data, name, "") for name in ("resource", "alert", "sink", "stage"))
    name = next(filter(None, [fact.job_id, *named]), "medkg")
    return name, name, fact.job_id


def _pairs(fact: Fact) -> Iterator[Pair | None]:
    """Documents with data; None in the place of an erased one, so that places stay the same."""
    body, documents = fact.body, fact.documents
    of_batch, of_document = OF_BATCH.get(type(body)), OF_DOCUMENT.get(type(body))
    if of_batch is not None:
        yield None, of_batch(body, len(documents))
    if isinstance(body, DocumentCommitted) and fact.window_id:
        yield None, types.WindowCommittedData(documents=len(documents))
    if isinstance(body, DocumentErased):
        for key_hash in body.key_hashes:
            yield None, types.DocumentErasedData(key_hash=key_hash)
    if isinstance(body, StageRetried) and not documents:
        yield None, retried(body)
    if of_document is not None:
        for place, document in enumerate(documents):
            yield None if document is None else (document, of_document(body, place, ids_of(document)))
