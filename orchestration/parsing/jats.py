"""JATS and NLM articles (PMC, PLOS): front matter, nested sections, tables, captions, lists, boxes.

Comes in: one article per file, or a set of PMC (efetch of db=pmc), whose articles are found without parsing
it as a whole. Leaves: a Document whose text is what a reader reads, in order; the reference list goes to
Document.references and never into the text. Articles inside the article (translations, reviews, replies) and
abstracts in other languages are other works and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from lxml import etree

from orchestration.contracts import RecordLocation
from orchestration.contracts.downloads import PdfLink
from orchestration.errors import (
    DocumentTooLargeError,
    MalformedDocumentError,
    MedkgError,
    MissingIdentifierError,
    RecordWithheldError,
)
from orchestration.parsing.byte_stream import CHUNK_BYTES, Stretch, too_large, whole_file
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.jats_body import add_blocks, add_section
from orchestration.parsing.jats_front import article_id, article_metadata, front_text
from orchestration.parsing.jats_references import add_references
from orchestration.parsing.jats_rights import article_pdf_links
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml import parse_until, parse_xml, root_name
from orchestration.parsing.xml_inline import inline_text
from orchestration.parsing.xml_set import SetTags, article_pieces, check_prolog
from orchestration.records import Document, RawPayload, content_version

_TAGS = SetTags(("article",), ("pmc-articleset",), refusals=("error",))
# A slice of a set has neither DOCTYPE nor what the set declares. With one, named characters are not errors
# but read by entity_text; the prefixes that every JATS DTD declares are declared here as there.
_DOCTYPE = (
    b'<!DOCTYPE article SYSTEM "JATS.dtd" [<!ATTLIST article'
    b' xmlns:xlink CDATA "http://www.w3.org/1999/xlink"'
    b' xmlns:mml CDATA "http://www.w3.org/1998/Math/MathML"'
    b' xmlns:ali CDATA "http://www.niso.org/schemas/ali/1.0/"'
    b' xmlns:xsi CDATA "http://www.w3.org/2001/XMLSchema-instance">]>'
)
_JATS_SIGNS = re.compile(r"JATS|//NLM//|<(?:\w+:)?(?:front|article-meta|journal-meta)\b|article-type=")


class JatsParser:
    """Articles in any version of JATS or the NLM DTDs before it."""

    format = "jats"
    version = "2"
    source = "pmc"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by its root element and a JATS-specific element; DocBook has <article> too."""
        root = root_name(head)
        if root in _TAGS.sets:
            return 95
        if root != "article":
            return 0
        return 95 if _JATS_SIGNS.search(decode_head(head) or "") else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield the article of the file, or those of the set; only front matter is parsed."""
        head = stream.read(CHUNK_BYTES)
        if root_name(head) in _TAGS.sets:
            yield from _of_set(head, stream, uri, max_record_bytes)
            return
        stretch = whole_file(stream, max_record_bytes, head)
        yield (
            too_large(stretch, uri, max_record_bytes)
            if stretch.content is None
            else _located(stretch.content, stretch, uri)
        )

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """The article; raises MalformedDocumentError, UnsafeXmlError or EmptyDocumentError."""
        root = parse_xml(_standing_alone(payload.content), payload.uri)
        builder = DocumentBuilder()
        try:
            _add_article(builder, root)
            metadata = article_metadata(root)
        except DocumentTooLargeError as error:
            raise DocumentTooLargeError(f"{payload.uri}: {error.message}") from error
        except RecursionError as error:
            raise MalformedDocumentError(
                f"{payload.uri}: elements are nested too deeply to be an article. Fetch the file again."
            ) from error
        language = root.get("{http://www.w3.org/XML/1998/namespace}lang", "en").lower() or "en"
        return builder.build(payload, tenant_id, self, metadata=metadata, language=one_line(language))

    def pdf_links(self, payload: RawPayload) -> Sequence[PdfLink]:
        """The publisher's PDF where the article links to it, and PMC's copy of an open article.

        Raises MalformedDocumentError or UnsafeXmlError for a record that cannot be read.
        """
        return article_pdf_links(parse_xml(_standing_alone(payload.content), payload.uri))


def _standing_alone(content: bytes) -> bytes:
    """The bytes of an article with the prolog of its set."""
    return _DOCTYPE + content if content.startswith(b"<article") else content


def _of_set(head: bytes, stream: BinaryIO, uri: str, limit: int) -> Iterator[RecordLocation]:
    try:
        check_prolog(head, uri)
    except MedkgError as error:
        yield RecordLocation(None, 0, len(head), None, error)
        return
    for number, (stretch, problem) in enumerate(article_pieces(head, stream, limit, _TAGS), start=1):
        place = f"{uri}, article {number} (byte {stretch.start:,})"
        if stretch.content is None:
            yield too_large(stretch, place, limit)
        elif problem:
            broken = MalformedDocumentError(f"{place}: {problem}")
            yield RecordLocation(None, stretch.start, stretch.length, None, broken)
        elif stretch.content.startswith(b"<error"):
            yield RecordLocation(None, stretch.start, stretch.length, None, _withheld(stretch.content, place))
        else:
            yield _located(stretch.content, stretch, place)


def _withheld(refusal: bytes, place: str) -> MedkgError:
    try:
        said = one_line(inline_text(parse_xml(refusal, place)))
    except MedkgError as error:
        return error
    return RecordWithheldError(f"{place}: PMC gives no article here: {said[:200]}. Check the id on its site.")


def _located(content: bytes, stretch: Stretch, place: str) -> RecordLocation:
    try:
        meta = parse_until(_standing_alone(content), place, "article-meta")
        doc_id = article_id(meta)
        if doc_id is None:
            raise MissingIdentifierError(
                f"{place}: the article has no PMC id, pmid or DOI, so it cannot be cited or updated. Add "
                "an <article-id> to its <article-meta>."
            )
    except MedkgError as error:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    return RecordLocation(doc_id, stretch.start, stretch.length, content_version(content))


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
