"""PubMed records, as XML sets and as JSON Lines."""

from __future__ import annotations

import io

import pytest

from orchestration.errors import (
    DocumentTooLargeError,
    MalformedDocumentError,
    MissingIdentifierError,
    UnsafeXmlError,
)
from orchestration.parsing import byte_stream, pubmed_xml
from orchestration.parsing.pubmed_jsonl import PubmedJsonlParser
from orchestration.parsing.pubmed_xml import PubmedXmlParser
from tests.builders import a_payload, a_pubmed_article, a_pubmed_set, an_abstract, json_lines
from tests.conformance.document_checks import assert_sound, sections_of


def locate(content: bytes, limit: int = 10**6) -> list:
    return list(PubmedXmlParser().records(io.BytesIO(content), "set.xml", limit))


def test_labels_become_sections_with_roles() -> None:
    article = a_pubmed_article(
        abstract='<AbstractText Label="AIMS">a</AbstractText><AbstractText Label="X" NlmCategory="RESULTS">b'
        '</AbstractText><AbstractText Label="UNLABELLED">c</AbstractText>'
    )
    document = PubmedXmlParser().parse(a_payload(article, "pubmed-xml", doc_id="1"), "default")
    assert_sound(document)
    found = [(section.title, section.role) for section in sections_of(document)]
    assert found == [("", None), ("AIMS", "introduction"), ("X", "results"), ("", None)]


@pytest.mark.parametrize("piece", [7, 64, 1 << 18])
def test_one_broken_article_does_not_take_the_others_with_it(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_stream, "CHUNK_BYTES", piece)
    monkeypatch.setattr(pubmed_xml, "CHUNK_BYTES", max(piece, 64))
    broken = a_pubmed_article("2")[:-40]
    found = locate(a_pubmed_set(a_pubmed_article("1"), broken, a_pubmed_article("3")))
    assert [location.doc_id for location in found] == ["1", None, "3"]
    assert isinstance(found[1].error, MalformedDocumentError)


def test_a_set_cut_off_between_articles_is_reported() -> None:
    *good, cut = locate(a_pubmed_set(a_pubmed_article("1")).removesuffix(b"</PubmedArticleSet>\n"))
    assert [location.doc_id for location in good] == ["1"]
    assert "articles may be missing" in str(cut.error)


def test_tags_in_comments_and_cdata_are_not_articles() -> None:
    commented = b"<!-- " + a_pubmed_article("9") + b" -->"
    article = a_pubmed_article("1", title="<![CDATA[</PubmedArticle>]]>")
    assert [location.doc_id for location in locate(a_pubmed_set(commented, article))] == ["1"]


def test_an_article_over_the_limit_fails_alone() -> None:
    found = locate(a_pubmed_set(a_pubmed_article("1", title="x" * 5000), a_pubmed_article("2")), limit=2000)
    assert isinstance(found[0].error, DocumentTooLargeError)
    assert found[1].doc_id == "2"


def test_an_article_without_a_pmid_is_refused() -> None:
    (location,) = locate(a_pubmed_set(a_pubmed_article(None)))
    assert isinstance(location.error, MissingIdentifierError)


def test_a_set_with_declared_entities_is_refused() -> None:
    content = a_pubmed_set().replace(
        b"<PubmedArticleSet>", b'<!DOCTYPE s [<!ENTITY a "b">]><PubmedArticleSet>'
    )
    (location,) = locate(content)
    assert isinstance(location.error, UnsafeXmlError)


def test_another_encoding_is_refused_with_the_way_to_convert() -> None:
    (location,) = locate(a_pubmed_set().replace(b'"1.0"', b'"1.0" encoding="ISO-8859-1"'))
    assert "xmllint --encode UTF-8" in str(location.error)


def test_named_characters_and_pretty_printed_subscripts_are_read() -> None:
    article = a_pubmed_article(abstract="<AbstractText>&beta;\n   <sub>2</sub>-agonist</AbstractText>")
    document = PubmedXmlParser().parse(a_payload(article, "pubmed-xml", doc_id="1"), "default")
    assert document.text.endswith("β2-agonist")


def test_an_abstract_as_json_has_a_section_a_label() -> None:
    record = an_abstract("5", sections=[{"label": "PURPOSE", "text": "a"}, {"label": "", "text": "b"}])
    document = PubmedJsonlParser().parse(a_payload(record, "pubmed-jsonl", doc_id="5"), "default")
    assert_sound(document)
    assert document.text == "Walking and sleep\n\nPURPOSE\n\na\n\nb"
    assert document.metadata["mesh"] == ["Sleep", "Walking"]


def test_a_number_as_pmid_is_the_same_document_as_a_string() -> None:
    content = json_lines([an_abstract(5), an_abstract("5")])
    first, second = PubmedJsonlParser().records(io.BytesIO(content), "f", 10**6)
    assert first.doc_id == second.doc_id == "5"


@pytest.mark.parametrize("pmid", [None, "", " ", True, [1]])
def test_a_record_without_a_usable_pmid_is_refused(pmid: object) -> None:
    content = json_lines([an_abstract() | {"pmid": pmid}])
    (location,) = PubmedJsonlParser().records(io.BytesIO(content), "f", 10**6)
    assert isinstance(location.error, MissingIdentifierError)


def test_retractions_and_corrections_are_flagged() -> None:
    notice = (
        b'<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>J Walks. 2024'
        b'</RefSource><PMID Version="1">77</PMID></CommentsCorrections><CommentsCorrections RefType="Cites">'
        b'<PMID Version="1">78</PMID></CommentsCorrections></CommentsCorrectionsList></MedlineCitation>'
    )
    retracted = a_pubmed_article("11").replace(b"</MedlineCitation>", notice)
    metadata = PubmedXmlParser().parse(a_payload(retracted, "pubmed-xml", doc_id="11"), "default").metadata
    assert metadata["retracted"] is True
    assert metadata["corrections"] == [{"type": "RetractionIn", "text": "J Walks. 2024", "pmid": "77"}]
    sound = PubmedXmlParser().parse(a_payload(a_pubmed_article("12"), "pubmed-xml", doc_id="12"), "default")
    assert not {"retracted", "corrections"} & sound.metadata.keys()
