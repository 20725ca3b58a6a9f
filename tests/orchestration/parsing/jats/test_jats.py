"""What an article becomes: sections, tables, captions, lists, formulas, references."""

from __future__ import annotations

import io

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound, blocks_of, indexed_part, sections_of
from orchestration.errors import MalformedDocumentError, MissingIdentifierError, UnsafeXmlError
from orchestration.parsing.jats import JatsParser
from orchestration.records import BlockKind, Document


def parsed(article: bytes) -> Document:
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert_sound(document)
    return indexed_part(document)


def body_text(body: str) -> str:
    text = parsed(an_article(body)).text
    return text.partition("Walking helps.")[2].strip()


def test_sections_nest_and_inherit_the_role_above() -> None:
    document = parsed(
        an_article(
            "<sec><label>2</label><title>Materials and Methods</title><p>a</p>"
            "<sec><title>Shoes</title><p>b</p></sec></sec><sec><title>Discussion</title><p>c</p></sec>"
        )
    )
    roles = {section.title: (section.title_path, section.role) for section in sections_of(document)}
    assert roles["2 Materials and Methods"] == (("2 Materials and Methods",), "methods")
    assert roles["Shoes"] == (("2 Materials and Methods", "Shoes"), "methods")
    assert roles["Discussion"][1] == "discussion"
    assert roles["Abstract"][1] == "abstract"


@pytest.mark.parametrize("mark", ['<xref ref-type="fn">*</xref>', '<xref ref-type="bibr">3</xref>'])
def test_a_mark_in_a_heading_does_not_hide_its_role(mark: str) -> None:
    document = parsed(an_article(f"<sec><title>2. Methods{mark}</title><p>a</p></sec>"))
    assert [section.role for section in sections_of(document)][-1] == "methods"


def test_reference_lists_are_kept_apart_wherever_they_stand() -> None:
    citation = "<mixed-citation>Walker A. <source>On hills</source>. 2001 {}</mixed-citation>"
    entry = f'<ref id="r"><label>7</label>{citation}</ref>'
    ids = '<pub-id pub-id-type="pmid">99</pub-id><pub-id pub-id-type="doi">https://doi.org/10.1/x</pub-id>'
    lists = f"<ref-list>{entry.format(ids)}</ref-list>"
    document = parsed(an_article(f"<sec><title>Notes</title><p>text</p>{lists}</sec>", back=lists))
    assert "On hills" not in document.text
    assert len(document.references) == 2
    reference = document.references[0]
    assert (reference.label, reference.pmid, reference.doi) == ("7", "99", "10.1/x")
    assert reference.text.startswith("Walker A. On hills. 2001")


def test_citation_marks_stay_in_the_text() -> None:
    assert body_text('<p>As shown [<xref ref-type="bibr" rid="r">3</xref>].</p>') == "As shown [3]."
    assert body_text('<p>shown<sup><xref ref-type="bibr" rid="r">3</xref></sup>.</p>') == "shown[3]."


def test_a_table_is_a_grid_with_spans_repeated_and_a_text_with_each_column_named() -> None:
    document = parsed(
        an_article(
            "<table-wrap><label>Table 1.</label><caption><title>Steps</title><p>By day.</p></caption>"
            '<table><thead><tr><th rowspan="2">Day</th><th colspan="2">Steps</th></tr>'
            "<tr><th>A</th><th>B</th></tr></thead>"
            '<tbody><tr><td rowspan="2">1</td><td>9</td><td>8</td></tr>'
            "<tr><td>7</td><td/></tr></tbody></table>"
            "<table-wrap-foot><fn><p>A: all.</p></fn></table-wrap-foot></table-wrap>"
        )
    )
    (table,) = document.tables
    assert table.rows == (("Day", "Steps", "Steps"), ("Day", "A", "B"), ("1", "9", "8"), ("1", "7", ""))
    assert (table.header_rows, table.label, table.caption) == (2, "Table 1.", "Steps. By day.")
    block = next(block for block in blocks_of(document) if block.block_id == table.block_id)
    assert document.text[block.start_char : block.end_char].split("\n") == [
        "Table 1. Steps. By day",
        "Day | Steps | Steps",
        "Day | A | B",
        "1 | 9 | 8",
        "1 | 7",
        "A: all.",
    ]


def test_a_figure_gives_its_caption() -> None:
    document = parsed(
        an_article("<fig><label>Figure 2</label><caption><title>Map</title><p>Of hills.</p></caption></fig>")
    )
    (caption,) = [block for block in blocks_of(document) if block.kind is BlockKind.FIGURE_CAPTION]
    assert document.text[caption.start_char : caption.end_char] == "Figure 2. Map. Of hills."


def test_lists_inside_paragraphs_are_blocks_between_them() -> None:
    text = body_text(
        '<p>Before<list list-type="order"><list-item><p>one<list list-type="bullet"><list-item><p>inner</p>'
        "</list-item></list></p></list-item><list-item><p>two</p></list-item></list>after</p>"
    )
    assert text == "Before\n\n1. one\n  - inner\n2. two\n\nafter"


