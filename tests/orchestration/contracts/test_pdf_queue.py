"""Messages of mineru.queue.v1 are CloudEvents that read back as they were written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TypedDict

import pytest
from pydantic import ValidationError

from orchestration.contracts.pdf_queue import (
    CompletedData,
    ConversionCompleted,
    ConversionFailed,
    ConversionRequested,
    FailedData,
    RequestData,
    read_message,
)
from orchestration.records import DocumentKey


class Context(TypedDict):
    """Attributes that all messages have."""

    id: str
    source: str
    subject: str
    time: datetime
    correlationid: str


CONTEXT: Context = {
    "id": "m-1",
    "source": "/medkg/host",
    "subject": "PMC1",
    "time": datetime(2026, 11, 28, tzinfo=UTC),
    "correlationid": "c-1",
}
KEY = DocumentKey(tenant_id="default", source="pmc", doc_id="PMC1")
MESSAGES = [
    ConversionRequested(
        **CONTEXT,
        data=RequestData(
            task_id="t-1",
            document=KEY,
            converter="mineru",
            pdf_key="pdfs/default/1",
            pdf_sha256="a" * 64,
            result_key="pdf_ir/1",
        ),
    ),
    ConversionCompleted(
        **CONTEXT,
        data=CompletedData(
            task_id="t-1", document=KEY, result_key="pdf_ir/1", result_sha256="b" * 64, converter="mineru/1"
        ),
    ),
    ConversionFailed(
        **CONTEXT,
        data=FailedData(
            task_id="t-1",
            document=KEY,
            error_code="MEDKG-220",
            error_class="EncryptedPdfError",
            error_message="PMC1: ...",
        ),
    ),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_reads_back_as_it_was_written(message: ConversionRequested) -> None:
    assert read_message(message.model_dump_json().encode()) == message


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_has_the_attributes_that_cloudevents_require(message: ConversionRequested) -> None:
    attributes = json.loads(message.model_dump_json())
    assert attributes["specversion"] == "1.0" and attributes["datacontenttype"] == "application/json"
    assert all(
        isinstance(attributes[name], str) and attributes[name] for name in ("id", "source", "type", "time")
    )
    assert all(name.isascii() and name.isalnum() and name == name.lower() for name in attributes)


@pytest.mark.parametrize(
    "change",
    [{"type": "org.example.other"}, {"specversion": "0.3"}, {"id": ""}, {"data": {}}, {"time": "now"}],
)
def test_what_is_no_such_message_is_refused(change: dict[str, object]) -> None:
    attributes = json.loads(MESSAGES[0].model_dump_json()) | change
    with pytest.raises(ValidationError):
        read_message(json.dumps(attributes).encode())
