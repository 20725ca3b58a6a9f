"""What the front matter of a JATS article states beside what each article has: reviewed works, conferences.

Input: the article-meta or front-stub element. Output: metadata. Every element of the front matter is read by
name, is left out for a reason that the guide for documents repeats, or is kept under its name in
`other_front_matter`, so that an element that no list names loses no text. Elements:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/article-meta.html (read 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from orchestration.parsing.jats.citations import citation_text
from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text, node_text
from orchestration.parsing.xml.trees import local_name

__all__ = ["FRONT_LEFT_OUT", "funding_metadata", "keywords_of", "other_metadata", "subjects_of"]

FRONT_LEFT_OUT: Final = {
    "aff": "addresses of people",
    "aff-alternatives": "addresses of people",
    "article-version": "the revision of the record",
    "article-version-alternatives": "the revision of the record",
    "copyright-holder": "the licence, whose kind is `licence`",
    "copyright-statement": "the licence, whose kind is `licence`",
    "copyright-year": "the licence, whose kind is `licence`",
    "counts": "numbers of pages, words and figures",
    "email": "addresses of people",
    "ext-link": "addresses of copies; the PDF's is followed",
    "history": "dates of receipt and update",
    "issue-id": "an identifier of the issue",
    "journal-meta": "the journal's codes and publisher; its title is `journal`",
    "license": "the licence, whose kind is `licence`",
    "permissions": "the licence, whose kind is `licence`",
    "pub-history": "dates of earlier versions",
    "self-uri": "addresses of copies; the PDF's is followed",
    "uri": "addresses of copies",
    "volume-id": "an identifier of the volume",
}
"""Elements beside and in article-meta that are neither text nor metadata, with the reason."""

_READ: Final = frozenset(
    {"abstract", "article-categories", "article-id", "article-meta", "author-notes", "contrib-group",
     "custom-meta-group", "elocation-id", "fpage", "funding-group", "issue", "kwd-group", "lpage",
     "page-range", "product", "pub-date", "related-article", "related-object", "support-group", "title-group",
     "trans-abstract", "volume", "volume-issue-group"}
)  # fmt: skip
_STATED: Final = frozenset({"ack", "bio", "def-list", "fn-group", "glossary", "list", "notes"})
"""Elements beside article-meta that are sections of the text."""

_OF_ISSUE: Final = frozenset({"issue", "volume"})
_BETWEEN_KEYWORDS: Final = (re.compile(r"\s*[;|•]\s*"), re.compile(r"\s*,\s+"))
_NAMED_ELSEWHERE: Final = frozenset({"citation", "data availability"})
"""Headings of PLOS: the citation of the article itself, and what is `data_availability`."""

_MACHINE_NAMES: Final = ("pmc-", "pmc_")


def other_metadata(meta: etree._Element) -> dict[str, Any]:
    """`products` (reviewed works as citations), `conferences`, `custom_meta` and `other_front_matter`."""
    others: dict[str, list[str]] = {}
    for part in _others(meta):
        others.setdefault(local_name(part), []).append(_in_words(part))
    return {
        "products": [citation_text(product) for product in meta.iterchildren("{*}product")],
        "conferences": others.pop("conference", []),
        "custom_meta": _custom(meta),
        "other_front_matter": others,
    }


def _others(meta: etree._Element) -> Iterator[etree._Element]:
    """The parts that no other reader of the front matter reads."""
    for part in meta.iterchildren("{*}*"):
        if local_name(part) not in _READ | FRONT_LEFT_OUT.keys() | _STATED:
            yield part
    for group in meta.iterchildren("{*}article-categories"):
        yield from (part for part in group.iterchildren("{*}*") if local_name(part) != "subj-group")
    for group in meta.iterchildren("{*}support-group"):
        yield from (part for part in group.iterchildren("{*}*") if local_name(part) != "funding-group")
    for group in meta.iterchildren("{*}volume-issue-group"):
        yield from (part for part in group.iterchildren("{*}*") if local_name(part) not in _OF_ISSUE)
    for group in meta.iterchildren("{*}contrib-group"):
        yield from group.iter("{*}author-comment")


def _in_words(part: etree._Element) -> str:
    """The words of a part; what holds only parts has commas between them: 'KiteConf, 5 May'."""
    words = (part.text, *(child.tail for child in part))
    if len(part) < 2 or any(text and text.strip() for text in words):
        return parts_text(part)
    return ", ".join(filter(None, map(parts_text, part)))


def _custom(meta: etree._Element) -> dict[str, list[str]]:
    """What a publisher states under its own headings; without PMC's notes on how it processed the article."""
    stated: dict[str, list[str]] = {}
    for custom in meta.iterfind("{*}custom-meta-group/{*}custom-meta"):
        parts = {local_name(part): parts_text(part) for part in custom}
        name, value = parts.get("meta-name", ""), parts.get("meta-value", "")
        if name.casefold() not in _NAMED_ELSEWHERE and not name.casefold().startswith(_MACHINE_NAMES):
            stated.setdefault(name or "other", []).append(value)
    return stated


def funding_metadata(meta: etree._Element) -> dict[str, Any]:
    """`funding`, the statements or else the awards, and `awards`: who funds by which, 'NIH R01 HL1'."""
    groups = [*meta.iterchildren("{*}funding-group"), *meta.iterfind("{*}support-group/{*}funding-group")]
    parts = [part for group in groups for part in group.iterchildren("{*}*")]
    awards = [parts_text(part) for part in parts if local_name(part) == "award-group"]
    awards = list(dict.fromkeys(filter(None, awards)))
    statements = [one_line(inline_text(part)) for part in parts if local_name(part) != "award-group"]
    return {"funding": " ".join(filter(None, statements)) or "; ".join(awards), "awards": awards}


def keywords_of(meta: etree._Element) -> list[str]:
    """Keywords, those of compound and nested ones too; those in one run of text are divided at its signs."""
    words: list[str] = []
    for group in meta.iterchildren("{*}kwd-group"):
        for word in group.iter("{*}kwd", "{*}compound-kwd"):
            words.append(one_line(node_text(word)))
        for run in group.iter("{*}unstructured-kwd-group"):
            words += _divided(one_line(inline_text(run)))
    return list(dict.fromkeys(filter(None, words)))


def _divided(run: str) -> list[str]:
    """The keywords of a run of text: between semicolons, else between commas."""
    pattern = next((sign for sign in _BETWEEN_KEYWORDS if sign.search(run)), None)
    return pattern.split(run) if pattern is not None else [run]


def subjects_of(meta: etree._Element) -> list[str]:
    """Subjects of an article, sorted, each once; a compound one with its parts in a row."""
    subjects = meta.iterfind("{*}article-categories//{*}subject")
    compounds = meta.iterfind("{*}article-categories//{*}compound-subject")
    return sorted({one_line(inline_text(part)) for part in subjects} | set(map(parts_text, compounds)))