def test_boxes_keep_their_own_kind() -> None:
    document = parsed(
        an_article("<boxed-text><sec><title>Box 1</title><p>Wear shoes.</p></sec></boxed-text>")
    )
    assert [b.kind for b in blocks_of(document) if b.kind is BlockKind.BOXED_TEXT] == [BlockKind.BOXED_TEXT]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("H<sub>2</sub>O and Ca<sup>2+</sup>", "H2O and Ca2+"),
        ("10<sup>−3</sup> m<sup>2</sup>", "10^−3 m2"),
        ("<inline-formula><mml:math><mml:msub><mml:mi>x</mml:mi><mml:mi>i</mml:mi></mml:msub>"
         "<mml:mo>=</mml:mo>"
         "<mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac></mml:math></inline-formula>",
         "x_i = 1/2"),
        ("<inline-formula><mml:math><mml:msubsup><mml:mi>b</mml:mi><mml:mi>r</mml:mi><mml:mrow/></mml:msubsup>"
         "<mml:mi>c</mml:mi><mml:mo>=</mml:mo><mml:msubsup><mml:mi>d</mml:mi><mml:mspace/><mml:mn>2</mml:mn>"
         "</mml:msubsup><mml:msub><mml:mi>e</mml:mi><mml:mrow/></mml:msub></mml:math></inline-formula>",
         "b_r c = d^2 e"),
        ("a <inline-formula><inline-graphic/></inline-formula> b", "a [formula] b"),
        ("&alpha; &ndash; &szlig; &lt; &#946; &nosuchname;", "α – ß < β &nosuchname;"),
        ("one<break/>two", "one two"),
    ],
)  # fmt: skip
def test_inline_markup_reads_in_one_line(markup: str, text: str) -> None:
    assert body_text(f"<p>{markup}</p>") == text


def test_unknown_elements_lose_no_text() -> None:
    assert body_text("<odd><thing>kept</thing><p>too</p></odd>") == "kept\n\ntoo"


@pytest.mark.parametrize(
    ("ids", "doc_id"),
    [
        ({"doi": "10.1/a", "pmid": "7", "pmc": "42"}, "PMC42"),
        ({"pmcid": "PMC42"}, "PMC42"),
        ({"doi": "10.1/a", "pmid": "7"}, "7"),
        ({"doi": "https://doi.org/10.1/a"}, "10.1/a"),
    ],
)  # fmt: skip
def test_the_document_id_is_the_pmc_id_else_pmid_else_doi(ids: dict[str, str], doc_id: str) -> None:
    elements = "".join(f'<article-id pub-id-type="{kind}">{text}</article-id>' for kind, text in ids.items())
    (location,) = JatsParser().records(io.BytesIO(an_article(ids=elements)), "a.xml", 10**6)
    assert location.doc_id == doc_id


def test_an_article_without_any_id_is_refused() -> None:
    (location,) = JatsParser().records(io.BytesIO(an_article(ids="")), "a.xml", 10**6)
    assert isinstance(location.error, MissingIdentifierError)


@pytest.mark.parametrize(
    "subset",
    ['<!ENTITY lol "lol">', '<!ENTITY % p SYSTEM "http://127.0.0.1/x">', '<!ENTITY x SYSTEM "file:///etc/passwd">'],
)  # fmt: skip
def test_declared_entities_are_refused_when_found_and_when_parsed(subset: str) -> None:
    article = an_article("<p>&lol;</p>", doctype=f'<!DOCTYPE article SYSTEM "x" [{subset}]>')
    (location,) = JatsParser().records(io.BytesIO(article), "a.xml", 10**6)
    assert isinstance(location.error, UnsafeXmlError)
    with pytest.raises(UnsafeXmlError, match="expands no entities"):
        parsed(article)


def test_declared_entities_cannot_hide_in_another_encoding() -> None:
    article = (
        an_article(doctype='<!DOCTYPE article [<!ENTITY lol "lol">]>').decode().replace("UTF-8", "UTF-16")
    )
    with pytest.raises(UnsafeXmlError):
        parsed(article.encode("utf-16"))


def test_utf16_and_namespaces_are_read() -> None:
    article = an_article("<p>Größe</p>").decode().replace("UTF-8", "UTF-16")
    article = article.replace("<article ", '<article xmlns="http://jats.nlm.nih.gov" ', 1)
    content = article.encode("utf-16")
    assert JatsParser().recognises(content, "x") > 0
    assert "Größe" in parsed(content).text


def test_nesting_beyond_reason_is_malformed() -> None:
    with pytest.raises(MalformedDocumentError):
        parsed(an_article("<sec>" * 5000 + "</sec>" * 5000))


def test_an_article_cut_off_after_its_front_is_known_by_id_and_fails_in_parsing() -> None:
    article = an_article()[:-60]
    (location,) = JatsParser().records(io.BytesIO(article), "a.xml", 10**6)
    assert (location.doc_id, location.error) == ("PMC1234567", None)
    with pytest.raises(MalformedDocumentError, match="not well-formed"):
        parsed(article)


def test_docbook_is_not_jats() -> None:
    docbook = b'<article xmlns="http://docbook.org/ns/docbook"><info><title>x</title></info></article>'
    assert JatsParser().recognises(docbook, "x.xml") == 0


def test_bibliographic_metadata_is_kept() -> None:
    metadata = parsed(an_article()).metadata
    assert metadata["authors"] == ["Walker Ann"]
    assert (metadata["journal"], metadata["year"], metadata["pmcid"]) == (
        "Journal of Walks",
        "2020",
        "PMC1234567",
    )


@pytest.mark.parametrize(
    ("license_", "redistributable"),
    [
        ('<license xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"/>', True),
        (
            "<license><license-p>Under the Creative Commons Attribution License</license-p></license>",
            True,
        ),
        ("<license><license-p>All rights reserved.</license-p></license>", False),
        ("", False),
    ],
)
def test_text_that_may_not_be_passed_on_is_marked(license_: str, redistributable: bool) -> None:
    ids = (
        '<article-id pub-id-type="pmc">1</article-id>'
        f'<permissions xmlns:xlink="http://www.w3.org/1999/xlink">{license_}</permissions>'
    )
    document = JatsParser().parse(a_payload(an_article(ids=ids), "jats", source="pmc"), "default")
    assert document.metadata["redistributable"] is redistributable
