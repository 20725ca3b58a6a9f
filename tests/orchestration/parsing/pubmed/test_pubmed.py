"""PubMed records, as XML sets and as JSON Lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import (
    a_correction,
    a_payload,
    a_pubmed_article,
    a_pubmed_set,
    an_abstract,
    json_lines,
)
from medkg.testing.document_checks import assert_sound, indexed_part, sections_of
from orchestration.contracts import RecordLocation
from orchestration.errors import (
    DocumentTooLargeError,
    MalformedDocumentError,
    MissingIdentifierError,
    UnsafeXmlError,
)
from orchestration.parsing import byte_stream
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser, xml_parser


def locate(content: bytes, limit: int = 10**6) -> list[RecordLocation]:
    return list(PubmedXmlParser().records(io.BytesIO(content), "set.xml", limit))


def test_labels_become_sections_with_roles() -> None:
    article = a_pubmed_article(
        abstract='<AbstractText Label="AIMS">a</AbstractText><AbstractText Label="X" NlmCategory="RESULTS">b'
        '</AbstractText><AbstractText Label="UNLABELLED">c</AbstractText>'
    )
    document = PubmedXmlParser().parse(a_payload(article, "pubmed-xml", doc_id="1"), "default")
    assert_sound(document)
    sections = [(section.title, section.role) for section in sections_of(indexed_part(document))]
    assert sections == [("", None), ("AIMS", "introduction"), ("X", "results"), ("", "abstract")]


@pytest.mark.parametrize("piece", [7, 64, 1 << 18])
def test_one_broken_article_does_not_take_the_others_with_it(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_stream, "CHUNK_BYTES", piece)
    monkeypatch.setattr(xml_parser, "CHUNK_BYTES", max(piece, 64))
    broken = a_pubmed_article("2")[:-40]
    locations = locate(a_pubmed_set(a_pubmed_article("1"), broken, a_pubmed_article("3")))
    assert [location.doc_id for location in locations] == ["1", None, "3"]
    assert isinstance(locations[1].error, MalformedDocumentError)


def test_a_set_cut_off_between_articles_is_reported() -> None:
    *good, cut = locate(a_pubmed_set(a_pubmed_article("1")).removesuffix(b"</PubmedArticleSet>\n"))
    assert [location.doc_id for location in good] == ["1"]
    assert "articles may be missing" in str(cut.error)


def test_tags_in_comments_and_cdata_are_not_articles() -> None:
    commented = b"<!-- " + a_pubmed_article("9") + b" -->"
    article = a_pubmed_article("1", title="<![CDATA[</PubmedArticle>]]>")
    assert [location.doc_id for location in locate(a_pubmed_set(commented, article))] == ["1"]


def test_an_article_over_the_limit_fails_alone() -> None:
    locations = locate(
        a_pubmed_set(a_pubmed_article("1", title="x" * 5000), a_pubmed_article("2")), limit=2000
    )
    assert isinstance(locations[0].error, DocumentTooLargeError)
    assert locations[1].doc_id == "2"


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
    assert indexed_part(document).text.endswith("β2-agonist")


def test_an_abstract_as_json_has_a_section_a_label() -> None:
    record = an_abstract("5", sections=[{"label": "PURPOSE", "text": "a"}, {"label": "", "text": "b"}])
    document = PubmedJsonlParser().parse(a_payload(record, "pubmed-jsonl", doc_id="5"), "default")
    assert_sound(document)
    assert indexed_part(document).text == "Walking and sleep\n\nPURPOSE\n\na\n\nb"
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


def metadata_of(**fields: Any) -> dict[str, Any]:
    payload = a_payload(a_pubmed_article("1", **fields), "pubmed-xml", doc_id="1")
    return PubmedXmlParser().parse(payload, "default").metadata


def test_an_article_that_nothing_happened_to_says_so() -> None:
    metadata = metadata_of(corrections=[a_correction("CommentIn", "5"), a_correction("Cites", "6")])
    assert metadata["is_retracted"] is metadata["is_corrected"] is False
    assert metadata["has_expression_of_concern"] is False
    assert not {"retracted_by", "corrected_by", "concern_raised_by", "notice", "notice_of"} & metadata.keys()


@pytest.mark.parametrize("kind", ["RetractionIn", "RetractedandRepublishedIn"])
def test_a_retracted_article_names_its_retraction(kind: str) -> None:
    metadata = metadata_of(corrections=[a_correction(kind, "77"), a_correction(kind, "77")])
    assert metadata["is_retracted"] is True
    assert metadata["retracted_by"] == ["77"]
    assert "notice" not in metadata


def test_an_article_of_the_retracted_type_is_retracted_even_without_a_link() -> None:
    metadata = metadata_of(types=["Journal Article", "Retracted Publication"])
    assert metadata["is_retracted"] is True
    assert "retracted_by" not in metadata


@pytest.mark.parametrize("kind", ["ErratumIn", "CorrectedandRepublishedIn"])
def test_a_corrected_article_names_its_correction_by_citation_if_it_has_no_pmid(kind: str) -> None:
    metadata = metadata_of(corrections=[a_correction(kind, source="J Walks. 2021;2:9.")])
    assert metadata["is_corrected"] is True
    assert metadata["corrected_by"] == ["J Walks. 2021;2:9."]
    assert metadata["is_retracted"] is False


def test_an_expression_of_concern_is_no_retraction() -> None:
    metadata = metadata_of(corrections=[a_correction("ExpressionOfConcernIn", "88")])
    assert metadata["has_expression_of_concern"] is True
    assert metadata["concern_raised_by"] == ["88"]
    assert metadata["is_retracted"] is False


@pytest.mark.parametrize(
    ("kind", "type_", "notice"),
    [
        ("RetractionOf", "Retraction of Publication", "retraction"),
        ("RetractionOf", "Retraction Notice", "retraction"),
        ("ErratumFor", "Published Erratum", "correction"),
        ("CorrectedandRepublishedFrom", "Corrected and Republished Article", "correction"),
        ("ExpressionOfConcernFor", "Expression of Concern", "expression-of-concern"),
    ],
)
def test_a_notice_is_distinct_from_the_article_it_is_about(kind: str, type_: str, notice: str) -> None:
    by_link = metadata_of(corrections=[a_correction(kind, "9")])
    assert (by_link["notice"], by_link["notice_of"], by_link["is_retracted"]) == (notice, ["9"], False)
    by_type = metadata_of(types=[type_])
    assert by_type["notice"] == notice
    assert by_type["is_retracted"] is by_type["is_corrected"] is False


BATCH = a_pubmed_set(a_pubmed_article("1"), a_pubmed_article("2"), a_pubmed_article("3"))


def test_each_article_of_an_efetch_batch_is_found_with_its_bytes() -> None:
    doctype = b'<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle" "pubmed_250101.dtd">\n'
    batch = BATCH.replace(b"<PubmedArticleSet>", doctype + b"<PubmedArticleSet>")
    locations = locate(batch)
    assert [location.doc_id for location in locations] == ["1", "2", "3"]
    cut = [batch[at.start : at.start + at.length] for at in locations]
    assert cut == [a_pubmed_article(number) for number in ("1", "2", "3")]


@given(end=st.integers(BATCH.index(b"<PubmedArticle>"), len(BATCH) - len(b"</PubmedArticleSet>\n") - 1))
def test_a_batch_cut_anywhere_gives_the_articles_before_and_an_error_that_names_it(end: int) -> None:
    *good, cut = locate(BATCH[:end])
    assert good == [location for location in locate(BATCH) if location.start + location.length <= end]
    assert isinstance(cut.error, MalformedDocumentError)
    assert f"set.xml, article {len(good) + 1}" in cut.error.message
    assert "cut off" in cut.error.message


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"<?xml version='1.0'?><eFetchResult><ERROR>Empty result</ERROR></eFetchResult>", "<eFetchResult>"),
        (b"<!DOCTYPE html><html><body>Service unavailable</body></html>", "<html>"),
        (b'{"error": "API rate limit exceeded"}', "does not begin as XML"),
        (b"", "does not begin as XML"),
    ],
)
def test_another_answer_than_a_set_is_not_taken_for_an_empty_one(answer: bytes, what: str) -> None:
    (location,) = locate(answer)
    assert isinstance(location.error, MalformedDocumentError)
    assert what in location.error.message


def test_an_empty_set_has_no_articles() -> None:
    assert locate(b'<?xml version="1.0" ?>\n<PubmedArticleSet></PubmedArticleSet>') == []


@given(st.permutations(["RetractionOf", "ErratumFor", "ExpressionOfConcernFor", "CommentOn"]), st.booleans())
def test_of_several_kinds_of_notice_the_weightiest_counts_in_any_order(kinds: list[str], typed: bool) -> None:
    numbers = {kind: str(number) for number, kind in enumerate(sorted(kinds), start=1)}
    types = ["Published Erratum", "Retraction of Publication"] if typed else []
    metadata = metadata_of(corrections=[a_correction(kind, numbers[kind]) for kind in kinds], types=types)
    assert (metadata["notice"], metadata["notice_of"]) == ("retraction", [numbers["RetractionOf"]])
    assert metadata["other_notices"] == {
        "correction": [numbers["ErratumFor"]],
        "expression-of-concern": [numbers["ExpressionOfConcernFor"]],
    }


def test_a_notice_whose_links_are_of_another_kind_is_about_all_of_them() -> None:
    metadata = metadata_of(corrections=[a_correction("ErratumFor", "9")], types=["Retraction of Publication"])
    assert (metadata["notice"], metadata["notice_of"]) == ("retraction", ["9"])
