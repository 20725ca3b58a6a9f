"""Writes docs/asyncapi.yaml, which describes the messages on Kafka, from the code that sends them.

Comes in: the models of events (`orchestration/events/types.py`) and of PDF messages, and the example facts.
Leaves: an AsyncAPI document (https://www.asyncapi.com/docs/reference/specification/v3.0.0) whose schemas are
the models' and whose examples are made by CloudEventFactory; with --check nothing but exit code 1 when the
file is not what the code says. `make reference` writes it, `make lint` checks it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from ruamel.yaml import YAML

from ops.asyncapi_examples import example_facts, example_messages
from orchestration.contracts.pdf_queue import (
    MINERU_DEAD_LETTERS,
    MINERU_QUEUE,
    ConversionCompleted,
    ConversionFailed,
    ConversionRequested,
    PdfMessage,
    message_key,
)
from orchestration.events.factory import CloudEventFactory
from orchestration.events.kafka import CONTENT_TYPE
from orchestration.events.kafka_cluster import EVENTS_TOPIC
from orchestration.events.types import EVENT_TYPES, PREFIX, EventData

__all__ = ["ENVELOPE", "FILE", "asyncapi_document", "asyncapi_yaml", "main"]

FILE: Final = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.yaml"
MARK: Final = (
    "# Generated from orchestration/events/types.py and orchestration/contracts/pdf_queue.py by\n"
    "# `make reference`; `make lint` checks that it is fresh.\n"
)
VERSION: Final = "1.0.0"
"""Of the contract; its first number is that of the topics."""
SCHEMAS: Final = "#/components/schemas/"
MESSAGES: Final = "#/components/messages/"
BINDING: Final = "0.5.0"
"""Version of AsyncAPI's binding for Kafka."""
QUEUE_MESSAGES: Final[Mapping[str, type[BaseModel]]] = {
    "mineru.conversion.requested": ConversionRequested,
    "mineru.conversion.completed": ConversionCompleted,
    "mineru.conversion.failed": ConversionFailed,
}
DEAD_LETTER: Final = "mineru.deadletter"
DEAD_LETTER_HEADERS: Final = {
    "medkg-error-code": "Code of docs/reference/errors.md.",
    "medkg-error-message": "Cause and next step.",
    "medkg-message": "TOPIC/PARTITION/OFFSET of the message.",
    "medkg-group": "Group of consumers that could not use it.",
}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description} | more


ENVELOPE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Context attributes of CloudEvents 1.0, and medkg's extensions. More may come: ignore "
    "attributes and fields that you do not know. What an event is not about is left out.",
    "required": [
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype"),
        *("partitionkey", "sequence", "data"),
    ],
    "properties": {
        "specversion": {"const": "1.0", "description": "Version of CloudEvents."},
        "id": _text("The same for every delivery of one event.", format="uuid"),
        "source": _text("/medkg/LEDGER, the identity of the ledger.", pattern="^/medkg/.+$"),
        "type": _text("What happened."),
        "subject": _text("The document's id; else the job, or the service that it is about."),
        "time": _text("When it happened, UTC.", format="date-time"),
        "datacontenttype": {"const": "application/json", "description": "Of `data`."},
        "partitionkey": _text("Key of the Kafka message: events of one key keep their order."),
        "sequence": _text(
            "Orders all events of a ledger, compared as text.", pattern=r"^[0-9]{16}\.[0-9]{6}$"
        ),
        "tenant": _text("Tenant."),
        "correlationid": _text("Links all that happens to a document in its job; else the job."),
        "jobid": _text("Job."),
        "windowid": _text("Window: a Dagster run and its documents."),
        "pipeline": _text("Topology."),
        "pipelineversion": _text("Its version."),
        "traceparent": _text(
            "W3C trace context.", pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
        ),
        "data": {"type": "object", "description": "What happened in detail, by `type`."},
    },
}
"""Schema of what all events of orchestration.events.v1 have in common."""


