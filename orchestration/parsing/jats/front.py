"""The front matter of a JATS article: its identifiers and bibliographic metadata.

Comes in: the article, or its article-meta element. Leaves: the document id, and the metadata that filters and
citations use. None of it is indexed as text.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from orchestration.contracts import revision_of
from orchestration.parsing.jats.dates import dates_metadata
from orchestration.parsing.jats.front_parts import (
    funding_metadata,
    keywords_of,
    other_metadata,
    subjects_of,
)
from orchestration.parsing.jats.languages import language_metadata, language_of
from orchestration.parsing.jats.notices import notices_metadata, related_articles
from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.jats.people import people_metadata
from orchestration.parsing.jats.rights import licence_metadata
from orchestration.parsing.jats.titles import inner_kind, inner_title
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.trees import local_name

_CONFLICT = re.compile(r"conflict|coi\b|competing")
_DOI_PREFIX = re.compile(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)


def plain_doi(text: str) -> str:
    """A DOI without resolver or scheme: 10.1371/journal.pmed.0020124."""
    return _DOI_PREFIX.sub("", text.strip())


def article_id(meta: etree._Element) -> str | None:
    """The document id: the PMC id as 'PMC123', else the pmid, else the DOI."""
    ids = article_ids(meta)
    return ids.get("pmcid") or ids.get("pmid") or ids.get("doi")


def article_ids(meta: etree._Element) -> dict[str, str]:
    """The article's own identifiers: pmcid, pmid, doi, as far as given."""
    ids: dict[str, str] = {}
    for element in meta.findall("{*}article-id"):
        kind, text = element.get("pub-id-type", ""), one_line(inline_text(element))
        if not text:
            continue
        if kind in ("pmc", "pmcid"):
            digits = re.fullmatch(r"(?:PMC)?(\d+)(?:\.\d+)?", text, re.IGNORECASE)
            ids.setdefault("pmcid", f"PMC{digits.group(1)}" if digits else text)
        elif kind == "pmid":
            ids.setdefault("pmid", text)
        elif kind == "doi":
            ids.setdefault("doi", plain_doi(text))
    return ids


def article_revision(meta: etree._Element) -> str:
    """The version of the article as PMC ('PMC123.2') or its publisher numbers it; unknown without either."""
    by_pmc = meta.find("{*}article-id[@pub-id-type='pmcid-ver']")
    number = one_line(inline_text(by_pmc)).rpartition(".")[2] if by_pmc is not None else ""
    version = meta.find(".//{*}article-version")
    return revision_of(number, one_line(inline_text(version)) if version is not None else "")


def article_metadata(root: etree._Element) -> dict[str, Any]:
    """Authors, journal, year, ids, keywords, subjects, languages, licence and funding, as far as given.

    `sub_articles` has the same of every article inside the article, at any depth, in order.
    """
    meta = root.find("{*}front/{*}article-meta")
    journal = _texts(root, "{*}front/{*}journal-meta/{*}journal-title-group/{*}journal-title") or _texts(
        root, "{*}front/{*}journal-meta/{*}journal-title"
    )
    return {
        **(_described(meta) if meta is not None else {}),
        "journal": journal[0] if journal else None,
        "article_type": root.get("article-type"),
        "has_full_text": root.find("{*}body") is not None,
        **(language_metadata(root, meta) if meta is not None else {}),
        **licence_metadata(root),
        **notices_metadata(root),
        "sub_articles": [
            _sub_article(inner) for inner in root.iterdescendants("{*}sub-article", "{*}response")
        ],
    }


def inner_metas(inner: etree._Element) -> list[etree._Element]:
    """The elements with the metadata of an article inside another, in order."""
    fronts = list(inner.iterchildren("{*}front-stub", "{*}front"))
    return [part for front in fronts for part in (front, *front.findall("{*}article-meta"))]


def _sub_article(inner: etree._Element) -> dict[str, Any]:
    """What is known of an article inside the article: a response, a translation, a review."""
    described: dict[str, Any] = {
        "title": inner_title(inner),
        "type": inner_kind(inner),
        "language": language_of(inner),
    }
    for meta in inner_metas(inner):
        described |= {key: value for key, value in _described(meta).items() if value}
    return described


def _described(meta: etree._Element) -> dict[str, Any]:
    """The metadata that an article and each article inside it state alike."""
    return {
        **article_ids(meta),
        **people_metadata(meta),
        **dates_metadata(meta),
        "volume": _joined(meta, "volume"),
        "issue": _joined(meta, "issue"),
        "pages": _pages(meta),
        "keywords": keywords_of(meta),
        "subjects": subjects_of(meta),
        "competing_interests": " ".join(_competing_interests(meta)),
        **funding_metadata(meta),
        "data_availability": " ".join(_custom(meta, "data availability")),
        "related_articles": related_articles(meta),
        **other_metadata(meta),
    }


def _texts(element: etree._Element, path: str) -> list[str]:
    return [text for text in (one_line(inline_text(part)) for part in element.iterfind(path)) if text]


def _first(meta: etree._Element, name: str) -> str:
    return next(iter(_texts(meta, f"{{*}}{name}")), "")


def _joined(meta: etree._Element, name: str) -> str:
    """All values of a part of the issue, also where the parts of several issues stand in groups."""
    values = _texts(meta, f"{{*}}{name}") or _texts(meta, f"{{*}}volume-issue-group/{{*}}{name}")
    return ", ".join(dict.fromkeys(values))


def _pages(meta: etree._Element) -> str:
    """The pages as printed, '10-12, 15', else the first and last, else the number that stands for them."""
    first_and_last = filter(None, (_first(meta, "fpage"), _first(meta, "lpage")))
    return _first(meta, "page-range") or "-".join(first_and_last) or _first(meta, "elocation-id")


def _competing_interests(meta: etree._Element) -> list[str]:
    """What the notes of the authors declare; declarations in the back matter are text."""
    notes = meta.iterfind("{*}author-notes/{*}fn")
    return [
        one_line(inline_text(note)) for note in notes if _CONFLICT.search((note.get("fn-type") or "").lower())
    ]


def _custom(meta: etree._Element, name: str) -> list[str]:
    """What an article says under a heading of its publisher's own, as PLOS does of its data."""
    values = []
    for group in meta.iterfind("{*}custom-meta-group/{*}custom-meta"):
        parts = {local_name(part): parts_text(part) for part in group}
        if parts.get("meta-name", "").casefold() == name:
            values.append(parts.get("meta-value", ""))
    return [value for value in values if value]
