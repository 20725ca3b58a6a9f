"""JATS and NLM articles (PMC, PLOS): front matter, nested sections, tables, captions, lists, boxes.

Comes in: one article a file, or a set of them as E-utilities send it. Leaves: a Document whose text is what a
reader reads, in order; the reference list goes to Document.references and never into the text. Articles
inside the article (translations, reviews, replies) and abstracts in other languages are other works and are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from lxml import etree

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError, MedkgError, MissingIdentifierError
from orchestration.parsing.byte_stream import CHUNK_BYTES, Stretch, too_large, whole_file
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.jats_body import add_blocks, add_section
from orchestration.parsing.jats_front import article_id, article_metadata, front_text
from orchestration.parsing.jats_references import add_references
from orchestration.parsing.pubmed_set import PMC, article_pieces
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml import parse_until, parse_xml, root_name
from orchestration.parsing.xml_inline import inline_text
from orchestration.records import Document, RawPayload, content_version

HEAD_BYTES: Final = 1 << 16
_SET: Final = "pmc-articleset"
_JATS_SIGNS = re.compile(r"JATS|//NLM//|<(?:\w+:)?(?:front|article-meta|journal-meta)\b|article-type=")


class JatsParser:
    """Articles in any version of JATS or the NLM DTDs before it."""

    format = "jats"
    version = "2"
    source = "pmc"

    def recognises(self, head: bytes, name: str) -> int:
        """By the root element and a sign of JATS; DocBook has <article> too."""
        root = root_name(head)
        if root != "article":
            return 95 if root == _SET else 0
        return 95 if _JATS_SIGNS.search(decode_head(head) or "") else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """The one article of the file, or each of a set; only the front matter is parsed."""
        head = stream.read(CHUNK_BYTES)
        if root_name(head[:HEAD_BYTES]) != _SET:
            stretch = whole_file(stream, max_record_bytes, head)
            yield _located(stretch, "", uri, max_record_bytes)
            return
        for number, (stretch, problem) in enumerate(
            article_pieces(head, stream, max_record_bytes, PMC), start=1
        ):
            yield _located(
                stretch, problem, f"{uri}, article {number} (byte {stretch.start:,})", max_record_bytes
            )

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """The article; raises MalformedDocumentError, UnsafeXmlError or EmptyDocumentError."""
        root = parse_xml(payload.content, payload.uri)
        builder = DocumentBuilder()
        try:
            _add_article(builder, root)
            metadata = article_metadata(root)
        except RecursionError as error:
            raise MalformedDocumentError(
                f"{payload.uri}: elements are nested too deeply to be an article. Fetch the file again."
            ) from error
        language = root.get("{http://www.w3.org/XML/1998/namespace}lang", "en").lower() or "en"
        return builder.build(payload, tenant_id, self, metadata=metadata, language=one_line(language))


def _located(stretch: Stretch, problem: str, place: str, limit: int) -> RecordLocation:
    """Where an article is, its id told by its front matter."""
    if stretch.content is None:
        return too_large(stretch, place, limit)
    try:
        if problem:
            raise MalformedDocumentError(f"{place}: {problem}")
        doc_id = article_id(parse_until(stretch.content, place, "article-meta"))
        if doc_id is None:
            raise MissingIdentifierError(
                f"{place}: the article has no PMC id, pmid or DOI, so it cannot be cited or updated. Add "
                "an <article-id> to its <article-meta>."
            )
    except MedkgError as error:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    return RecordLocation(doc_id, stretch.start, stretch.length, content_version(stretch.content))


def _add_article(builder: DocumentBuilder, root: etree._Element) -> None:
    builder.title(front_text(root, "title-group/article-title"))
    for abstract in root.findall("{*}front/{*}article-meta/{*}abstract"):
        _add_abstract(builder, abstract)
    for body in root.findall("{*}body"):
        add_blocks(builder, body)
    for back in root.findall("{*}back"):
        add_blocks(builder, back)
    for floats in root.findall("{*}floats-group") + root.findall("{*}floats-wrap"):
        with builder.section("Figures and tables"):
            add_blocks(builder, floats)
    add_references(builder, root)


def _add_abstract(builder: DocumentBuilder, abstract: etree._Element) -> None:
    title = abstract.find("{*}title")
    heading = inline_text(title) if title is not None else ""
    if not one_line(heading):
        heading = "Summary" if abstract.get("abstract-type") in ("toc", "teaser") else "Abstract"
    add_section(builder, abstract, heading, role="abstract")
