"""PubMed-style JSON Lines: {pmid, sections: [{label, text}], title?, year?, mesh?}, one abstract per line.

Comes in: a file of such records (a list or a single record work too). Leaves: one Document per abstract, one
section per label. Everything but title and sections is metadata; MeSH headings, keywords, chemicals and
publication types are also text that is not indexed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from orchestration.contracts import RecordLocation, revision_of
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.json.records import json_records, load_record
from orchestration.parsing.marking import Marks
from orchestration.parsing.publication_record import (
    PublicationRecord,
    Term,
    add_publication_record,
    identifiers_of,
)
from orchestration.parsing.pubmed.text import add_abstract_part
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.parsing.xml.markup import without_tags
from orchestration.records import Document, RawPayload

_REVISED = ("revised", "date_revised", "updated_date", "updated")
_PARAGRAPHS = re.compile(r"\n\s*\n")


class PubmedJsonlParser:
    """Parser of abstracts as JSON."""

    format = "pubmed-jsonl"
    version = "4"
    source = "pubmed"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by the two fields that every record has."""
        text = decode_head(head)
        if text is None or not text.lstrip().startswith(("{", "[")):
            return 0
        return 90 if re.search(r'"pmid"\s*:', text) and re.search(r'"sections"\s*:', text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield every abstract; streams."""
        return json_records(stream, uri, max_record_bytes, _pmid, nested=_nested_pmid, revision=_revision)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Parse title and labelled sections; raises MalformedDocumentError when they have other types."""
        record = load_record(payload.content, payload.uri)
        marks = Marks()
        builder = DocumentBuilder(marks)
        builder.title(without_tags(_text(record.get("title"), "title", payload)))
        sections = record.get("sections") or []
        if not isinstance(sections, list):
            raise _wrong("sections", "a list of {label, text}", payload)
        for section in sections:
            if not isinstance(section, dict):
                raise _wrong("sections", "a list of {label, text}", payload)
            label = _text(section.get("label"), "label", payload)
            text = _text(section.get("text"), "text", payload)
            if not text.strip():
                continue
            add_abstract_part(builder, label, None, [without_tags(part) for part in _PARAGRAPHS.split(text)])
        metadata = {key: value for key, value in record.items() if key not in ("title", "sections")}
        metadata["pmid"] = str(record.get("pmid", payload.doc_id))
        add_publication_record(builder, marks, _publication_record(metadata))
        return builder.build(payload, tenant_id, self, metadata=metadata)


def _pmid(record: dict[str, Any]) -> str:
    pmid = record.get("pmid")
    if isinstance(pmid, int | str) and not isinstance(pmid, bool) and str(pmid).strip():
        return str(pmid).strip()
    raise MissingIdentifierError(
        "the record has no pmid, so it could not be cited or updated. Add the field `pmid`."
    )


def _publication_record(metadata: Mapping[str, Any]) -> PublicationRecord:
    """What the record states of its publication, in the fields that such records tend to have for it."""
    return PublicationRecord(
        identifiers=identifiers_of(metadata),
        is_retracted=metadata.get("is_retracted") is True,
        types=_terms(metadata.get("publication_types")),
        headings=_terms(metadata.get("mesh")),
        substances=_terms(metadata.get("chemicals")),
        keywords=_terms(metadata.get("keywords")),
    )


def _terms(value: object) -> list[Term]:
    """The texts of a list, each once."""
    names = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return [Term(name) for name in dict.fromkeys(map(without_tags, names))]


def _nested_pmid(record: dict[str, Any]) -> str:
    """The id of a record that something else wraps: other objects with a pmid are citations of it."""
    if not isinstance(record.get("sections"), list):
        raise MissingIdentifierError("no record: it has no sections. Check the file's format.")
    return _pmid(record)


def _revision(record: dict[str, Any]) -> str:
    """Of the fields that such records tend to have for it."""
    values = (record.get("version"), next((record[name] for name in _REVISED if record.get(name)), None))
    return revision_of(*(str(value) if isinstance(value, str | int) else "" for value in values))


def _text(value: object, field: str, payload: RawPayload) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(field, "a string", payload)
    return value


def _wrong(field: str, expected: str, payload: RawPayload) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{payload.uri}: {payload.doc_id}: `{field}` is not {expected}. Correct the record."
    )
