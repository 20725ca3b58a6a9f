"""Type, MeSH headings, topics, keywords, funders and referenced works of an OpenAlex work.

Input: a work and the metadata of its document. Output: a PublicationRecord with the identifiers that OpenAlex
gives. Fields: https://developers.openalex.org/api-reference/works/get-a-single-work (read 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestration.parsing.curies import mesh_curies
from orchestration.parsing.json.fields import list_at, text_at
from orchestration.parsing.publication_record import (
    Funder,
    PublicationRecord,
    RelatedArticle,
    Term,
    identifiers_of,
)
from orchestration.parsing.xml.markup import plain_text

__all__ = ["work_record"]

Work = Mapping[str, Any]

_OPENALEX: Final = re.compile(r"https?://(?:api\.)?openalex\.org/(?:\w+/)?([A-Z]\d+)/?", re.IGNORECASE)
_WIKIDATA: Final = re.compile(r"https?://www\.wikidata\.org/(?:wiki|entity)/(Q\d+)", re.IGNORECASE)


def work_record(work: Work, metadata: Mapping[str, Any]) -> PublicationRecord:
    """What the work states of itself; raises TypeError or AttributeError where types are wrong."""
    kind = text_at(work, "type")
    topics = [*list_at(work, "topics"), *list_at(work, "concepts")]
    return PublicationRecord(
        identifiers=identifiers_of(metadata),
        is_retracted=metadata.get("is_retracted") is True,
        types=[Term(kind)] if kind else [],
        headings=[*_mesh(work), *map(_term, topics)],
        keywords=[_term(each) for each in list_at(work, "keywords")],
        funders=list(_funders(work)),
        related=list(_referenced(work)),
    )


def _mesh(work: Work) -> list[Term]:
    """MeSH headings, each once with its subheadings: OpenAlex repeats the heading per subheading."""
    headings: dict[str, list[Work]] = {}
    for each in list_at(work, "mesh"):
        headings.setdefault(text_at(each, "descriptor_name"), []).append(each)
    return [_heading(name, stated) for name, stated in headings.items()]


def _heading(name: str, stated: list[Work]) -> Term:
    """A main topic is stated of the subheading where there is one."""
    subheadings = tuple(
        Term(
            plain_text(text_at(each, "qualifier_name")),
            mesh_curies(text_at(each, "qualifier_ui")),
            is_major=each.get("is_major_topic") is True,
        )
        for each in stated
        if text_at(each, "qualifier_name")
    )
    alone = [each for each in stated if not text_at(each, "qualifier_name")]
    is_major = any(each.get("is_major_topic") is True for each in alone)
    codes = mesh_curies(text_at(stated[0], "descriptor_ui"))
    return Term(plain_text(name), codes, is_major, subheadings=subheadings)


def _term(record: Work) -> Term:
    """A topic, concept or keyword; ids of keywords are made of their words and are not kept."""
    own = _OPENALEX.fullmatch(text_at(record, "id"))
    wikidata = _WIKIDATA.fullmatch(text_at(record, "wikidata"))
    codes = [f"openalex:{own[1].upper()}"] if own else []
    codes += [f"wikidata:{wikidata[1].upper()}"] if wikidata else []
    return Term(plain_text(text_at(record, "display_name")), tuple(codes))


def _funders(work: Work) -> Iterator[Funder]:
    """Funders of grants, each once, with all their awards."""
    awards: dict[tuple[str, str], list[str]] = {}
    for grant in list_at(work, "grants"):
        key = (plain_text(text_at(grant, "funder_display_name")), text_at(grant, "funder"))
        awards.setdefault(key, []).append(text_at(grant, "award_id"))
    for (name, address), stated in awards.items():
        own = _OPENALEX.fullmatch(address)
        codes = (f"openalex:{own[1].upper()}",) if own else ()
        yield Funder(name, codes, tuple(dict.fromkeys(filter(None, stated))))


def _referenced(work: Work) -> Iterator[RelatedArticle]:
    addresses = work.get("referenced_works") or []
    if not isinstance(addresses, list):
        raise TypeError("`referenced_works` is not a list")
    for address in addresses:
        match = _OPENALEX.fullmatch(address) if isinstance(address, str) else None
        if match:
            cited = match[1].upper()
            yield RelatedArticle("Referenced work", cited, "cites", identifiers=(f"openalex:{cited}",))
