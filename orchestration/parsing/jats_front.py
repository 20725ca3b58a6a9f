"""The front matter of a JATS article: its identifiers and bibliographic metadata.

Comes in: the article, or its article-meta element. Leaves: the document id, and the metadata that filters
and citations use. Only the title is indexed as text.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from orchestration.parsing.jats_notices import notices_metadata
from orchestration.parsing.jats_rights import licence_metadata
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml import local_name
from orchestration.parsing.xml_inline import inline_text

_DOI_PREFIX = re.compile(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
_YEAR_ORDER = ("epub", "ppub", "collection", "pub", "epub-ppub", "")


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


def front_text(root: etree._Element, path: str) -> str:
    """The text of the first element at `path` below article-meta, '' if there is none."""
    elements = _find_all(root, f"article-meta/{path}")
    return one_line(_without_footnotes(elements[0])) if elements else ""


def article_metadata(root: etree._Element) -> dict[str, Any]:
    """Authors, journal, year, ids, keywords, subjects, licence and funding, as far as given."""
    metas = root.findall("{*}front/{*}article-meta")
    ids = article_ids(metas[0]) if metas else {}
    journal = _texts(root, "journal-meta/journal-title-group/journal-title") or _texts(
        root, "journal-meta/journal-title"
    )
    return {
        **ids,
        "authors": [
            _author(contributor)
            for contributor in _find_all(root, "article-meta/contrib-group/contrib")
            if contributor.get("contrib-type", "author") == "author"
        ],
        "journal": journal[0] if journal else None,
        "year": _year(root),
        "volume": front_text(root, "volume"),
        "issue": front_text(root, "issue"),
        "pages": "-".join(filter(None, (front_text(root, "fpage"), front_text(root, "lpage"))))
        or front_text(root, "elocation-id"),
        "article_type": root.get("article-type"),
        "has_full_text": root.find("{*}body") is not None,
        "keywords": _texts(root, "article-meta/kwd-group/kwd"),
        "subjects": sorted({one_line(inline_text(s)) for s in _subjects(root)}),
        **licence_metadata(root),
        **notices_metadata(root),
        "funding": " ".join(_texts(root, "article-meta/funding-group/funding-statement")),
    }


def _find_all(root: etree._Element, path: str) -> list[etree._Element]:
    steps = "/".join(f"{{*}}{step}" for step in ("front", *path.split("/")))
    return root.findall(steps)


def _texts(root: etree._Element, path: str) -> list[str]:
    return [text for text in (one_line(inline_text(element)) for element in _find_all(root, path)) if text]


def _without_footnotes(element: etree._Element) -> str:
    """A title without the marks and texts of its footnotes."""
    if element.find(".//{*}xref") is None and element.find(".//{*}fn") is None:
        return inline_text(element)
    parts = [element.text or ""]
    for child in element:
        if local_name(child) not in ("xref", "fn"):
            parts.append(inline_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _author(contributor: etree._Element) -> str:
    name = contributor.find(".//{*}name")
    if name is None:
        group = contributor.find("{*}collab")
        group = group if group is not None else contributor.find("{*}string-name")
        return one_line(inline_text(group)) if group is not None else ""
    return person_name(name)


def person_name(name: etree._Element) -> str:
    """'Surname Given', as reference lists write it."""
    parts = (name.find(f"{{*}}{part}") for part in ("surname", "given-names", "suffix"))
    return one_line(" ".join(inline_text(part) for part in parts if part is not None))


def _year(root: etree._Element) -> str | None:
    years: dict[str, str] = {}
    for date in _find_all(root, "article-meta/pub-date"):
        year = date.find("{*}year")
        if year is not None:
            kind = date.get("pub-type") or date.get("date-type") or ""
            years.setdefault(kind, one_line(inline_text(year)))
    return next((years[kind] for kind in _YEAR_ORDER if kind in years), next(iter(years.values()), None))


def _subjects(root: etree._Element) -> list[etree._Element]:
    categories = root.find("{*}front/{*}article-meta/{*}article-categories")
    return categories.findall(".//{*}subject") if categories is not None else []
