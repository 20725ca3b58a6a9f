"""Messages of PDF conversions on the topic mineru.queue.v1, and the guarantees of their queue.

With MEDKG_PDF_QUEUE=kafka the host publishes a request per PDF (`gates/queued_conversions.py`); a worker
beside MinerU (`gates/conversion_worker.py`) writes the `pdf-ir` object under the requested key and publishes
the result. PDFs and documents never travel in messages, only their keys in the object store. The ledger is
the truth: a message that is repeated, late or lost changes nothing that it has decided.
Messages are CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
and formats/json-format.md, read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

from pydantic import AwareDatetime, Field, TypeAdapter

from orchestration.errors import MedkgError
from orchestration.records import DocumentKey, Record

__all__ = [
    "MINERU_DEAD_LETTERS",
    "MINERU_QUEUE",
    "ConversionCompleted",
    "ConversionFailed",
    "ConversionQueue",
    "ConversionRequested",
    "Delivery",
    "PdfMessage",
    "message_key",
    "read_message",
]

MINERU_QUEUE: Final = "mineru.queue.v1"
"""Topic. The key of a message is its document (`message_key`), so that its messages keep their order."""

MINERU_DEAD_LETTERS: Final = "mineru.queue.v1.dlq"
"""Topic of messages that cannot be used, as they came, with headers that give the reason."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _CloudEvent(Record):
    """Context attributes of every message; extensions have names without signs, as the specification asks."""

    specversion: Literal["1.0"] = Field(default="1.0", description="Version of CloudEvents.")
    id: str = Field(
        min_length=1, description="With `source` unique: the same for every delivery of one message."
    )
    source: str = Field(min_length=1, description="Who published it: /medkg/HOST, /mineru-worker/HOST.")
    subject: str = Field(min_length=1, description="The document's id at its source.")
    time: AwareDatetime = Field(description="When it happened.")
    datacontenttype: Literal["application/json"] = Field(default="application/json", description="Of `data`.")
    correlationid: str = Field(min_length=1, description="Links all that happens to the document in its job.")


class RequestData(Record):
    """What is to be converted."""

    task_id: str = Field(
        min_length=1, description="One attempt at one conversion; the same when the request is repeated."
    )
    document: DocumentKey = Field(description="Document of the PDF.")
    converter: str = Field(min_length=1, description="Name of the converter that the topology asks for.")
    options: str = Field(default="{}", description="Its options as JSON with sorted keys.")
    pdf_key: str = Field(min_length=1, description="Object that holds the PDF.")
    pdf_sha256: Sha256 = Field(description="Of its bytes; a worker refuses others.")
    result_key: str = Field(min_length=1, description="Object to write the pdf-ir document to.")


class CompletedData(Record):
    """What was made of it."""

    task_id: str = Field(min_length=1, description="As requested.")
    document: DocumentKey = Field(description="As requested.")
    result_key: str = Field(min_length=1, description="Object that holds the pdf-ir document.")
    result_sha256: Sha256 = Field(description="Of its bytes.")
    converter: str = Field(min_length=1, description="Name and version, e.g. mineru/1+mineru-3.4.4-pipeline.")


class FailedData(Record):
    """Why nothing was made of it."""

    task_id: str = Field(min_length=1, description="As requested.")
    document: DocumentKey = Field(description="As requested.")
    error_code: str = Field(pattern=r"^MEDKG-\d{3}$", description="Code of errors.py.")
    error_class: str = Field(
        min_length=1, description="Name of the error's class; Transient ones may be repeated."
    )
    error_message: str = Field(min_length=1, description="For a person.")


class ConversionRequested(_CloudEvent):
    """Convert this PDF."""

    type: Literal["org.medicalkg.mineru.conversion.requested"] = Field(
        default="org.medicalkg.mineru.conversion.requested", description="What happened."
    )
    data: RequestData = Field(description="What is to be converted.")


class ConversionCompleted(_CloudEvent):
    """The PDF is converted, and its object durable."""

    type: Literal["org.medicalkg.mineru.conversion.completed"] = Field(
        default="org.medicalkg.mineru.conversion.completed", description="What happened."
    )
    data: CompletedData = Field(description="What was made of it.")


class ConversionFailed(_CloudEvent):
    """The PDF could not be converted."""

    type: Literal["org.medicalkg.mineru.conversion.failed"] = Field(
        default="org.medicalkg.mineru.conversion.failed", description="What happened."
    )
    data: FailedData = Field(description="Why.")


PdfMessage = Annotated[
    ConversionRequested | ConversionCompleted | ConversionFailed, Field(discriminator="type")
]

_MESSAGE: Final[TypeAdapter[PdfMessage]] = TypeAdapter(Annotated[PdfMessage, Field(discriminator="type")])


def message_key(message: PdfMessage) -> str:
    """The key under which a message is published: the document's tenant, source and id."""
    document = message.data.document
    return f"{document.tenant_id}/{document.source}/{document.doc_id}"


def read_message(content: bytes) -> PdfMessage:
    """A message from its JSON; raises pydantic's ValidationError for anything else."""
    return _MESSAGE.validate_json(content)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was delivered; `token` is for the queue that did."""

    message: PdfMessage
    token: object
    delivered_at: datetime


class ConversionQueue(Protocol):
    """A queue of PDF messages. Thread-safe.

    Guarantees that an implementation gives. Order: messages of one document are first delivered in the order
    in which they were published, those of several documents in any order. Delivery: at least once; a message
    that is not acknowledged is delivered again, to any receiver and perhaps after later ones, so a receiver
    compares the message's task with what is done. Durability: messages and acknowledgements survive a crash
    of the broker once the call returns. Idempotence: `acknowledge` and `close` may be repeated; a message
    that is published again is delivered again, under its `id`. Poison messages: one that cannot be read is
    never delivered, and holds back no other. Errors: a call raises DagsterResourceUnavailableError when the
    broker is unavailable, BrokerRefusedError when it refuses the client.
    """

    def publish(self, messages: Sequence[PdfMessage]) -> None:
        """Durable when it returns; all or, where it raises, perhaps some of them."""
        ...

    def receive(self, limit: int, timeout_seconds: float) -> Sequence[Delivery]:
        """Up to `limit` messages, in order for each document; none if none came within the time."""
        ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """These are done with: they are not delivered again. What is not acknowledged comes again."""
        ...

    def reject(self, delivery: Delivery, error: MedkgError) -> None:
        """Put a message that cannot be used on the dead-letter topic with its reason, and acknowledge it."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
