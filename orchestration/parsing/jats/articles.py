"""The text of a JATS article in reading order: title, abstracts, body, back matter, articles inside it.

Comes in: the article. Leaves: its sections and references appended to the document. Abstracts in other
languages and sub-articles (translations, reviews, replies) are sections; which language they are in is
metadata.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from orchestration.parsing.jats.blocks import BlockReader
from orchestration.parsing.jats.body import body_reader
from orchestration.parsing.jats.front import inner_metas
from orchestration.parsing.jats.languages import language_of
from orchestration.parsing.jats.references import add_references
from orchestration.parsing.jats.titles import article_title, inner_headings
from orchestration.parsing.languages import language_name
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.parsing.xml.inline import child_text
from orchestration.parsing.xml.trees import local_name
from orchestration.records import BlockKind

_FRONT_NOTES = ("ack", "bio", "def-list", "fn-group", "glossary", "list", "notes")


def add_article(builder: DocumentBuilder, root: etree._Element) -> None:
    """Append title, text and references of an article."""
    reader = body_reader(builder)
    builder.title(article_title(root))
    for front in root.findall("{*}front"):
        for meta in front.findall("{*}article-meta"):
            _add_front(reader, meta)
        _add_front_notes(reader, front)
    headings = inner_headings(root)
    _add_text(reader, root, headings)
    add_references(builder, root, headings)


def _add_front(reader: BlockReader, meta: etree._Element) -> None:
    """Append the footnotes of the title, and the abstracts."""
    for group in meta.iterchildren("{*}title-group"):
        for note in group.iter("{*}fn"):
            reader.readers["fn"](reader, note, BlockKind.PARAGRAPH)
    for abstract in meta.iterchildren("{*}abstract", "{*}trans-abstract"):
        reader.section(abstract, heading=_abstract_heading(abstract), role="abstract")
    for people in meta.iterchildren("{*}contrib-group"):
        for bio in people.iter("{*}bio"):
            reader.readers["bio"](reader, bio, BlockKind.PARAGRAPH)


def _add_front_notes(reader: BlockReader, front: etree._Element) -> None:
    """Append what stands beside the metadata: notes, a list of abbreviations, thanks."""
    for part in front:
        if local_name(part) in _FRONT_NOTES:
            reader.readers[local_name(part)](reader, part, BlockKind.PARAGRAPH)


def _abstract_heading(abstract: etree._Element) -> str:
    """The heading of an abstract, as printed or as usual: 'Abstract', 'Summary', 'Abstract (French)'."""
    if child_text(abstract, "title"):
        return ""
    heading = "Summary" if abstract.get("abstract-type") in ("toc", "teaser") else "Abstract"
    language = language_of(abstract).split("-")[0]
    if not language or (local_name(abstract) == "abstract" and language == _language_around(abstract)):
        return heading
    return f"{heading} ({language_name(language)})"


def _language_around(abstract: etree._Element) -> str:
    """The language of the article that an abstract belongs to, without its region."""
    articles = abstract.iterancestors("{*}sub-article", "{*}response", "{*}article")
    return next(filter(None, map(language_of, articles)), "en").split("-")[0]


def _add_text(reader: BlockReader, article: etree._Element, headings: Mapping[etree._Element, str]) -> None:
    """Append body, back matter and floating parts, then the articles inside."""
    for body in article.findall("{*}body"):
        reader.section(body)
    for back in article.findall("{*}back"):
        reader.section(back)
    for floats in article.findall("{*}floats-group") + article.findall("{*}floats-wrap"):
        with reader.builder.section("Figures and tables"):
            reader.contents(floats)
    for inner in article.iterchildren("{*}sub-article", "{*}response"):
        with reader.builder.section(headings[inner]):
            for meta in inner_metas(inner):
                _add_front(reader, meta)
            for front in inner.findall("{*}front"):
                _add_front_notes(reader, front)
            _add_text(reader, inner, headings)
