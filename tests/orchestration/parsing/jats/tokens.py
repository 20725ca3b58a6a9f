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
from itertools import takewhile

from lxml import etree

from medkg.testing.document_checks import indexed_part
from orchestration.parsing.xml.elements import ALTERNATIVES, LEFT_OUT
from orchestration.parsing.xml.trees import local_name, parse_xml
from orchestration.records import Document

TOKEN = re.compile(r"q\d+z")
PEOPLE = ("authors", "investigators", "editors", "translators", "reviewers", "contributors")
_GLUED = re.compile(r"(q\d+z)(?=(q\d+z))")
_NAMES = ("{*}name", "{*}string-name", "{*}collab", "{*}on-behalf-of")
_BESIDE_NAMES = (
    "address",
    "aff",
    "author-comment",
    "degrees",
    "email",
    "ext-link",
    "role",
    "uri",
    "xref",
)
_IN_WORDS = (
    "abbrev", "bold", "email", "ext-link", "fn", "inline-formula", "inline-supplementary-material", "italic",
    "named-content", "odd-inline", "styled-content", "sub", "sup", "target", "xref",
)  # fmt: skip
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
        yield from meta.iterchildren("{*}related-article")
        for group in meta.iterchildren("{*}contrib-group"):
            yield from (name for name in group.iter(*_NAMES) if _is_outermost(name, group))
        yield from meta.iterfind("{*}funding-group/{*}*")
        yield from meta.iterfind("{*}author-notes/{*}fn[@fn-type='conflict']")
    for article in root.iter("{*}article", "{*}sub-article", "{*}response"):
        yield from article.iterchildren("{*}body", "{*}back", "{*}floats-group", "{*}floats-wrap")


def _is_outermost(name: etree._Element, group: etree._Element) -> bool:
    inside = takewhile(lambda above: above is not group, name.iterancestors())
    return not {"collab", "on-behalf-of", "string-name"} & set(map(local_name, inside))


def lost(texts: list[Text], document: Document) -> list[Text]:
    """Texts that are nowhere in the document and not among what is left out."""
    identifiers = [f"{entry.pmid} {entry.doi}" for entry in document.references]
    places = [document.text, _references(document), *_strings(document.metadata), *identifiers]
    present = set(TOKEN.findall(" ".join(places)))
    return [text for text in texts if text.token not in present and not is_left_out(text)]


def repeated(texts: list[Text], document: Document) -> list[Text]:
    """Texts that the document has more than once, but for spanning cells and labels of tables in parts."""
    count = Counter(TOKEN.findall(indexed_part(document).text)) + Counter(
        TOKEN.findall(_references(document))
    )
    return [text for text in texts if count[text.token] > 1 and not _is_repeated_on_purpose(text)]


def repeated_people(document: Document) -> list[str]:
    """Names that stand in two lists of an article, or twice in one."""
    articles = [document.metadata, *document.metadata.get("sub_articles", [])]
    names = (name for article in articles for part in PEOPLE for name in article.get(part, []))
    count = Counter(token for name in names for token in TOKEN.findall(name))
    return [token for token, times in count.items() if times > 1]


def glued(texts: list[Text], document: Document) -> list[tuple[Text, Text]]:
    """Texts of different parts that a reference or a field of the metadata makes one word of."""
    by_token = {text.token: text for text in texts}
    places = [*_strings(document.metadata), *(entry.text for entry in document.references)]
    pairs = (pair.groups() for place in places for pair in _GLUED.finditer(place))
    return [
        (by_token[first], by_token[second])
        for first, second in pairs
        if not _is_one_word(by_token[first], by_token[second])
    ]


def _is_one_word(first: Text, second: Text) -> bool:
    """Whether two texts may stand in one word, unless they are of two parts with nothing between them."""
    chain = [first.element, *first.element.iterancestors()]
    others = [second.element, *second.element.iterancestors()]
    common = next(element for element in chain if element in others)
    children = [part for line in (chain, others) for part in line[: line.index(common)][-1:]]
    words = (common.text, *(child.tail for child in common))
    is_mixed = any(text and not text.isspace() for text in words)
    return is_mixed or len(children) < 2 or any(local_name(child) in _IN_WORDS for child in children)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in _strings(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


def is_left_out(text: Text) -> bool:
    """Whether the guide for documents names the text as left out."""
    if any(name in LEFT_OUT and name != "ref" for name in text.path):
        return True
    if text.inside("contrib-group") and not text.inside("ref") and text.inside(*_BESIDE_NAMES):
        return True
    chain = [text.element, *text.element.iterancestors()]
    if (
        text.inside("collab", "name", "on-behalf-of", "string-name")
        and text.inside("contrib-group")
        and not text.inside("ref")
        and (text.inside("fn", "xref") or _is_in_a_high_mark(text.element))
    ):
        return True
    return any(_is_other_form(element) or _is_other_citation(element) or _is_heading_of_references(element)
               or _is_mark_of_title(element) for element in chain) or (
        text.inside("ref") and any(_is_left_out_of_references(element) for element in chain))  # fmt: skip


def _is_in_a_high_mark(element: etree._Element) -> bool:
    scripts = [above for above in (element, *element.iterancestors()) if local_name(above) == "sup"]
    return any(next(script.iter("{*}xref"), None) is not None for script in scripts)


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
    return local_name(element) == "object-id"


def _is_repeated_on_purpose(text: Text) -> bool:
    labels = [
        above for above in (text.element, *text.element.iterancestors()) if local_name(above) == "label"
    ]
    if labels and local_name(labels[-1].getparent()) == "table-wrap":  # type: ignore[arg-type]
        return True
    return _is_in_a_spanning_cell(text.element)


def _is_in_a_spanning_cell(element: etree._Element) -> bool:
    spans = {"rowspan": "1", "colspan": "1", "morerows": "0", "namest": "", "spanname": ""}
    chain = [element, *element.iterancestors()]
    return any(cell.get(name, usual) != usual for cell in chain for name, usual in spans.items())


def _references(document: Document) -> str:
    return " ".join(f"{entry.label or ''} {entry.text}" for entry in document.references)


def _token(texts: list[Text], element: etree._Element) -> str:
    path = tuple(local_name(above) for above in (element, *element.iterancestors()))
    texts.append(Text(f"q{len(texts) + 1}z", element, path))
    return texts[-1].token
