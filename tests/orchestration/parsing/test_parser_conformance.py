"""Every parser of ours through the conformance suite, and through random damage by Hypothesis."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import (
    a_converted_pdf,
    a_pdf_block,
    a_pmc_set,
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_abstract,
    an_article,
    an_openalex_page,
    an_openalex_work,
    json_lines,
    study_results,
)
from medkg.testing.parser_suite import ParserSample, ParserSuite, attempt
from orchestration.contracts import Parser, PdfBlockKind
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.http_json import HttpJsonParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser

STUDIES = [a_study("NCT00000001"), a_study("NCT00000002") | {"resultsSection": study_results()}]
RICH_BODY = """
<sec sec-type="methods"><label>1</label><title>Methods</title>
<p>We <italic>walked</italic> 10<sup>3</sup> m [<xref ref-type="bibr" rid="r1">1</xref>].</p>
<table-wrap><label>Table 1</label><caption><p>Steps.</p></caption>
<table><thead><tr><th rowspan="2">Day</th><th colspan="2">Steps</th></tr><tr><th>A</th><th>B</th></tr></thead>
<tbody><tr><td>1</td><td>9</td><td>8</td></tr></tbody></table></table-wrap>
<fig><label>Figure 1</label><caption><p>Map.</p></caption></fig>
<list list-type="bullet"><list-item><p>one</p></list-item></list></sec>"""
REFERENCES = """
<ref-list><ref id="r1"><label>1</label>
<mixed-citation>Walker A. A history of walking tours. 2001.</mixed-citation></ref></ref-list>"""
CONVERTED_PDF = a_converted_pdf(
    a_pdf_block("On walking", PdfBlockKind.TITLE),
    a_pdf_block("1. Methods", PdfBlockKind.HEADING, level=1),
    a_pdf_block("We walked.", also_on=(2,)),
    a_pdf_block("- one\n- two", PdfBlockKind.LIST),
    a_pdf_block("Table 1. Steps", PdfBlockKind.TABLE, rows=(("Day", "Steps"), ("1",)), header_rows=1),
    a_pdf_block("Figure 1. Map", PdfBlockKind.FIGURE_CAPTION),
    a_pdf_block("References", PdfBlockKind.HEADING, level=1),
    a_pdf_block("[1] Walker A. Paths. 2001."),
    pages=2,
)
MARKDOWN = b"""---
authors: [A. Walker]
---
# Walking

It *helps*.

## Methods

- one
- two

