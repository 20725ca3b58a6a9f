"""JATS and NLM articles (PMC, PLOS): front matter, nested sections, tables, captions, lists, boxes.

Comes in: one article per file, or a set of PMC (efetch of db=pmc, or its OAI service), whose articles are
found without parsing it as a whole. Leaves: a Document whose text is what a reader reads, in order, then
what is not indexed: subjects, keywords, funders, related articles, and the reference list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

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
from orchestration.parsing.jats.articles import add_article
from orchestration.parsing.jats.front import article_id, article_metadata, article_revision
from orchestration.parsing.jats.prolog import with_declarations
from orchestration.parsing.jats.publication import publication_record
from orchestration.parsing.jats.rights import article_pdf_links
from orchestration.parsing.marking import Marks
from orchestration.parsing.publication_record import add_publication_record
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.sets import SetTags, article_pieces, check_prolog
from orchestration.parsing.xml.trees import parse_until, parse_xml, root_name
from orchestration.records import Document, RawPayload, content_version

_TAGS = SetTags(("article",), ("pmc-articleset", "OAI-PMH"), refusals=("error",))
_OAI_SIGNS = re.compile(r"<(?:article|error)[\s>]")
_JATS_SIGNS = re.compile(r"JATS|//NLM//|<(?:\w+:)?(?:front|article-meta|journal-meta)\b|article-type=")


class JatsParser:
    """Articles in any version of JATS or the NLM DTDs before it."""

    format = "jats"
    version = "10"
    source = "pmc"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by its root element and a JATS-specific element; DocBook has <article> too."""
        root = root_name(head)
        if root == "OAI-PMH":
            return 95 if _OAI_SIGNS.search(decode_head(head) or "") else 0
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
        root = parse_xml(with_declarations(payload.content), payload.uri)
        marks = Marks()
        builder = DocumentBuilder(marks)
        try:
            add_article(builder, root)
            metadata = article_metadata(root)
            add_publication_record(builder, marks, publication_record(root, metadata))
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
        return article_pdf_links(parse_xml(with_declarations(payload.content), payload.uri))


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
        meta = parse_until(with_declarations(content), place, "article-meta")
        doc_id = article_id(meta)
        if doc_id is None:
            raise MissingIdentifierError(
                f"{place}: the article has no PMC id, pmid or DOI, so it cannot be cited or updated. Add "
                "an <article-id> to its <article-meta>."
            )
    except MedkgError as error:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    version = content_version(content)
    return RecordLocation(doc_id, stretch.start, stretch.length, version, revision=article_revision(meta))
