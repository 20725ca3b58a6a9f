"""How an article may begin: prologs, DTDs that declare its prefixes, and wrappers around it."""

from __future__ import annotations

import io

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import indexed_part
from orchestration.errors import RecordWithheldError, UnsafeXmlError
from orchestration.parsing.jats import JatsParser

BODY = '<p>See <ext-link xlink:href="h">x</ext-link>, <mml:math><mml:mi>y</mml:mi></mml:math> &alpha;.</p>'
DTD = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) v1.0//EN" "JATS.dtd"'


def bare_article(number: int = 7) -> str:
    """An article whose prefixes are declared by its DTD alone, without a prolog."""
    article = an_article(
        BODY, doctype="", ids=f'<article-id pub-id-type="pmc">{number}</article-id>'
    ).decode()
    return '<article article-type="research-article">' + article[article.index("<front>") :]


def parsed_text(content: bytes) -> str:
    parser = JatsParser()
    assert parser.recognises(content[: 1 << 16], "x.xml") > 0
    (location,) = parser.records(io.BytesIO(content), "x.xml", 10**6)
    assert (location.doc_id, location.error) == ("PMC7", None)
    return indexed_part(parser.parse(a_payload(content, "jats", doc_id="PMC7", source="pmc"), "default")).text


@pytest.mark.parametrize(
    "prolog",
    [
        "",
        f"{DTD}>",
        f'<?xml version="1.0"?>\n<!-- an > article -->\n<?tool a > b?>{DTD}>\n',
        f'\n  <?xml version="1.0" encoding="UTF-8"?>{DTD}>',
        f'\ufeff<?xml version="1.0"?>{DTD} [<!ATTLIST article xmlns:w CDATA "urn:w"><!ELEMENT w (a)*>]>',
        "<!DOCTYPE article SYSTEM 'a>b.dtd' [ ] >",
    ],
)
def test_prefixes_and_characters_that_the_dtd_declares_are_known(prolog: str) -> None:
    assert parsed_text((prolog + bare_article()).encode()).endswith("See x, y α.")


def test_lines_keep_their_numbers() -> None:
    broken = f'<?xml version="1.0"?>\n{DTD}\n[\n<!ELEMENT w (a)*>\n]>\n<article>\n<front></article>'
    (location,) = JatsParser().records(io.BytesIO(broken.encode()), "x.xml", 10**6)
    assert "line 7" in str(location.error)


def test_declared_entities_are_refused_with_a_repair_that_removes_their_declarations() -> None:
    content = f'{DTD} [<!ENTITY hill "a hill">]>{bare_article()}'.encode()
    (location,) = JatsParser().records(io.BytesIO(content), "x.xml", 10**6)
    assert isinstance(location.error, UnsafeXmlError)
    assert "--dropdtd" in location.error.message


def oai(*parts: str) -> bytes:
    """An answer of PMC's OAI service."""
    records = "".join(
        f"<record><header><identifier>i</identifier></header><metadata>{part}</metadata></record>"
        for part in parts
    )
    return (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
        f'{records}<record><header status="deleted"/></record><resumptionToken>t</resumptionToken>'
        "</ListRecords></OAI-PMH>"
    ).encode()


def test_articles_in_an_answer_of_the_oai_service_are_found() -> None:
    namespace = '<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/" '
    articles = [bare_article(number).replace("<article ", namespace, 1) for number in (8, 9)]
    content = oai(*articles)
    parser = JatsParser()
    assert parser.recognises(content, "x.xml") > 0
    locations = list(parser.records(io.BytesIO(content), "x.xml", 10**6))
    assert [location.doc_id for location in locations] == ["PMC8", "PMC9"]
    for location in locations:
        article = content[location.start : location.start + location.length]
        document = parser.parse(a_payload(article, "jats", doc_id="x", source="pmc"), "default")
        assert indexed_part(document).text.endswith("See x, y α.")


def test_an_answer_without_articles_is_an_error_or_another_format() -> None:
    refusal = b'<OAI-PMH xmlns="x"><error code="idDoesNotExist">No such id</error></OAI-PMH>'
    (location,) = JatsParser().records(io.BytesIO(refusal), "x.xml", 10**6)
    assert isinstance(location.error, RecordWithheldError)
    assert "No such id" in location.error.message
    assert JatsParser().recognises(oai("<oai_dc:dc/>"), "x.xml") == 0


def test_an_article_after_thousands_of_comments_is_found() -> None:
    comments = "<!-- a > b --><?tool c?>\n" * 1_000
    assert parsed_text(f"{comments}{DTD}>{comments}{bare_article()}".encode()).endswith("See x, y α.")