| a | b |
|---|---|
| 1 | 2 |
"""

SAMPLES: dict[str, tuple[Parser, ParserSample]] = {
    "studies in a list": (
        ClinicalTrialsParser(),
        ParserSample("s.json", json.dumps(STUDIES).encode(), ["NCT00000001", "NCT00000002"]),
    ),
    "studies as JSON Lines": (
        ClinicalTrialsParser(),
        ParserSample("s.jsonl", json_lines(STUDIES), ["NCT00000001", "NCT00000002"]),
    ),
    "one study over many lines": (
        ClinicalTrialsParser(),
        ParserSample("s.json", json.dumps(STUDIES[0], indent=2).encode(), ["NCT00000001"]),
    ),
    "a page of the API": (
        ClinicalTrialsParser(),
        ParserSample(
            "s.json",
            json.dumps({"totalCount": 2, "studies": STUDIES, "nextPageToken": "x"}).encode(),
            ["NCT00000001", "NCT00000002"],
        ),
    ),
    "abstracts": (
        PubmedJsonlParser(),
        ParserSample("a.jsonl", json_lines([an_abstract(1), an_abstract("2")]), ["1", "2"]),
    ),
    "works as JSON Lines": (
        OpenAlexParser(),
        ParserSample("w.jsonl", json_lines([an_openalex_work(1), an_openalex_work(2)]), ["W1", "W2"]),
    ),
    "a page of works": (
        OpenAlexParser(),
        ParserSample("w.json", an_openalex_page(an_openalex_work(1), an_openalex_work(2)), ["W1", "W2"]),
    ),
    "an article": (
        JatsParser(),
        ParserSample("a.nxml", an_article(RICH_BODY, back=REFERENCES), ["PMC1234567"]),
    ),
    "a set of PMC": (
        JatsParser(),
        ParserSample(
            "set.xml",
            a_pmc_set(
                an_article(RICH_BODY, back=REFERENCES),
                an_article(ids='<article-id pub-id-type="pmcid">PMC8</article-id>', title="&beta; paths"),
            ),
            ["PMC1234567", "PMC8"],
        ),
    ),
    "a PubMed set": (
        PubmedXmlParser(),
        ParserSample("p.xml", a_pubmed_set(a_pubmed_article("11"), a_pubmed_article("12")), ["11", "12"]),
    ),
    "a converted PDF": (PdfIrParser(), ParserSample("a.json", CONVERTED_PDF)),
    "records of a described service": (
        HttpJsonParser(),
        ParserSample(
            "r.jsonl",
            json_lines(
                [
                    {
                        "id": f"walks:{number}",
                        "title": "Walking",
                        "sections": [{"label": "Summary", "role": "abstract", "paragraphs": ["It helps."]}],
                        "metadata": {"year": 2024},
                    }
                    for number in (1, 2)
                ]
            ),
            ["walks:1", "walks:2"],
        ),
    ),
    "markdown": (MarkdownParser(), ParserSample("m.md", MARKDOWN)),
    "text": (PlainTextParser(), ParserSample("t.txt", b"Walking\n\nIt helps.\nA lot.\n\n- one\n- two\n")),
}


@pytest.mark.parametrize("kind", SAMPLES)
class TestOurParsers(ParserSuite):
    @pytest.fixture
    def parser(self, kind: str) -> Parser:
        return SAMPLES[kind][0]

    @pytest.fixture
    def sample(self, kind: str) -> ParserSample:
        return SAMPLES[kind][1]


@pytest.mark.parametrize("kind", SAMPLES)
def test_another_parser_is_never_surer_than_the_right_one(kind: str) -> None:
    parser, sample = SAMPLES[kind]
    others = {other.format: other for other, _ in SAMPLES.values() if other.format != parser.format}
    own = parser.recognises(sample.content, "no-extension")
    assert all(other.recognises(sample.content, "no-extension") < own for other in others.values())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_ends_in_a_document_or_an_error(data: st.DataObject) -> None:
    parser, sample = data.draw(st.sampled_from(list(SAMPLES.values())))
    start = data.draw(st.integers(0, len(sample.content)))
    end = data.draw(st.integers(start, min(len(sample.content), start + 60)))
    insert = data.draw(st.binary(max_size=30))
    attempt(parser, sample.content[:start] + insert + sample.content[end:])


@settings(max_examples=150, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ),
    module=st.sampled_from(sorted(a_study()["protocolSection"])),
    field=st.sampled_from(["briefTitle", "primaryOutcomes", "conditions", "eligibilityCriteria", "x"]),
)
def test_a_study_may_hold_any_json_anywhere(value: object, module: str, field: str) -> None:
    study = a_study()
    study["protocolSection"][module][field] = value
    attempt(ClinicalTrialsParser(), json.dumps([study, {"protocolSection": {module: value}}]).encode())


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_is_a_sound_text_and_markdown_document(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    attempt(PlainTextParser(), content)
    attempt(MarkdownParser(), content)


BEFORE_A_ROOT = {
    "comments": "<!-- a --> ",
    "instructions": "<?a b?>\n",
    "comments and instructions": "<!-- a --><?b?>",
    "declarations": "<!DOCTYPE a [<!-- b -->]>",
    "white space": " \n",
}


@pytest.mark.parametrize("part", BEFORE_A_ROOT.values(), ids=BEFORE_A_ROOT)
@pytest.mark.parametrize("end", ["", "no element", "<", "<!--", "<?", "<!DOCTYPE a [", "<article><p>x</p>"])
def test_a_long_beginning_without_an_article_is_read_to_its_end(part: str, end: str) -> None:
    """Never in time that is exponential in the number of its parts: this would not end."""
    content = (part * 5_000 + end).encode()
    for parser in {parser.format: parser for parser, _ in SAMPLES.values()}.values():
        attempt(parser, content)