def asyncapi_document() -> dict[str, Any]:
    """The document, the same for the same code."""
    schemas = {"Envelope": ENVELOPE, **_schemas(EVENT_TYPES.values(), closed=False)}
    schemas |= _schemas(QUEUE_MESSAGES.values(), closed=True)
    messages = _event_messages() | _queue_messages() | {DEAD_LETTER: _dead_letter()}
    events = [kind.removeprefix(PREFIX) for kind in EVENT_TYPES]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "medkg",
            "version": VERSION,
            "description": "What medkg publishes to Kafka and reads from it. "
            "Guarantees of order and delivery: docs/guides/events.md.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "events": _channel(
                EVENTS_TOPIC, "What happens to documents, windows, jobs and services.", events
            ),
            "conversions": _channel(
                MINERU_QUEUE, "PDFs to convert, and what was made of them.", list(QUEUE_MESSAGES)
            ),
            "conversionDeadLetters": _channel(
                MINERU_DEAD_LETTERS, f"Messages of {MINERU_QUEUE} that cannot be used.", [DEAD_LETTER]
            ),
        },
        "operations": {
            "publishEvents": _operation("send", "events", "medkg publishes what happened.", events),
            "requestConversions": _operation(
                "send", "conversions", "medkg asks for conversions.", ["mineru.conversion.requested"]
            ),
            "receiveConversions": _operation(
                "receive",
                "conversions",
                "medkg learns how conversions ended; the worker beside MinerU sends these.",
                ["mineru.conversion.completed", "mineru.conversion.failed"],
            ),
            "buryConversions": _operation(
                "send",
                "conversionDeadLetters",
                "medkg, or a worker, sets a message aside.",
                [DEAD_LETTER],
            ),
        },
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _channel(topic: str, description: str, messages: Sequence[str]) -> dict[str, Any]:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": MESSAGES + name} for name in messages},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": BINDING}},
    }


def _operation(action: str, channel: str, summary: str, messages: Sequence[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _schemas(models: Any, closed: bool) -> dict[str, Any]:
    """JSON Schemas of these models and of what they refer to; `closed`: other fields are refused."""
    _, generated = models_json_schema(
        [(model, "serialization") for model in models], ref_template=SCHEMAS + "{model}"
    )
    definitions: dict[str, Any] = generated["$defs"]
    if not closed:
        for schema in definitions.values():
            if schema.get("additionalProperties") is False:
                del schema["additionalProperties"]
    return definitions


def _message(name: str, summary: str, key: str, payload: Any, examples: Sequence[Any]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "headers": _headers({"content-type": "Of the message."}, {"content-type": CONTENT_TYPE}),
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": BINDING}},
        "examples": [
            {"name": title, "headers": {"content-type": CONTENT_TYPE}, "payload": value}
            for title, value in examples
        ],
    }


def _headers(described: Mapping[str, str], fixed: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(described),
        "properties": {
            name: {"type": "string", "description": text} | ({"const": fixed[name]} if name in fixed else {})
            for name, text in described.items()
        },
    }


def _event_messages() -> dict[str, Any]:
    examples: dict[str, dict[str, Any]] = {kind: {} for kind in EVENT_TYPES}
    for fact in example_facts():
        for event in CloudEventFactory().events(fact):
            examples[event.type].setdefault(f"of a fact {fact.body.kind}", event.as_json())
    return {
        kind.removeprefix(PREFIX): _message(
            kind,
            _summary(data),
            _key_of(data),
            {
                "allOf": [
                    {"$ref": f"{SCHEMAS}Envelope"},
                    {
                        "type": "object",
                        "properties": {"type": {"const": kind}, "data": {"$ref": SCHEMAS + data.__name__}},
                    },
                ]
            },
            list(examples[kind].items()),
        )
        for kind, data in EVENT_TYPES.items()
    }


def _key_of(data: type[EventData]) -> str:
    """How the factory names the key of such an event, which is also `partitionkey`."""
    if "key_hash" in data.model_fields:
        return "TENANT/KEY_HASH"
    field = data.model_fields.get("doc_id")
    if field is None:
        return "The job; without one the resource, alert, sink or stage, else medkg."
    return (
        "TENANT/SOURCE/DOC_ID"
        if field.is_required()
        else "TENANT/SOURCE/DOC_ID; of a batch the job or stage."
    )


def _queue_messages() -> dict[str, Any]:
    examples: dict[type[BaseModel], PdfMessage] = {type(message): message for message in example_messages()}
    return {
        name: _message(
            model.model_fields["type"].default,
            _summary(model),
            f"TENANT/SOURCE/DOC_ID, e.g. {message_key(examples[model])}.",
            {"$ref": SCHEMAS + model.__name__},
            [("of a document", examples[model].model_dump(mode="json"))],
        )
        for name, model in QUEUE_MESSAGES.items()
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": DEAD_LETTER,
        "summary": "A message that cannot be used, as it came, with the reason in its headers.",
        "contentType": "application/octet-stream",
        "headers": _headers(DEAD_LETTER_HEADERS, {}),
        "payload": {"description": "The bytes of the message, often no JSON."},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "Of the message that could not be used."},
                "bindingVersion": BINDING,
            }
        },
    }


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def asyncapi_yaml() -> str:
    """The document as text of the file."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda _: True
    text = io.StringIO(MARK)
    text.seek(0, io.SEEK_END)
    yaml.dump(asyncapi_document(), text)
    return text.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Write the file, or with --check compare it; returns the exit code."""
    text = asyncapi_yaml()
    if "--check" not in arguments:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.is_file() or FILE.read_text(encoding="utf-8") != text:
        sys.stdout.write(f"docs/{FILE.name} is not what the code says: make reference\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
