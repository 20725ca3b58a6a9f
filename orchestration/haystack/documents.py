"""Between Haystack's documents and chunks: one Haystack document is one chunk.

Comes in: Haystack documents. Leaves: chunks with the vectors that came along, or an error that names what
cannot be kept; and back again. A document that says where it stands in one of medkg's (as the retriever and
the store give them: id and `meta` of a chunk) keeps that place. Any other is a document of one chunk, of
source `haystack`, under its own id and with its `meta` as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
from haystack import Document
from pydantic import ValidationError

from orchestration.collection.chunk_vectors import PassedChunk, SparseRow
from orchestration.contracts import facets_of_metadata
from orchestration.errors import EmptyDocumentError, MalformedDocumentError
from orchestration.records import Chunk, DocumentKey, chunk_id, json_version

__all__ = ["PLACE", "SOURCE", "has_place", "haystack_document", "passed_chunk", "place_of", "possible_keys"]

SOURCE: Final = "haystack"
"""Source of documents that came from nowhere but a Haystack pipeline, and name of that pipeline's writes."""

KEPT: Final = "haystack"
"""Where Chunk.metadata has the `meta` of such a document."""

VERSION: Final = "1"

IDENTITY: Final = ("source", "doc_id", "version", "ordinal")
"""What gives a chunk its id."""

PLACE: Final = (
    *IDENTITY,
    "chunk_id",
    "title",
    "title_path",
    "section",
    "start_char",
    "end_char",
    "page_no",
    "block_ids",
    "token_count",
    "granularity",
    "chunker",
    "chunker_version",
)
"""Fields of `meta` that say what a chunk is and where it stands."""

OF_A_SEARCH: Final = ("rank", "legs", "highlights", "further_chunks")
"""Fields of `meta` that say how a query found it."""

TITLES: Final = ("title", "file_name", "file_path")
"""Fields of a foreign document's `meta` that give it a title, the first of them that is a text."""

CHUNK_ID: Final = re.compile(r"([^:]+):(.+):[^:]+:\d+", re.DOTALL)
ISO_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ].*", re.DOTALL)


# --- out --------------------------------------------------------------------------------------------


def haystack_document(key: DocumentKey, chunk: Chunk) -> Document:
    """The chunk as Haystack wrote it, or with its place in `meta`."""
    meta = chunk.metadata[KEPT] if key.source == SOURCE and KEPT in chunk.metadata else None
    if meta is None:
        meta = {**chunk.metadata, **place_of(key.source, chunk)}
    return Document(id=chunk.chunk_id, content=chunk.body, meta=dict(meta))


def place_of(source: str, chunk: Chunk) -> dict[str, Any]:
    """What a chunk is and where it stands, as `meta`."""
    return {
        "source": source,
        "title": chunk.title_path[0] if chunk.title_path else "",
        **chunk.model_dump(mode="json", exclude={"body", "tenant_id", "metadata"}),
    }


# --- in ---------------------------------------------------------------------------------------------


def passed_chunk(tenant_id: str, document: Document) -> PassedChunk:
    """The chunk that a Haystack document is.

    Raises EmptyDocumentError for one without text, MalformedDocumentError for other things that no chunk has.
    """
    _check_text(document)
    meta = _plain(document, document.meta)
    if has_place(document):
        key, chunk = _placed(tenant_id, document, meta)
    else:
        key, chunk = _whole(tenant_id, document, meta)
    dense = None if document.embedding is None else _numbers(document, document.embedding)
    return PassedChunk(key, chunk, dense, _sparse(document))


def has_place(document: Document) -> bool:
    """Whether the document says which chunk of a document of medkg's it is."""
    meta = document.meta
    if not all(name in meta for name in IDENTITY):
        return False
    source, doc_id, version = (str(meta[name]) for name in IDENTITY[:3])
    return bool(document.id == chunk_id(source, doc_id, version, meta["ordinal"]))


def possible_keys(tenant_id: str, document_id: str) -> list[DocumentKey]:
    """The documents that may hold the chunk of this id."""
    keys = [DocumentKey(tenant_id=tenant_id, source=SOURCE, doc_id=document_id)]
    if match := CHUNK_ID.fullmatch(document_id):
        keys.append(DocumentKey(tenant_id=tenant_id, source=match[1], doc_id=match[2]))
    return keys


