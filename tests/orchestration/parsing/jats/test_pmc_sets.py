"""Finding the articles of a set as efetch gives it for PMC."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, a_pmc_set, an_article
from medkg.testing.document_checks import indexed_part
from orchestration.contracts import RecordLocation
from orchestration.errors import (
    DocumentTooLargeError,
    MalformedDocumentError,
    MissingIdentifierError,
    RecordWithheldError,
    UnsafeXmlError,
)
from orchestration.parsing import byte_stream
from orchestration.parsing.jats import JatsParser, parser


def an_article_of(number: int, body: str = "<p>We walked.</p>") -> bytes:
    return an_article(body, ids=f'<article-id pub-id-type="pmcid">PMC{number}</article-id>')


SET = a_pmc_set(an_article_of(1), an_article_of(2), an_article_of(3))


def locate(content: bytes, limit: int = 10**6) -> list[RecordLocation]:
    return list(JatsParser().records(io.BytesIO(content), "set.xml", limit))


def cut_out(content: bytes, location: RecordLocation) -> bytes:
    return content[location.start : location.start + location.length]


@pytest.mark.parametrize("piece", [64, 1000, 1 << 18])
def test_each_article_is_found_with_its_bytes(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "CHUNK_BYTES", piece)
    monkeypatch.setattr(parser, "CHUNK_BYTES", max(piece, 200))
    locations = locate(SET)
    assert [location.doc_id for location in locations] == ["PMC1", "PMC2", "PMC3"]
    for location in locations:
        article = cut_out(SET, location)
        assert article.startswith(b"<article ")
        assert article.endswith(b"</article>")


def test_articles_inside_an_article_do_not_end_it() -> None:
    reply = '<p>a</p></body><sub-article article-type="reply"><body><p>b</p></body></sub-article><body>'
    locations = locate(a_pmc_set(an_article_of(1, reply), an_article_of(2)))
    assert [location.doc_id for location in locations] == ["PMC1", "PMC2"]


@given(end=st.integers(SET.index(b"<article "), len(SET) - len(b"</pmc-articleset>\n") - 1))
def test_a_set_cut_anywhere_gives_the_articles_before_and_an_error_that_names_it(end: int) -> None:
    *good, cut = locate(SET[:end])
    assert good == [location for location in locate(SET) if location.start + location.length <= end]
    assert isinstance(cut.error, MalformedDocumentError)
    assert f"set.xml, article {len(good) + 1}" in cut.error.message
    assert "cut off" in cut.error.message


def test_an_article_that_uses_what_the_set_declares_is_read_alone() -> None:
    declared = b' xmlns:xlink="http://www.w3.org/1999/xlink"'
    article = an_article('<p>&beta; <ext-link xlink:href="https://walks.example">walks</ext-link></p>')
    bare = article.replace(b"\n" + declared, b"").replace(declared, b"")
    content = a_pmc_set(bare).replace(b"<pmc-articleset", b"<pmc-articleset" + declared)
    (location,) = locate(content)
    document = JatsParser().parse(a_payload(cut_out(content, location), "jats", doc_id="x"), "default")
    assert indexed_part(document).text.endswith("β walks")


def test_one_article_without_id_or_over_the_limit_fails_alone() -> None:
    nameless = an_article(ids="")
    first, bad, third = locate(a_pmc_set(an_article_of(1), nameless, an_article_of(3)))
    assert (first.doc_id, third.doc_id) == ("PMC1", "PMC3")
    assert isinstance(bad.error, MissingIdentifierError)
    assert "set.xml, article 2" in bad.error.message
    large, small = locate(a_pmc_set(an_article_of(1, f"<p>{'x' * 5000}</p>"), an_article_of(2)), limit=2000)
    assert isinstance(large.error, DocumentTooLargeError)
    assert small.doc_id == "PMC2"


def test_tags_in_comments_cdata_and_instructions_are_no_articles() -> None:
    noise = b"<!-- <article > --><?note <article > ?>"
    content = SET.replace(b"<pmc-articleset>", b"<pmc-articleset>" + noise, 1)
    content = content.replace(b"We walked.", b"<![CDATA[</article>]]>", 1)
    assert [location.doc_id for location in locate(content)] == ["PMC1", "PMC2", "PMC3"]


def test_a_set_with_declared_entities_or_in_another_encoding_is_refused() -> None:
    (entities,) = locate(b'<!DOCTYPE s [<!ENTITY a "b">]>' + SET[SET.index(b"<pmc-articleset") :])
    assert isinstance(entities.error, UnsafeXmlError)
    (latin,) = locate(SET.replace(b'version="1.0"', b'version="1.0" encoding="latin1"', 1))
    assert "xmllint --encode UTF-8" in str(latin.error)


def test_an_empty_set_has_no_articles() -> None:
    assert locate(b"<?xml version='1.0'?><pmc-articleset></pmc-articleset>") == []


REFUSAL = b'<error id="999">The following PMCID is not available: 999</error>'


@pytest.mark.parametrize("piece", [64, 1 << 18])
def test_what_pmc_does_not_give_is_named_and_the_articles_around_it_come(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_stream, "CHUNK_BYTES", piece)
    monkeypatch.setattr(parser, "CHUNK_BYTES", max(piece, 200))
    content = SET.replace(b"</article>\n<article", b"</article>" + REFUSAL + b"<article", 1)
    locations = locate(content)
    assert [location.doc_id for location in locations] == ["PMC1", None, "PMC2", "PMC3"]
    assert isinstance(locations[1].error, RecordWithheldError)
    assert "The following PMCID is not available: 999" in locations[1].error.message
    assert cut_out(content, locations[1]) == REFUSAL


def test_an_error_inside_an_article_is_a_part_of_it() -> None:
    locations = locate(a_pmc_set(an_article_of(1, f"<p>a</p>{REFUSAL.decode()}<p>b</p>"), an_article_of(2)))
    assert [location.doc_id for location in locations] == ["PMC1", "PMC2"]


@pytest.mark.parametrize("refusal", [b"<error>", b"<error/>", b"<error>&x", b"</error>", b"<error><article>"])
def test_a_broken_refusal_is_a_separate_error(refusal: bytes) -> None:
    locations = locate(b"<pmc-articleset>" + refusal + b"</pmc-articleset>")
    assert all(location.error is not None for location in locations)


def test_an_article_whose_publisher_keeps_the_text_back_says_so() -> None:
    whole = an_article_of(1)
    start, end = whole.index(b"<body>"), whole.index(b"</body>") + len(b"</body>")
    for article, has_text in ((whole, True), (whole[:start] + whole[end:], False)):
        document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1"), "default")
        assert document.metadata["has_full_text"] is has_text
