"""Records of JSON services that a configuration describes, in the form that their source writes.

Comes in: JSON Lines of {id, title, sections: [{label, role, paragraphs}], metadata}. Leaves: one Document per
record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.json.records import json_records, load_record
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, Document, RawPayload

__all__ = ["HttpJsonParser"]


_BEGIN = re.compile(r'\s*\{"id": ("[^"]+"|null), "title": "(?:[^"\\]|\\.)*", "sections": \[')


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str = Field(description="Heading.")
    role: str | None = Field(description="What kind of section it is.")
    paragraphs: list[str] = Field(description="Its text.")


class _MappedRecord(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str = Field(description="SOURCE:ID.")
    title: str = Field(description="Title.")
    sections: list[_Section] = Field(description="Text, in order.")
    metadata: dict[str, Any] = Field(description="Filterable fields.")


class HttpJsonParser:
    """Parser of the records of configured JSON services."""

    format = "http-json"
    version = "1"
    source = "http-json"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by the fields that every record begins with."""
        text = decode_head(head)
        return 90 if text is not None and _BEGIN.match(text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield every record; streams."""
        return json_records(stream, uri, max_record_bytes, _record_id)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Title and sections; raises MalformedDocumentError for a record of another form."""
        try:
            record = _MappedRecord.model_validate(load_record(payload.content, payload.uri))
        except ValidationError as error:
            raise MalformedDocumentError(
                f"{payload.uri}: {payload.doc_id} is not as its source maps it: {error.errors()[0]['msg']}."
            ) from error
        builder = DocumentBuilder()
        builder.title(record.title)
        for section in record.sections:
            if any(paragraph.strip() for paragraph in section.paragraphs):
                with builder.section(section.label, section.role):
                    for paragraph in section.paragraphs:
                        builder.block(BlockKind.PARAGRAPH, paragraph)
        return builder.build(payload, tenant_id, self, metadata=record.metadata)


def _record_id(record: dict[str, Any]) -> str:
    record_id = record.get("id")
    if isinstance(record_id, str) and record_id:
        return record_id
    raise MissingIdentifierError(
        "the record has nothing where `document.id` of its source's description points, so it could not be "
        "cited or updated. Correct the description."
    )