def _placed(tenant_id: str, document: Document, meta: Mapping[str, Any]) -> tuple[DocumentKey, Chunk]:
    """The chunk of a document of medkg's."""
    body = str(document.content)
    place = {name: meta[name] for name in PLACE if name in meta and name not in ("source", "title")}
    others = {name: value for name, value in meta.items() if name not in (*PLACE, *OF_A_SEARCH)}
    try:
        chunk = Chunk(
            **{**place, "chunk_id": document.id, "tenant_id": tenant_id, "body": body}, metadata=others
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedDocumentError(
            f"document {document.id} says that it is a chunk of {meta['doc_id']}, but meta."
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}. Keep meta as it was read, or "
            "give it another id."
        ) from error
    if chunk.end_char - chunk.start_char != len(body):
        raise MalformedDocumentError(
            f"document {document.id} has {len(body)} characters, and meta says {chunk.start_char} to "
            f"{chunk.end_char} of {chunk.doc_id}. A changed text is no quotation: give it another id."
        )
    return DocumentKey(tenant_id=tenant_id, source=str(meta["source"]), doc_id=chunk.doc_id), chunk


def _whole(tenant_id: str, document: Document, meta: dict[str, Any]) -> tuple[DocumentKey, Chunk]:
    """A document of one chunk."""
    body = str(document.content)
    title, section = next(filter(_is_text, map(meta.get, TITLES)), None), meta.get("section")
    chunk = Chunk(
        chunk_id=document.id,
        doc_id=document.id,
        tenant_id=tenant_id,
        version=json_version({"content": body, "meta": meta}),
        ordinal=0,
        body=body,
        title_path=() if title is None else (title,),
        section=section if isinstance(section, str) else "",
        start_char=0,
        end_char=len(body),
        block_ids=(),
        page_no=_count(meta.get("page_number")),
        token_count=_count(meta.get("token_count")) or len(body.split()),
        granularity="chunk",
        chunker=SOURCE,
        chunker_version=VERSION,
        metadata={**_facets(meta), KEPT: meta},
    )
    return DocumentKey(tenant_id=tenant_id, source=SOURCE, doc_id=document.id), chunk


def _facets(meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """What searches can be narrowed by, from fields of these names."""
    day = meta.get("date")
    if isinstance(day, str) and (with_time := ISO_DAY.fullmatch(day)):
        day = with_time[1]
    conditions = [entry for name in ("conditions", "condition") for entry in _listed(meta.get(name))]
    return facets_of_metadata({**meta, "date": day, "conditions": conditions})


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _count(value: object) -> int | None:
    """A number from 1 on; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


# --- what cannot be kept ----------------------------------------------------------------------------


def _check_text(document: Document) -> None:
    if document.blob is not None:
        raise MalformedDocumentError(
            f"document {document.id} has a blob, and medkg keeps texts. Convert it to text first, and leave "
            "the blob out."
        )
    if not document.content or not document.content.strip():
        raise EmptyDocumentError(f"document {document.id} has no text to index. Leave it out.")
    for name, text in (("id", document.id), ("content", document.content)):
        _check_storable(document, name, text)


def _check_storable(document: Document, name: str, text: str) -> None:
    """UTF-8 can carry it, and PostgreSQL takes it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedDocumentError(
            f"document {document.id!r}: {name} holds half a surrogate pair at {error.start}. Decode its "
            "source with the right encoding."
        ) from error
    if name == "id" and "\0" in text:
        raise MalformedDocumentError(f"document {document.id!r}: an id cannot hold NUL. Give it another one.")


def _plain(document: Document, value: Any, name: str = "meta") -> Any:
    """A value of `meta` as JSON has it: dates as ISO 8601, tuples as lists."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        _check_storable(document, name, value)
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(document, item, f"{name}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(part, str) for part in value):
        return {part: _plain(document, item, f"{name}.{part}") for part, item in value.items()}
    raise MalformedDocumentError(
        f"document {document.id}: {name} is {value!r}, a {type(value).__name__} that JSON cannot hold. Make "
        "it a text, a finite number, or a list or mapping of these."
    )


def _numbers(document: Document, embedding: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    try:
        return np.asarray(embedding, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise MalformedDocumentError(
            f"document {document.id}: its embedding is no list of numbers."
        ) from error


def _sparse(document: Document) -> SparseRow | None:
    embedding = document.sparse_embedding
    if embedding is None:
        return None
    return np.asarray(embedding.indices, dtype=np.int32), np.asarray(embedding.values, dtype=np.float32)
