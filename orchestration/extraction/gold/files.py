"""Reads gold files, each in the format that its content has.

Input: paths, and the names of the graph. Output: Gold: the sound documents, a fault per document that is
left out, and what the graph schema does not have. Raises UsageError for a file that cannot be read at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.extraction.gold.bioc import bioc_drafts, bioc_of_xml
from orchestration.extraction.gold.drafts import Draft, DraftError, GoldFault, Unmapped, checked
from orchestration.extraction.gold.json_lines import json_line_drafts
from orchestration.extraction.gold.naming import Naming
from orchestration.extraction.gold.pubtator import PUBTATOR, pubtator_drafts
from orchestration.records import AnnotatedDocument

__all__ = ["Gold", "read_gold"]

FORMATS = "PubTator text, BioC XML, BioC JSON, or JSON Lines"


@dataclass(slots=True)
class Gold:
    """The sound documents of gold files, in their order, and what was left out."""

    documents: list[AnnotatedDocument] = field(default_factory=list)
    faults: list[GoldFault] = field(default_factory=list)
    unmapped: Unmapped = field(default_factory=Unmapped)


def read_gold(paths: Sequence[Path], naming: Naming | None = None) -> Gold:
    """Read gold files; of documents with one id the first is kept, also across files.

    `naming` None: kinds and relation types stay as written. Raises UsageError for a file that cannot be read,
    has no document, or has no sound one.
    """
    gold = Gold()
    origins: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        before, faults = len(gold.documents), len(gold.faults)
        for draft in _drafts(path):
            _take(draft, path, naming or Naming(), gold, origins)
        if len(gold.documents) == before:
            reasons = gold.faults[faults:]
            first = f" The first: {reasons[0]}." if reasons else ""
            raise UsageError(f"gold {path} has no sound document.{first} Write {FORMATS}.")
        gold.documents[before:] = _with_kinds(gold.documents[before:])
    return gold


def _take(draft: Draft, path: Path, naming: Naming, gold: Gold, origins: dict[str, str]) -> None:
    file = str(path)
    origin = file if draft.line is None else f"{file}, line {draft.line}"
    try:
        if draft.doc_id in origins:
            raise DraftError(draft.line, f"its id is also that of {origins[draft.doc_id]}")
        document = replace(checked(draft, naming, gold.unmapped, origin), record=_record(draft, path))
    except DraftError as error:
        gold.faults.append(GoldFault(file, error.line, draft.doc_id, error.reason))
        return
    origins[draft.doc_id] = origin
    gold.documents.append(document)


def _record(draft: Draft, path: Path) -> str | None:
    if draft.record is None:
        return None
    record = path.parent / draft.record
    if not record.is_file():
        raise DraftError(draft.line, f"its record {draft.record} is not there")
    return str(record)


def _with_kinds(documents: Sequence[AnnotatedDocument]) -> list[AnnotatedDocument]:
    """The documents of one file, with what its annotators looked for: what any of them has."""
    kinds = frozenset(mention.kind for document in documents for mention in document.mentions)
    predicates = frozenset(relation.predicate for document in documents for relation in document.relations)
    negations = any(relation.negated for document in documents for relation in document.relations)
    return [
        replace(document, kinds=kinds, predicates=predicates, negations=negations) for document in documents
    ]


def _drafts(path: Path) -> Iterable[Draft]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"gold {path} cannot be read: {error.strerror or error}.") from error
    if not content.strip():
        raise UsageError(f"gold {path} is empty. Write {FORMATS}.")
    if content.lstrip(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return bioc_drafts(bioc_of_xml(content, str(path)), str(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"gold {path}, line {line}: it is not UTF-8 text ({error.reason}). Convert the file to UTF-8."
        ) from error
    if PUBTATOR.match(text):
        return pubtator_drafts(text)
    if text.lstrip().startswith("{"):
        return _json_drafts(text, str(path))
    raise UsageError(
        f"gold {path} is in none of the formats {FORMATS}; it begins with {text.strip()[:40]!r}."
    )


def _json_drafts(text: str, file: str) -> Iterator[Draft]:
    """A BioC collection as one JSON value, else JSON Lines."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and "documents" in value:
        return bioc_drafts(value, file)
    return json_line_drafts(text, file)
