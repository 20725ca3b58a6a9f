"""The reference lists of a JATS article, kept apart from its text.

Comes in: the article. Leaves: one Reference per entry, in order, wherever the lists are in the article and in
the articles inside it, with the cited pmid and DOI for citation graphs. Of a citation that is given twice, as
a sentence and in parts, the sentence is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from lxml import etree

from orchestration.parsing.jats.front import plain_doi
from orchestration.parsing.jats.people import group_name, person_name
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.inline import InlineText, child_text, inline_text
from orchestration.parsing.xml.trees import local_name

_SENTENCES = ("mixed-citation", "citation")
_PEOPLE = frozenset(
    {"person-group", "name", "collab", "string-name", "name-alternatives", "collab-alternatives"}
)
_SCRIPTS = frozenset({"sub", "sup", "italic", "bold", "sc", "underline", "styled-content", "xref"})
_LEAVES = frozenset(
    {"article-title", "fpage", "given-names", "lpage", "pub-id", "source", "surname", "volume", "year"}
)
_NAMED = frozenset({"name", "person-group", "string-name"})
_SAME_SHARE = 0.6
_SENTENCE_SIGN = re.compile(r"[\w.,;:]")
_WORD = re.compile(r"\w+")
_ADDRESS = "{http://www.w3.org/1999/xlink}href"
_DOI_ADDRESS = re.compile(r"//(?:dx\.)?doi\.org/(10\.\d{4,9}/\S+)", re.IGNORECASE)
_DOI_WORDS = re.compile(r"\bdoi\b[:\s]*(10\.\d{4,9}/\S+)", re.IGNORECASE)
_PMID_ADDRESS = re.compile(r"//(?:www\.ncbi\.nlm\.nih\.gov/pubmed|pubmed\.ncbi\.nlm\.nih\.gov)/(\d+)\b")
_PMID_WORDS = re.compile(r"\bPMID:?\s*(\d+)\b")


def add_references(builder: DocumentBuilder, root: etree._Element) -> None:
    """Append every entry of every list; what an article inside repeats (a translation) comes once."""
    entries: set[tuple[str, str]] = set()
    for entry in root.iter("{*}ref"):
        label, text = child_text(entry, "label"), _entry_text(entry)
        if (label, text) in entries and _is_inside(entry):
            continue
        entries.add((label, text))
        pmid, doi = _identifiers(entry, text)
        builder.reference(text or label, label=label if text else "", pmid=pmid, doi=doi)


def _is_inside(entry: etree._Element) -> bool:
    return any(local_name(above) in ("sub-article", "response") for above in entry.iterancestors())


def _identifiers(entry: etree._Element, text: str) -> tuple[str | None, str | None]:
    """The cited pmid and DOI: of elements for them, else of addresses of links, else of the words."""
    stated: dict[str, str] = {}
    for identifier in entry.iter("{*}pub-id", "{*}object-id"):
        value = one_line(inline_text(identifier))
        if value:
            stated.setdefault(identifier.get("pub-id-type", ""), value)
    addresses = [unquote(link.get(_ADDRESS, "")) for link in entry.iter("{*}ext-link", "{*}uri")]
    pmid = stated.get("pmid") or _first_match(_PMID_ADDRESS, addresses) or _first_match(_PMID_WORDS, [text])
    doi = stated.get("doi") or _first_match(_DOI_ADDRESS, addresses) or _first_match(_DOI_WORDS, [text])
    return pmid, plain_doi(doi) if doi else None


def _first_match(pattern: re.Pattern[str], texts: Iterable[str]) -> str | None:
    matches = filter(None, map(pattern.search, texts))
    return next((match.group(1).rstrip(".,;") for match in matches), None)


def _entry_text(entry: etree._Element) -> str:
    """All that an entry holds, several citations and notes one after the other."""
    parts = [child for child in entry if local_name(child) not in ("", "label")]
    texts: list[str] = [one_line(entry.text or "")]
    for part in _without_repeats(parts):
        texts += [_citation_text(part), one_line(part.tail or "")]
    joined = ""
    for text in filter(None, texts):
        blank = " " if not joined or joined.endswith((".", ";", ",", ":", "?", "!", ")")) else "; "
        joined = f"{joined}{blank}{text}".strip()
    return joined


def _without_repeats(parts: Sequence[etree._Element]) -> list[etree._Element]:
    """The parts but for structured citations that say what a sentence beside them says."""
    spread = [form for part in parts for form in _forms(part)]
    if len(spread) < 2:
        return spread
    sentences = [part for part in spread if local_name(part) in _SENTENCES]
    said = [_words(part) for part in sentences]
    return [part for part in spread if part in sentences or not _is_said(part, said)]


def _forms(part: etree._Element) -> list[etree._Element]:
    """The part itself; of alternatives a sentence, else the first."""
    if local_name(part) not in ("citation-alternatives", "alternatives"):
        return [part]
    forms = [form for form in part if local_name(form)]
    return ([form for form in forms if local_name(form) in _SENTENCES] or forms)[:1]


def _words(part: etree._Element) -> set[str]:
    return set(_WORD.findall(" ".join(map(str, part.itertext())).casefold()))


def _is_said(part: etree._Element, sentences: Sequence[set[str]]) -> bool:
    words = _words(part)
    if local_name(part) not in ("element-citation", "nlm-citation") or not words:
        return False
    return any(len(words & said) >= _SAME_SHARE * len(words) for said in sentences)


def _citation_text(citation: etree._Element) -> str:
    """A sentence as it stands; the parts of a structured citation separated by full stops."""
    if local_name(citation) in ("note", "p"):
        return one_line(inline_text(citation))
    if not len(citation) or any(_is_in_sentence(child) for child in citation):
        return one_line(_sentence(citation))
    return structured_citation(citation)


def _is_in_sentence(child: etree._Element) -> bool:
    """Whether a part of a citation has words or punctuation after it, or is a character."""
    return not local_name(child) or _SENTENCE_SIGN.search(child.tail or "") is not None


def _sentence(element: etree._Element) -> str:
    line = InlineText()
    _add_sentence(line, element)
    return line.text()


def _add_sentence(line: InlineText, element: etree._Element) -> None:
    """Append the words of a mixed citation; parts with nothing between them are set apart."""
    line.add_text(element.text)
    for child in element:
        name = local_name(child)
        if line.last_character().isalnum() and name not in _SCRIPTS and _first_character(child).isalnum():
            line.add_text(" ")
        if not len(child) and name in _LEAVES:
            line.add_text(child.text)
        elif name in _NAMED and len(child):
            _add_sentence(line, child)
        else:
            line.add(child)
        line.add_text(child.tail)


def _first_character(element: etree._Element) -> str:
    while not element.text and len(element):
        element = element[0]
    return (element.text or "")[:1]


def structured_citation(citation: etree._Element) -> str:
    """'Lee K, Roe J. On bridles. Kite J. 2001;3(1):1-5.'"""
    parts = [(citation.text or "").strip()]
    kind = ""
    for child in citation:
        name = local_name(child)
        if name == "object-id" or (name == "pub-id" and _is_kept_apart(child)):
            continue
        text = (_people(child) if name in _PEOPLE else inline_text(child)).strip()
        if not text:
            continue
        before, kind = kind, "place" if name in _PLACES else name
        if kind == before == "place":
            parts[-1] = _with_place(parts[-1], name, text)
        elif kind == before and name in _NAMED:
            parts[-1] = f"{parts[-1]}, {text}"
        else:
            parts.append(text)
    text = ""
    for part in filter(None, parts):
        text += f"{'' if not text else ' ' if text.endswith(('.', '?', '!')) else '. '}{part}"
    return text


_PLACES = {
    "year": ";",
    "month": " ",
    "day": " ",
    "season": " ",
    "volume": ";",
    "issue": "(",
    "supplement": " ",
    "fpage": ":",
    "lpage": "-",
    "page-range": ":",
    "elocation-id": ":",
}


def _with_place(place: str, name: str, text: str) -> str:
    """Year, volume, issue and pages in one group: 2001;3(1):1-5."""
    return f"{place}({text})" if name == "issue" else f"{place}{_PLACES[name]}{text}"


def _is_kept_apart(identifier: etree._Element) -> bool:
    return identifier.get("pub-id-type") in ("pmid", "doi")


def _people(element: etree._Element) -> str:
    """The people of a citation, 'Lee K, Roe J, et al'; words between them stay."""
    name = local_name(element)
    if name == "name":
        return person_name(element)
    if name == "collab":
        return group_name(element)
    if name == "string-name" or any(child.tail and _WORD.search(child.tail) for child in element):
        return _sentence(element)
    if name.endswith("-alternatives"):
        return _people(element[0]) if len(element) else ""
    people = [element.text or ""]
    people += [
        _people(child) if name in _PEOPLE else inline_text(child) or "et al"
        for child in element
        if (name := local_name(child))
    ]
    return ", ".join(filter(None, map(str.strip, people)))
