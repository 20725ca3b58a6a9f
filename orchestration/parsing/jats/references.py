"""The reference lists of a JATS article, kept apart from its text.

Comes in: the article. Leaves: one Reference per entry, in order, wherever the lists are in the article and in
the articles inside it, with the cited pmid and DOI for citation graphs. Of a citation that is given twice, as
a sentence and in parts, the sentence is kept. `citations` writes one citation, `reference_lists` decides
which part of the article a list belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from urllib.parse import unquote

from lxml import etree

from orchestration.parsing.identifiers import doi_in, pmid_in
from orchestration.parsing.jats.citations import citation_text
from orchestration.parsing.jats.front import plain_doi
from orchestration.parsing.jats.reference_lists import ReferenceLists
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.inline import child_text, inline_text
from orchestration.parsing.xml.trees import first_child, local_name

_SENTENCES = ("mixed-citation", "citation")
_SAME_SHARE = 0.6
_WORD = re.compile(r"\w+")
_ADDRESS = "{http://www.w3.org/1999/xlink}href"


def add_references(
    builder: DocumentBuilder, root: etree._Element, headings: Mapping[etree._Element, str]
) -> None:
    """Append every entry of every list, with the part of the article that the list belongs to.

    `headings` are those of the articles inside it.
    What an article inside repeats of the one around it (a translation does) comes once.
    """
    lists = ReferenceLists(headings)
    for entry in root.iter("{*}ref"):
        label, text = _label_and_text(entry)
        part, is_repeated = lists.place(entry, label, text)
        if not is_repeated:
            pmid, doi = _identifiers(entry, text)
            builder.reference(text or label, label=label if text else "", pmid=pmid, doi=doi, part=part)


def _identifiers(entry: etree._Element, text: str) -> tuple[str | None, str | None]:
    """The cited pmid and DOI: of elements for them, else of addresses of links, else of the words."""
    stated: dict[str, str] = {}
    for identifier in entry.iter("{*}pub-id", "{*}object-id"):
        value = one_line(inline_text(identifier))
        if value:
            stated.setdefault(identifier.get("pub-id-type", ""), value)
    addresses = [unquote(link.get(_ADDRESS, "")) for link in entry.iter("{*}ext-link", "{*}uri")]
    pmid = stated.get("pmid") or pmid_in([*addresses, text])
    doi = stated.get("doi") or doi_in([*addresses, text])
    return pmid, plain_doi(doi) if doi else None


def _label_and_text(entry: etree._Element) -> tuple[str, str]:
    """The label of an entry and all else that it holds, several citations and notes one after the other.

    The label of its only citation is that of the entry; those of several ('a', 'b') stay in their text.
    """
    label = child_text(entry, "label")
    parts = [child for child in entry if local_name(child) not in ("", "label")]
    citations = _without_repeats(parts)
    inner = first_child(citations[0], "label") if len(citations) == 1 and not label else None
    if inner is not None:
        label = one_line(inline_text(inner))
        citations = [_without_label(citations[0])]
    texts = [one_line(entry.text or "")]
    texts += [one_line(child.tail or "") for child in entry if local_name(child) in ("", "label")]
    for part in citations:
        texts += [citation_text(part), one_line(part.tail or "")]
    joined = ""
    for text in filter(None, texts):
        blank = " " if not joined or joined.endswith((".", ";", ",", ":", "?", "!", ")")) else "; "
        joined = f"{joined}{blank}{text}".strip()
    return label, joined


def _without_label(citation: etree._Element) -> etree._Element:
    """A copy of a citation without its label."""
    copy = deepcopy(citation)
    label = first_child(copy, "label")
    if label is not None:
        label.tag = "removed"
        etree.strip_elements(copy, "removed", with_tail=False)
    return copy


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
