"""Every text of a JATS article as its own token, so that a test can find each in the parsed document.

Comes in: an article. Leaves: the article with `q1z`, `q2z`, ... in place of its texts, and per token where it
stood. `lost` and `repeated` compare the tokens with a document: what is in neither its text nor its
references nor its metadata must be one of the left-out elements that the guide for documents lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from orchestration.parsing.xml.elements import ALTERNATIVES, LEFT_OUT
from orchestration.parsing.xml.trees import local_name, parse_xml
from orchestration.records import Document

TOKEN = re.compile(r"q\d+z")
_SENTENCES = ("mixed-citation", "citation")


@dataclass(frozen=True)
class Text:
    """One text of an article: its token, the element whose text it is, and the names above it."""

    token: str
    element: etree._Element
    path: tuple[str, ...]

    def inside(self, *names: str) -> bool:
        return any(name in names for name in self.path)


def tokenised(article: bytes) -> tuple[bytes, list[Text]]:
    """The article with tokens for texts, and the texts that a reader must find again."""
    root = parse_xml(article, "article")
    texts: list[Text] = []
    for part in readable_parts(root):
        for element in part.iter("{*}*"):
            if element.text and not element.text.isspace():
                element.text = _token(texts, element)
            if element is not part and element.tail and not element.tail.isspace():
                parent = element.getparent()
                assert parent is not None
                element.tail = _token(texts, parent)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True), texts


def readable_parts(root: etree._Element) -> Iterator[etree._Element]:
    """Titles, abstracts, bodies and back matter, of the article and of those inside it."""
    for group in root.iter("{*}title-group"):
        if local_name(group.getparent()) in ("article-meta", "front-stub"):  # type: ignore[arg-type]
            yield from group.iterchildren("{*}article-title", "{*}subtitle")
    for meta in root.iter("{*}article-meta", "{*}front-stub"):
        yield from meta.iterchildren("{*}abstract", "{*}trans-abstract")
    for article in root.iter("{*}article", "{*}sub-article", "{*}response"):
        yield from article.iterchildren("{*}body", "{*}back", "{*}floats-group", "{*}floats-wrap")


def lost(texts: list[Text], document: Document) -> list[Text]:
    """Texts that are nowhere in the document and not among what is left out."""
    identifiers = [f"{entry.pmid} {entry.doi}" for entry in document.references]
    present = set(TOKEN.findall(" ".join([document.text, _references(document), *identifiers])))
    return [text for text in texts if text.token not in present and not is_left_out(text)]


def repeated(texts: list[Text], document: Document) -> list[Text]:
    """Texts that the document has more than once, but for spanning cells and labels of tables in parts."""
    count = Counter(TOKEN.findall(document.text)) + Counter(TOKEN.findall(_references(document)))
    return [text for text in texts if count[text.token] > 1 and not _is_repeated_on_purpose(text)]


def is_left_out(text: Text) -> bool:
    """Whether the guide for documents names the text as left out."""
    if any(name in LEFT_OUT and name != "ref" for name in text.path):
        return True
    chain = [text.element, *text.element.iterancestors()]
    return any(_is_other_form(element) or _is_other_citation(element) or _is_heading_of_references(element)
               or _is_mark_of_title(element) for element in chain) or (
        text.inside("ref") and any(_is_left_out_of_references(element) for element in chain))  # fmt: skip


def _is_other_form(element: etree._Element) -> bool:
    """Whether another form of the same is read: MathML instead of LaTeX, a table instead of a picture."""
    parent = element.getparent()
    if parent is None:
        return False
    siblings = [local_name(sibling) for sibling in parent]
    if local_name(parent) == "alternatives":
        read = next((name for name in ALTERNATIVES if name in siblings), None)
        return parent.index(element) != (siblings.index(read) if read else 0)
    if local_name(parent) in ("name-alternatives", "collab-alternatives"):
        return parent.index(element) > 0
    return local_name(element) == "tex-math" and "math" in siblings


def _is_other_citation(element: etree._Element) -> bool:
    """Whether a sentence beside a structured citation, or another form of it, is read."""
    parent = element.getparent()
    if parent is None or local_name(parent) not in ("ref", "citation-alternatives"):
        return False
    siblings = [local_name(sibling) for sibling in parent]
    if local_name(parent) == "citation-alternatives":
        read = next((name for name in siblings if name in _SENTENCES), siblings[0])
        return local_name(element) != read or parent.index(element) != siblings.index(read)
    return False


def _is_heading_of_references(element: etree._Element) -> bool:
    parent = element.getparent()
    return (
        parent is not None and local_name(parent) == "ref-list" and local_name(element) in ("label", "title")
    )


def _is_mark_of_title(element: etree._Element) -> bool:
    above = {local_name(ancestor) for ancestor in element.iterancestors()}
    return bool(above & {"article-title", "subtitle"}) and "title-group" in above and (
        local_name(element) == "xref" or local_name(element) == "fn")  # fmt: skip


def _is_left_out_of_references(element: etree._Element) -> bool:
    return local_name(element) in ("object-id", "prefix", "contrib-group", "aff")


def _is_repeated_on_purpose(text: Text) -> bool:
    labels = [
        above for above in (text.element, *text.element.iterancestors()) if local_name(above) == "label"
    ]
    if labels and local_name(labels[-1].getparent()) == "table-wrap":  # type: ignore[arg-type]
        return True
    return _spans_rows(text.element)


def _spans_rows(element: etree._Element) -> bool:
    chain = [element, *element.iterancestors()]
    return any(cell.get("rowspan", "1") != "1" or cell.get("morerows", "0") != "0" for cell in chain)


def _references(document: Document) -> str:
    return " ".join(f"{entry.label or ''} {entry.text}" for entry in document.references)


def _token(texts: list[Text], element: etree._Element) -> str:
    path = tuple(local_name(above) for above in (element, *element.iterancestors()))
    texts.append(Text(f"q{len(texts) + 1}z", element, path))
    return texts[-1].token
