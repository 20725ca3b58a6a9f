"""PubMed XML: a PubmedArticleSet as in E-utilities and the baseline files, or one PubmedArticle.

Comes in: a set in UTF-8. Leaves: one record per article with its bytes in the file, found without parsing
the set as a whole, so that one broken article does not take the others with it; the records that the set
announces as deleted; and a Document of title and abstracts, then of what is not indexed: publication types,
MeSH headings, substances, related articles (retractions, corrections) and cited papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from orchestration.contracts import RecordLocation
from orchestration.errors import (
    MalformedDocumentError,
    MedkgError,
    MissingIdentifierError,
)
from orchestration.parsing.byte_stream import CHUNK_BYTES, Stretch, too_large
from orchestration.parsing.languages import ENGLISH, language_tag
from orchestration.parsing.marking import Marks
from orchestration.parsing.publication_record import add_publication_record
from orchestration.parsing.pubmed.metadata import pubmed_metadata
from orchestration.parsing.pubmed.publication import publication_record
from orchestration.parsing.pubmed.revisions import pubmed_revision
from orchestration.parsing.pubmed.text import Titles, add_abstracts, titles_of
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.sets import SetTags, article_pieces, check_prolog
from orchestration.parsing.xml.trees import local_name, parse_xml, root_name
from orchestration.records import Document, RawPayload, content_version

_TAGS = SetTags(
    ("PubmedArticle", "PubmedBookArticle"),
    ("PubmedArticleSet", "PubmedBookArticleSet"),
    refusals=("DeleteCitation", "DeleteDocument"),
)
_ROOTS = frozenset({*_TAGS.articles, *_TAGS.sets})
_PMID = re.compile(rb"<PMID\b[^<>]*>\s*(\d+)\s*</PMID>")
_DELETION = re.compile(rb"<Delete(?:Citation|Document)\b")
# A slice of a set has no DOCTYPE; with one, named characters are not errors but read by entity_text.
_DOCTYPE = b'<!DOCTYPE PubmedArticle SYSTEM "pubmed.dtd">'


class PubmedXmlParser:
    """Parser of articles and book chapters of PubMed."""

    format = "pubmed-xml"
    version = "7"
    source = "pubmed"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by its root element."""
        return 95 if root_name(head) in _ROOTS else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield every article of the set; streams."""
        head = stream.read(CHUNK_BYTES)
        try:
            check_prolog(head, uri)
            _check_root(head, uri)
        except MedkgError as error:
            yield RecordLocation(None, 0, len(head), None, error)
            return
        pieces = article_pieces(head, stream, max_record_bytes, _TAGS)
        for number, (stretch, problem) in enumerate(pieces, start=1):
            place = f"{uri}, article {number} (byte {stretch.start:,})"
            if stretch.content is not None and _DELETION.match(stretch.content):
                yield from _deletions(stretch, problem, place, uri)
            else:
                yield _located(stretch, problem, place, uri, max_record_bytes)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Parse title and abstract; raises MalformedDocumentError, UnsafeXmlError or EmptyDocumentError."""
        content = payload.content
        if not content.lstrip().startswith((b"<?xml", b"<!DOCTYPE", b"\xef\xbb\xbf")):
            content = _DOCTYPE + content
        root = parse_xml(content, payload.uri)
        article = root if local_name(root).endswith("Article") else next(iter(root), root)
        marks = Marks()
        builder = DocumentBuilder(marks)
        titles = titles_of(article)
        builder.title(titles.title)
        add_abstracts(builder, article)
        metadata = pubmed_metadata(article, payload.doc_id, titles)
        record = publication_record(article, metadata)
        add_publication_record(builder, marks, record)
        _add_references(builder, article)
        return builder.build(
            payload, tenant_id, self, metadata=metadata, language=_language(metadata, titles)
        )


def _check_root(head: bytes, uri: str) -> None:
    """Raise for an error or web page that a service returned: it has no article, but is no empty set."""
    root = root_name(head)
    if root not in _ROOTS:
        what = f"its root element is <{root}>" if root else "it does not begin as XML does"
        raise MalformedDocumentError(
            f"{uri}: no set of PubMed articles: {what}. See what the service answered, and fetch it again."
        )


def _deletions(stretch: Stretch, problem: str, place: str, uri: str) -> Iterator[RecordLocation]:
    """The records that NLM announces to have deleted, each at its PMID; an error if the list is cut off."""
    content = stretch.content or b""
    for pmid in _PMID.finditer(content):
        yield RecordLocation(
            pmid.group(1).decode(),
            stretch.start + pmid.start(),
            pmid.end() - pmid.start(),
            revision=pubmed_revision(pmid.group(), uri),
            deleted=True,
        )
    if problem:
        error = MalformedDocumentError(f"{place}: {problem}")
        yield RecordLocation(None, stretch.start, stretch.length, None, error)


def _located(stretch: Stretch, problem: str, place: str, uri: str, limit: int) -> RecordLocation:
    if stretch.content is None:
        return too_large(stretch, place, limit)
    pmid = _PMID.search(stretch.content)
    error: MedkgError | None = None
    if problem:
        error = MalformedDocumentError(f"{place}: {problem}")
    elif pmid is None:
        error = MissingIdentifierError(
            f"{place}: the article has no PMID, so it cannot be cited or updated. Fetch it again."
        )
    if error is not None or pmid is None:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    version = content_version(stretch.content)
    return RecordLocation(
        pmid.group(1).decode(),
        stretch.start,
        stretch.length,
        version,
        revision=pubmed_revision(stretch.content, uri),
    )


def _language(metadata: dict[str, Any], titles: Titles) -> str:
    """The language of the text: English, unless neither title nor abstract is."""
    abstracts = metadata["abstract_languages"]
    if any(language.lower() in ENGLISH for language in abstracts) or not (abstracts or titles.is_vernacular):
        return "en"
    if not titles.is_vernacular and titles.title:
        return "en"
    return language_tag((abstracts or metadata["languages"] or ["eng"])[0])


def _add_references(builder: DocumentBuilder, article: etree._Element) -> None:
    for reference in article.iter("{*}Reference"):
        citation = reference.find("{*}Citation")
        ids = {_id.get("IdType"): inline_text(_id) for _id in reference.iter("{*}ArticleId")}
        builder.reference(
            inline_text(citation) if citation is not None else "",
            pmid=ids.get("pubmed"),
            doi=ids.get("doi"),
        )
