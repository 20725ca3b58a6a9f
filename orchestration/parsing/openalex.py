"""OpenAlex works: title and abstract as text, everything that filters and citations use as metadata.

Comes in: a page of the API, a list of works, JSON Lines (as the snapshot has them), or one work. Leaves: a
Document a work. The abstract, which OpenAlex keeps as an inverted index (word: its positions), is put
together again. Locations tell where the work can be read, the best first, each with its licence.

https://developers.openalex.org/api-reference/works (the work object; read 2026-11-28).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.json_records import json_records, load_record
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, Document, RawPayload

__all__ = ["OpenAlexParser", "abstract_of"]

MOST_WORDS: Final = 100_000
"""Positions of an abstract; a record that claims more is broken, and would cost memory."""

_WORK = re.compile(r"(?:https?://openalex\.org/)?(W\d+)")

Work = Mapping[str, Any]


class OpenAlexParser:
    """Works of OpenAlex."""

    format = "openalex"
    version = "1"
    source = "openalex"

    def recognises(self, head: bytes, name: str) -> int:
        """By the address that every work's id is."""
        text = decode_head(head)
        if text is None or not text.lstrip().startswith(("{", "[")):
            return 0
        return 90 if re.search(r'"id"\s*:\s*"https://openalex\.org/W\d', text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Every work; streams."""
        return json_records(stream, uri, max_record_bytes, _work_id, list_key="results")

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """The work; raises MissingIdentifierError, or MalformedDocumentError for fields of wrong types."""
        work = load_record(payload.content, payload.uri)
        _work_id(work)
        builder = DocumentBuilder()
        try:
            builder.title(work.get("title") or work.get("display_name") or "")
            abstract = abstract_of(work)
            if abstract:
                with builder.section("Abstract", role="abstract"):
                    builder.block(BlockKind.PARAGRAPH, abstract)
            metadata = _metadata(work)
        except (TypeError, AttributeError, ValueError, KeyError) as error:
            raise MalformedDocumentError(
                f"{payload.uri}: {payload.doc_id} is no OpenAlex work: {error}. Fetch it again from "
                "https://api.openalex.org/works."
            ) from error
        language = work.get("language")
        return builder.build(
            payload,
            tenant_id,
            self,
            metadata=metadata,
            language=language if isinstance(language, str) and language else "en",
        )


def abstract_of(work: Work) -> str:
    """The abstract from its inverted index; raises ValueError when that is none."""
    index = work.get("abstract_inverted_index") or {}
    words: dict[int, str] = {}
    for word, positions in index.items():
        for position in positions:
            if not isinstance(position, int) or not 0 <= position < MOST_WORDS:
                raise ValueError(f"abstract_inverted_index has a word at {position!r}")
            words[position] = word
    return " ".join(words[position] for position in sorted(words))


def _work_id(work: Work) -> str:
    match = _WORK.fullmatch(work["id"]) if isinstance(work.get("id"), str) else None
    if match is None:
        raise MissingIdentifierError(
            "the work has no OpenAlex id (https://openalex.org/W...), so it could not be cited or updated. "
            "Ask the API for whole records (no `select` parameter)."
        )
    return match.group(1)


def _metadata(work: Work) -> dict[str, Any]:
    ids = work.get("ids") or {}
    primary = work.get("primary_location") or {}
    access = work.get("open_access") or {}
    biblio = work.get("biblio") or {}
    return {
        "openalex": _work_id(work),
        "doi": _last(work.get("doi"), "doi.org/"),
        "pmid": _last(ids.get("pmid"), "/"),
        "pmcid": _pmcid(ids.get("pmcid")),
        "authors": [
            (authorship.get("author") or {}).get("display_name")
            for authorship in work.get("authorships") or []
        ],
        "journal": (primary.get("source") or {}).get("display_name"),
        "year": str(work["publication_year"]) if work.get("publication_year") else None,
        "published": work.get("publication_date"),
        "volume": biblio.get("volume"),
        "issue": biblio.get("issue"),
        "article_type": work.get("type"),
        "keywords": [keyword.get("display_name") for keyword in work.get("keywords") or []],
        "subjects": [topic.get("display_name") for topic in work.get("topics") or []],
        "mesh": list(dict.fromkeys(term.get("descriptor_name") for term in work.get("mesh") or [])),
        "retracted": bool(work.get("is_retracted")) or None,
        "cited_by_count": work.get("cited_by_count"),
        "updated": work.get("updated_date"),
        "oa_status": access.get("oa_status"),
        "license": primary.get("license") or (work.get("best_oa_location") or {}).get("license"),
        "oa_locations": _locations(work),
    }


def _locations(work: Work) -> list[dict[str, Any]]:
    """Where the work is open, the best first, each place once."""
    listed = [work.get("best_oa_location"), work.get("primary_location"), *(work.get("locations") or [])]
    places: dict[tuple[Any, Any], dict[str, Any]] = {}
    for location in listed:
        if location and location.get("is_oa"):
            pdf, page = location.get("pdf_url"), location.get("landing_page_url")
            places.setdefault(
                (pdf, page),
                {
                    "pdf_url": pdf,
                    "landing_page_url": page,
                    "license": location.get("license"),
                    "version": location.get("version"),
                },
            )
    return sorted(places.values(), key=lambda place: place["pdf_url"] is None)


def _last(address: str | None, separator: str) -> str | None:
    return address.rpartition(separator)[2] if address else None


def _pmcid(address: str | None) -> str | None:
    digits = re.search(r"(\d+)/?$", address) if address else None
    return f"PMC{digits.group(1)}" if digits else None
