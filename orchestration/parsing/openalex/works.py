"""OpenAlex works: title, the abstract rebuilt from its inverted index, and the work's metadata.

Comes in: works as https://api.openalex.org/works returns them, one or in the `results` of a page, JSON Lines
or a list. Leaves: one Document per work, and the addresses of its open copies; type, MeSH headings, topics
and referenced works are text that is not indexed. What changes without the work (citation counts, related
works) is neither in the metadata nor in the version. Fields as documented at
https://developers.openalex.org/api-reference/works/get-a-single-work (read 2026-11-28).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, BinaryIO, Final

from orchestration.contracts import RecordLocation, revision_of
from orchestration.contracts.downloads import PdfLink
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.dates import date_in_words, iso_date
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.json.fields import list_at, module_at, text_at
from orchestration.parsing.json.records import json_records, load_record
from orchestration.parsing.licences import is_redistributable, licence_of
from orchestration.parsing.marking import Marks
from orchestration.parsing.names import bare_name, without_high_marks
from orchestration.parsing.openalex.record import work_record
from orchestration.parsing.pdf_links import places_to_try
from orchestration.parsing.publication_record import add_publication_record
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.markup import Piece, pieces_of, plain_text, separated, unescaped
from orchestration.records import BlockKind, Document, RawPayload

Work = Mapping[str, Any]

UNVERSIONED: Final = frozenset(
    {
        "citation_normalized_percentile",
        "cited_by_api_url",
        "cited_by_count",
        "cited_by_percentile_year",
        "counts_by_year",
        "fwci",
        "related_works",
        "relevance_score",
        "updated_date",
    }
)
"""Fields that others' works and the query change; a work that differs in them alone is the same version."""

_ID = re.compile(r"(?:https?://(?:api\.)?openalex\.org/(?:works/)?)?(W[1-9]\d*)/?", re.IGNORECASE)
_ID_SIGN = re.compile(r'"id"\s*:\s*"https?:\\?/\\?/openalex\.org\\?/(?:works\\?/)?W\d+"', re.IGNORECASE)
_RESOLVERS = re.compile(r"^https?://(?:dx\.)?(?:doi\.org|pubmed\.ncbi\.nlm\.nih\.gov)/", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[5-9]|2[01])\d\d")
_DATE = re.compile(rf"({_YEAR.pattern})(?:-(\d\d)(?:-(\d\d))?)?(?:T.*)?")
_PMCID = re.compile(r"(?:PMC|(?<!\d))(\d+)/?$", re.IGNORECASE)


class OpenAlexParser:
    """Works of OpenAlex."""

    format = "openalex"
    version = "5"
    source = "openalex"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by the id of a work."""
        text = decode_head(head)
        if text is None or not text.lstrip().startswith(("{", "[")):
            return 0
        return 95 if _ID_SIGN.search(text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield every work; streams."""
        return json_records(
            stream,
            uri,
            max_record_bytes,
            _work_id,
            list_key="results",
            unversioned=UNVERSIONED,
            nested=_work_id,
            revision=_revision,
        )

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Parse title and abstract.

        Raises MissingIdentifierError, EmptyDocumentError, or MalformedDocumentError for wrong types.
        """
        work = load_record(payload.content, payload.uri)
        _work_id(work)
        marks = Marks()
        builder = DocumentBuilder(marks)
        try:
            builder.title(plain_text(text_at(work, "title") or text_at(work, "display_name")))
            _add_abstract(builder, in_order(work.get("abstract_inverted_index")))
            metadata = _metadata(work)
            add_publication_record(builder, marks, work_record(work, metadata))
            language = one_line(text_at(work, "language")).lower() or "en"
        except (TypeError, AttributeError, ValueError) as error:
            raise _of_another_model(payload, error) from error
        return builder.build(payload, tenant_id, self, metadata=metadata, language=language)

    def pdf_links(self, payload: RawPayload) -> Sequence[PdfLink]:
        """The PDFs of the best open location and of the others in their order; landing pages are left out.

        Raises MalformedDocumentError for a record that cannot be read.
        """
        work = load_record(payload.content, payload.uri)
        try:
            locations = [_best_location(work), module_at(work, "primary_location")]
            locations += list_at(work, "locations")
            return places_to_try([(text_at(at, "pdf_url"), text_at(at, "license")) for at in locations])
        except (TypeError, AttributeError, ValueError) as error:
            raise _of_another_model(payload, error) from error


def in_order(inverted: object) -> str:
    """The text of an inverted index, {word: [its places]}: 'a b a' of {'a': [0, 2], 'b': [1]}.

    Missing positions are skipped. Raises TypeError for anything else than such an index.
    """
    if inverted is None:
        return ""
    if not isinstance(inverted, Mapping):
        raise TypeError("`abstract_inverted_index` is not an object of words with their places")
    placed: list[tuple[int, str]] = []
    for word, places in inverted.items():
        if not isinstance(places, list) or not all(type(place) is int for place in places):
            raise TypeError(f"`abstract_inverted_index` has no list of places for {word[:40]!r}")
        placed += ((place, word) for place in places)
    return " ".join(word for _, word in sorted(placed))


def _work_id(work: Work) -> str:
    value = work.get("id")
    match = _ID.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise MissingIdentifierError(
            "the work has no OpenAlex id (https://openalex.org/W...), so it could not be cited or updated. "
            "Ask the API for whole records (no `select` parameter, or one with `id`)."
        )
    return match[1].upper()


def _revision(work: Work) -> str:
    updated = work.get("updated_date")
    return revision_of(updated if isinstance(updated, str) else "")


def _of_another_model(payload: RawPayload, error: Exception) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{payload.uri}: {payload.doc_id} is not an OpenAlex work: {error}. Fetch the work again from "
        "https://api.openalex.org/works."
    )


def _add_abstract(builder: DocumentBuilder, abstract: str) -> None:
    """Append paragraphs, under the headings that their tags name."""
    with builder.section("Abstract", "abstract"):
        for heading, paragraphs in _parts(pieces_of(abstract)):
            with builder.section(heading) if heading else nullcontext():
                for paragraph in paragraphs:
                    builder.block(BlockKind.PARAGRAPH, separated(paragraph))


def _parts(pieces: Sequence[Piece]) -> list[tuple[str, list[str]]]:
    """Paragraphs by the heading above them; a heading without any is a paragraph, 'Abstract' is left out."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for piece in pieces:
        if not piece.is_heading:
            parts[-1][1].append(piece.text)
        elif piece.text.rstrip(".:").casefold() != "abstract":
            if not parts[-1][1]:
                parts[-1] = ("", [parts[-1][0]])
            parts.append((piece.text, []))
    return parts if parts[-1][1] else [*parts[:-1], ("", [parts[-1][0]])]


