"""Metadata is JSON in every parser, and identifiers and dates are read as they are meant."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import indexed_part
from orchestration.errors import MalformedDocumentError, MedkgError, UnknownFormatError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.dates import date_in_words
from orchestration.parsing.http_json import HttpJsonParser
from orchestration.parsing.identifiers import doi_in
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedJsonlParser
from orchestration.parsing.xml.markup import plain_text, without_tags
from orchestration.records import Document
from orchestration.sources.file_format import recognised


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("parser", "record"),
    [
        (ClinicalTrialsParser(), '{"protocolSection": {"identificationModule": {"nctId": "NCT00000001", '
         '"briefTitle": "Kites"}, "designModule": {"enrollmentInfo": {"count": %s}}}}'),
        (OpenAlexParser(), '{"id": "https://openalex.org/W1", "title": "Kites", "fwci": %s}'),
        (PubmedJsonlParser(), '{"pmid": "1", "title": "Kites", "sections": [], "weight": %s}'),
        (HttpJsonParser(), '{"id": "A", "title": "Kites", "sections": [], "metadata": {"weight": %s}}'),
    ],
)  # fmt: skip
def test_numbers_that_json_does_not_have_are_refused(
    parser: ClinicalTrialsParser | OpenAlexParser | PubmedJsonlParser | HttpJsonParser,
    record: str,
    number: str,
) -> None:
    with pytest.raises(MedkgError) as refused:
        parser.parse(a_payload((record % number).encode(), parser.format), "default")
    assert isinstance(refused.value, MalformedDocumentError)


def test_front_matter_of_markdown_has_no_other_numbers_than_json() -> None:
    with pytest.raises(MalformedDocumentError, match="number nan"):
        MarkdownParser().parse(
            a_payload(b"---\nweight: .nan\n---\n# Kites\n\nRise.\n", "markdown"), "default"
        )


@pytest.mark.parametrize(
    ("words", "doi"),
    [
        ("A. https://doi.org/10.1016/S0140-6736(01)05627-6", "10.1016/S0140-6736(01)05627-6"),
        ("A. http://dx.doi.org/10.1016/ABC.5. Y", "10.1016/ABC.5"),
        ("(https://doi.org/10.1016/abc).", "10.1016/abc"),
        ("[doi:10.1016/abc]", "10.1016/abc"),
        ("doi: https://doi.org/10.1016%2Fabc", "10.1016/abc"),
        ("pp. 10.1016", None),
    ],
)
def test_a_doi_in_words_stands_without_the_brackets_of_its_sentence(words: str, doi: str | None) -> None:
    assert doi_in([words]) == doi


@pytest.mark.parametrize(
    ("words", "date"),
    [
        ("1999/2000 Dec-Jan", "1999-12"),
        ("1999-00 Nov-Feb", "1999-11"),
        ("2000-2001 Feb", "2000"),
        ("1998 Dec-1999 Jan", "1998-12"),
        ("1999-2000 Winter", "1999"),
        ("2010-11", "2010-11"),
    ],
)
def test_a_range_over_two_years_begins_in_the_first(words: str, date: str) -> None:
    assert date_in_words(words) == date


def jats(**parts: str) -> Document:
    payload = a_payload(an_article(**parts), "jats", doc_id="PMC1234567", source="pmc")
    return indexed_part(JatsParser().parse(payload, "default"))


@pytest.mark.parametrize(
    ("entry", "label", "text"),
    [
        ("<label>1</label>Vane J. Kites. 2005.", "1", "Vane J. Kites. 2005."),
        ("<label>10</label>Text of ref <italic>ten</italic> 2005", "10", "Text of ref; ten; 2005"),
        ("<mixed-citation><label>2.</label> Vane J. 2006.</mixed-citation>", "2.", "Vane J. 2006."),
        ("<element-citation><label>3</label><source>S</source></element-citation>", "3", "S"),
    ],
)
def test_the_label_of_an_entry_stands_apart_from_its_text(entry: str, label: str, text: str) -> None:
    (reference,) = jats(back=f"<ref-list><ref>{entry}</ref></ref-list>").references
    assert (reference.label, reference.text) == (label, text)


def test_the_front_matter_loses_no_text() -> None:
    document = jats(
        meta="<product><person-group><name><surname>Bk</surname><given-names>A</given-names></name>"
        "</person-group><source>The Kite Book</source><year>1999</year></product><conference><conf-date>5 May"
        "</conf-date><conf-name>KiteConf</conf-name></conference><kwd-group><unstructured-kwd-group>wind, "
        "rope</unstructured-kwd-group></kwd-group><support-group><funding-group><funding-statement>Paid by X."
        "</funding-statement></funding-group></support-group><issue-title>On wind</issue-title><odd>Z 5</odd>"
        "<custom-meta-group><custom-meta><meta-name>Impact</meta-name><meta-value>Kites rise.</meta-value>"
        "</custom-meta></custom-meta-group><contrib-group><contrib><bio><p>Jo flew 5 kites.</p></bio>"
        '</contrib></contrib-group><abstract xml:lang="de"><p>Drachen.</p></abstract>'
    )
    stated = document.metadata
    assert stated["products"] == ["Bk A. The Kite Book. 1999"]
    assert (stated["conferences"], stated["keywords"]) == (["5 May, KiteConf"], ["wind", "rope"])
    assert (stated["funding"], stated["custom_meta"]) == ("Paid by X.", {"Impact": ["Kites rise."]})
    assert stated["other_front_matter"] == {"issue-title": ["On wind"], "odd": ["Z 5"]}
    assert "Biography\n\nJo flew 5 kites." in document.text
    assert "Abstract (German)\n\nDrachen." in document.text


def test_openalex_keeps_no_date_that_does_not_exist_and_no_mark_in_a_name() -> None:
    work = (
        '{"id": "https://openalex.org/W1", "title": "Kites", "publication_year": 0, "publication_date": '
        '"2019-02-30", "authorships": [{"author": {"display_name": "Ann Vane<sup>1</sup>"}}]}'
    )
    stated = OpenAlexParser().parse(a_payload(work.encode(), "openalex"), "default").metadata
    assert (stated["year"], stated["date"], stated["authors"]) == ("2019", "2019-02", ["Ann Vane"])


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("p$<$0.05 and $>$5", "p < 0.05 and >5"),
        ("a<!-- c -->b", "ab"),
        ("a <a href='x>y'>link</a>", "a link"),
        ("<ruby>漢字<rt>かんじ</rt></ruby>5", "漢字(かんじ)5"),
        ("cost $5 and $6", "cost $5 and $6"),
    ],
)
def test_markup_leaves_no_rest(marked: str, text: str) -> None:
    assert plain_text(marked) == text


def test_escaped_tags_of_a_field_are_tags_and_comparisons_stay() -> None:
    assert without_tags("<i>E. coli</i> at 5<sup>3</sup>") == "E. coli at 5^3"
    assert without_tags("p < 0.05 and b > a") == "p < 0.05 and b > a"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("a<ruby><rb>漢字</rb><rt>かんじ</rt></ruby>5", "a漢字(かんじ)5"),
        ("<ruby><rb>漢</rb><rp>(</rp><rt>かん</rt><rp>)</rp></ruby>", "漢(かん)"),
        ("10^<sup>3</sup>", "10^3"),
        ('<math><menclose notation="radical"><mn>5</mn></menclose></math>', "√5"),
        ('<math><maction selection="2"><mn>1</mn><mn>2</mn></maction></math>', "2"),
    ],
)
def test_readings_powers_and_shown_parts_of_formulas(body: str, text: str) -> None:
    assert jats(body=f"<p>{body}</p>").text.split("\n\n")[-1] == text


def test_a_control_character_is_named_as_the_cause() -> None:
    with pytest.raises(UnknownFormatError, match="byte 21 is the control character 0x00"):
        recognised(b'<?xml version="1.0"?>\0<article/>', "a.xml", "a.xml", {"jats": JatsParser()})
