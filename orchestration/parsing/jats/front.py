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
from orchestration.parsing.jats.languages import language_metadata
from orchestration.parsing.jats.notices import notices_metadata
from orchestration.parsing.jats.people import people_metadata
from orchestration.parsing.jats.rights import licence_metadata
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text, node_text
from orchestration.parsing.xml.trees import local_name

_CONFLICTS = frozenset({"conflict", "coi-statement"})
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
    """Authors, journal, year, ids, keywords, subjects, languages, licence and funding, as far as given."""
    meta = root.find("{*}front/{*}article-meta")
    journal = _texts(root, "journal-meta/journal-title-group/journal-title") or _texts(
        root, "journal-meta/journal-title"
    )
    return {
        **(article_ids(meta) if meta is not None else {}),
        **(people_metadata(meta) if meta is not None else {}),
        "journal": journal[0] if journal else None,
        **(dates_metadata(meta) if meta is not None else {}),
        "volume": _first(root, "volume"),
        "issue": _first(root, "issue"),
        "pages": "-".join(filter(None, (_first(root, "fpage"), _first(root, "lpage"))))
        or _first(root, "elocation-id"),
        "article_type": root.get("article-type"),
        "has_full_text": root.find("{*}body") is not None,
        "keywords": _keywords(root),
        "subjects": sorted({one_line(inline_text(s)) for s in _subjects(root)}),
        **(language_metadata(root, meta) if meta is not None else {}),
        **licence_metadata(root),
        **notices_metadata(root),
        "competing_interests": " ".join(_competing_interests(root)),
        "funding": " ".join(_texts(root, "article-meta/funding-group/funding-statement"))
        or "; ".join(_awards(root)),
        "data_availability": " ".join(_custom(root, "data availability")),
    }


def _find_all(root: etree._Element, path: str) -> list[etree._Element]:
    steps = "/".join(f"{{*}}{step}" for step in ("front", *path.split("/")))
    return root.findall(steps)


def _texts(root: etree._Element, path: str) -> list[str]:
    return [text for text in (one_line(inline_text(element)) for element in _find_all(root, path)) if text]


def _first(root: etree._Element, name: str) -> str:
    return next(iter(_texts(root, f"article-meta/{name}")), "")


def _competing_interests(root: etree._Element) -> list[str]:
    """What the notes of the authors declare; declarations in the back matter are text."""
    notes = _find_all(root, "article-meta/author-notes/fn")
    return [
        one_line(inline_text(note)) for note in notes if (note.get("fn-type") or "").lower() in _CONFLICTS
    ]


def _awards(root: etree._Element) -> list[str]:
    """Who funds by which awards, of an article that has no statement about it: 'NIH R01 HL1'."""
    groups = _find_all(root, "article-meta/funding-group/award-group")
    return list(dict.fromkeys(filter(None, (one_line(node_text(group)) for group in groups))))


def _custom(root: etree._Element, name: str) -> list[str]:
    """What an article says under a heading of its publisher's own, as PLOS does of its data."""
    values = []
    for group in _find_all(root, "article-meta/custom-meta-group/custom-meta"):
        parts = {local_name(part): one_line(inline_text(part)) for part in group}
        if parts.get("meta-name", "").casefold() == name:
            values.append(parts.get("meta-value", ""))
    return [value for value in values if value]


def _keywords(root: etree._Element) -> list[str]:
    """Keywords, those of compound and nested ones too."""
    groups = _find_all(root, "article-meta/kwd-group")
    words = (
        one_line(node_text(word)) for group in groups for word in group.iter("{*}kwd", "{*}compound-kwd")
    )
    return list(dict.fromkeys(filter(None, words)))


def _subjects(root: etree._Element) -> list[etree._Element]:
    categories = root.find("{*}front/{*}article-meta/{*}article-categories")
    return categories.findall(".//{*}subject") if categories is not None else []