def _best_location(work: Work) -> Work:
    return module_at(work, "best_oa_location")


def _metadata(work: Work) -> dict[str, Any]:
    open_access = module_at(work, "open_access")
    primary = module_at(work, "primary_location")
    ids = module_at(work, "ids")
    licence = licence_of(text_at(_best_location(work), "license") or text_at(primary, "license"))
    pmcid = _PMCID.search(text_at(ids, "pmcid"))
    date = _date(text_at(work, "publication_date"))
    return {
        "openalex_id": _work_id(work),
        "doi": _bare(text_at(work, "doi") or text_at(ids, "doi")),
        "pmid": _bare(text_at(ids, "pmid")),
        "pmcid": f"PMC{pmcid[1]}" if pmcid else None,
        "authors": [_author(authorship) for authorship in list_at(work, "authorships")],
        "journal": plain_text(text_at(module_at(primary, "source"), "display_name")),
        "year": _year(text_at(work, "publication_year")) or date[:4],
        "date": date,
        "type": text_at(work, "type"),
        "mesh": _names(work, "mesh", "descriptor_name"),
        "topics": _names(work, "topics", "display_name"),
        "keywords": _names(work, "keywords", "display_name"),
        "is_retracted": _flag(work, "is_retracted"),
        "is_paratext": _flag(work, "is_paratext"),
        "is_open_access": _flag(open_access, "is_oa"),
        "open_access_status": text_at(open_access, "oa_status"),
        "licence": licence,
        "redistributable": is_redistributable(licence),
    }


def _bare(url: str) -> str:
    return _RESOLVERS.sub("", url.strip()).strip("/")


def _date(stated: str) -> str:
    """The ISO date that is stated, without a day or month that does not exist; '' without a year."""
    parts = _DATE.fullmatch(stated.strip())
    return iso_date(parts[1], parts[2] or "", parts[3] or "") if parts else date_in_words(stated)


def _year(stated: str) -> str:
    """A year of four digits, '' for 0 and other numbers that stand for none."""
    return stated if _YEAR.fullmatch(stated) else ""


def _author(authorship: Work) -> str:
    author = module_at(authorship, "author")
    stated = text_at(author, "display_name") or text_at(authorship, "raw_author_name")
    return bare_name(plain_text(without_high_marks(unescaped(stated))))


def _names(work: Work, field: str, key: str) -> list[str]:
    return list(dict.fromkeys(plain_text(text_at(item, key)) for item in list_at(work, field)))


def _flag(record: Work, key: str) -> bool | None:
    value = record.get(key)
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"`{key}` is a {type(value).__name__}, not true or false")
    return value
