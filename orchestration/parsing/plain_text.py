"""Plain text: paragraphs between blank lines. UTF-8, or UTF-16 with a byte order mark.

Comes in: a text file, which is one record. Leaves: a Document with one section; a short first line
that stands alone and is no sentence becomes the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from orchestration.contracts import RecordLocation
from orchestration.formats.file_kinds import text_kind
from orchestration.parsing.byte_stream import hashed_file
from orchestration.parsing.encoding import decode_head, decode_text, looks_structured
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.records import BlockKind, Document, RawPayload

_BLANK_LINES = re.compile(r"(?<![^\S\n])(?:[^\S\n]*\n){2,}|\f")
_LIST_ITEM = re.compile(r"\s*(?:[-*•‣–]|\(?\d{1,3}[.)])\s+\S")
_TITLE_LENGTH = 200


class PlainTextParser:
    """Parser of text of no other format."""

    format = "text"
    version = "1"
    source = "files"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise any text that is neither XML nor JSON, with low confidence: other formats come first."""
        text = decode_head(head)
        if text is None or looks_structured(text, name) or text_kind(text, name):
            return 0
        return 20 if name.casefold().endswith((".txt", ".text")) else 10

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield the file as one record that has no id."""
        yield hashed_file(stream, uri, max_record_bytes)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Paragraphs as blocks; raises MalformedDocumentError for other encodings."""
        text = decode_text(payload.content, payload.uri).replace("\r\n", "\n").replace("\r", "\n")
        paragraphs = [part for part in _BLANK_LINES.split(text) if part.strip()]
        builder = DocumentBuilder()
        if len(paragraphs) > 1 and _is_title(paragraphs[0]):
            builder.title(paragraphs.pop(0))
        for paragraph in paragraphs:
            lines = paragraph.strip("\n").split("\n")
            if len(lines) > 1 and all(map(_LIST_ITEM.match, lines)):
                builder.lines(BlockKind.LIST, lines)
            else:
                builder.block(BlockKind.PARAGRAPH, paragraph)
        return builder.build(payload, tenant_id, self)


def _is_title(paragraph: str) -> bool:
    line = one_line(paragraph)
    return "\n" not in paragraph.strip() and len(line) <= _TITLE_LENGTH and not line.endswith((".", ";", ","))
