"""What stands in appendices, footnotes, lists, boxes and other containers of an article, at any depth."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound, blocks_of, indexed_part, sections_of
from orchestration.parsing.jats import JatsParser
from orchestration.records import BlockKind, Document

TABLE = (
    "<table-wrap><label>Table A1</label><caption><p>Loads</p></caption>"
    "<table><thead><tr><th>Shoe</th><th>N</th></tr></thead><tbody><tr><td>left</td><td>12</td></tr></tbody></table></table-wrap>"
)
ROWS = (("Shoe", "N"), ("left", "12"))
TABLE_TEXT = "Table A1. Loads\nShoe | N\nleft | 12"
FIGURE = "<fig><label>Figure A1</label><caption><title>Map</title><p>Of hills.</p></caption><graphic/></fig>"


def parsed(body: str = "<p>t</p>", back: str = "", extra: str = "") -> Document:
    article = an_article(body, back=back).replace(b"</article>", f"{extra}</article>".encode())
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert_sound(document)
    return indexed_part(document)


def text_of(body: str = "<p>t</p>", back: str = "") -> str:
    return parsed(body, back).text.partition("Walking helps.")[2].strip()


def roles(document: Document) -> dict[str, str | None]:
    return {section.title: section.role for section in sections_of(document)}


def test_an_appendix_is_a_section_with_its_sections_tables_and_figures() -> None:
    document = parsed(
        back="<app-group><app><label>Appendix 1</label><title>More methods</title>"
        f"<sec><title>Shoe test</title><p>One.</p><p>Two.</p>{TABLE}{FIGURE}</sec></app>"
        f"<app>{TABLE}</app></app-group>"
    )
    assert document.text.endswith(
        f"Appendix 1 More methods\n\nShoe test\n\nOne.\n\nTwo.\n\n{TABLE_TEXT}\n\n"
        f"Figure A1. Map. Of hills.\n\nAppendix\n\n{TABLE_TEXT}"
    )
    assert [table.rows for table in document.tables] == [ROWS, ROWS]
    assert roles(document)["Shoe test"] == "supplementary"
    paths = [section.title_path for section in sections_of(document)]
    assert ("Appendix 1 More methods", "Shoe test") in paths


@pytest.mark.parametrize(
    "container", ["ack", "notes", "bio", "app", "glossary", "boxed-text", "disp-quote", "odd-thing"]
)
@pytest.mark.parametrize("depth", [1, 3])
def test_any_container_keeps_its_tables_at_any_depth(container: str, depth: int) -> None:
    inside = f"<p>before</p>{TABLE}<p>after</p>"
    for _ in range(depth):
        inside = f"<{container}>{inside}</{container}>"
    document = parsed(back=inside)
    assert [table.rows for table in document.tables] == [ROWS]
    assert f"before\n\n{TABLE_TEXT}\n\nafter" in document.text


def test_notes_keep_their_labels_and_headed_ones_are_sections() -> None:
    document = parsed(
        back='<fn-group><fn fn-type="conflict"><label>Competing interests:</label><p>None declared.</p></fn>'
        '<fn fn-type="financial-disclosure"><p>Walk Fund.</p></fn><fn><label>1</label><p>Retired.</p></fn>'
        "<fn><label>2</label><p>20 walks.</p></fn><fn><p><sup>a</sup>Adjusted.</p><p>Twice.</p></fn>"
        "</fn-group>"
    )
    assert document.text.partition("Notes\n\n")[2].split("\n\n") == [
        "Competing interests:",
        "None declared.",
        "Walk Fund.",
        "1 Retired.",
        "[2] 20 walks.",
        "a Adjusted.",
        "Twice.",
    ]
    assert roles(document)["Competing interests:"] == "competing_interests"
    assert "funding" in [section.role for section in sections_of(document)]


def test_a_table_in_a_list_item_stands_between_its_words() -> None:
    document = parsed(
        f"<list><list-item><p>Shoes by load:{TABLE}which wear.</p></list-item>"
        f"<list-item><title>Hills</title><p>Steep.</p>{FIGURE}</list-item></list>"
    )
    assert document.text.partition("Walking helps.")[2].strip() == (
        f"- Shoes by load:\n\n{TABLE_TEXT}\n\nwhich wear.\n- Hills. Steep.\n\nFigure A1. Map. Of hills."
    )
    assert document.tables[0].rows == ROWS


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<list list-type='alpha-lower'><list-item><p>x</p></list-item><list-item><p>y</p></list-item>"
         "</list>",
         "a. x\nb. y"),
        ("<list list-type='roman-upper'>" + "<list-item><p>x</p></list-item>" * 4 + "</list>",
         "I. x\nII. x\nIII. x\nIV. x"),
        ("<list id='a' list-type='order' prefix-word='Step'><list-item><p>x</p></list-item><list-item>"
         "<p>y</p></list-item></list><p>Rest.</p><list continued-from='a'><list-item><p>z</p></list-item>"
         "</list>",
         "Step 1. x\nStep 2. y\n\nRest.\n\nStep 3. z"),
        ("<list list-type='bullet' prefix-word='Note'><list-item><p>x</p></list-item><list-item>"
         "<label>Note b</label><p>y</p></list-item></list>", "Note x\nNote b y"),
        ("<def-list><term-head>Short</term-head><def-head>Long</def-head><def-item><term>CI</term><def>"
         "<p>interval</p></def></def-item></def-list>", "Short: Long\nCI: interval"),
        ("<disp-quote><p>I like hills.</p><attrib>Walker 7</attrib></disp-quote>",
         "I like hills.\n\nWalker 7"),
        ("<speech><speaker>Ann</speaker><p>Hello.</p><p>More.</p></speech>", "Ann: Hello.\n\nMore."),
        ("<verse-group><title>Ode</title><verse-line>Up</verse-line><verse-line>down</verse-line>"
         "</verse-group>", "Ode\nUp\ndown"),
        ("<statement><label>Theorem 1</label><p>It holds.</p></statement>", "Theorem 1\n\nIt holds."),
        ("<boxed-text><label>Box 1</label><caption><title>Key</title><p>Two.</p></caption><p>One.</p>"
         "</boxed-text>", "Box 1. Key\n\nTwo.\n\nOne."),
        ("<question-wrap><question><label>1.</label><p>What?</p><option><label>A</label><p>Hill</p></option>"
         "</question><answer><p>A.</p></answer></question-wrap>", "1. What?\n\nA Hill\n\nA."),
        ("<supplementary-material><label>File S1</label><p>Raw data.</p></supplementary-material>",
         "File S1. Raw data."),
        ("<supplementary-material>Table S2 - Thanks.</supplementary-material>", "Table S2 - Thanks."),
        ("<supplementary-material><media><label>Video 1</label><caption><p>Walk.</p></caption></media>"
         "</supplementary-material>", "Video 1. Walk."),
        ("<p>See <inline-supplementary-material>Table S1</inline-supplementary-material> here.</p>",
         "See Table S1 here."),
        ("<fig><label>Figure 1</label><caption><p>List.</p></caption><code>walk(hill)</code>"
         "<attrib>By Ann</attrib></fig>", "Figure 1. List.\n\nwalk(hill)\n\nBy Ann"),
        ("<fig-group><label>Figure 2</label><caption><p>All.</p></caption><fig><label>A</label><caption>"
         "<p>One.</p></caption></fig></fig-group>", "Figure 2. All.\n\nA. One."),
        ("<fig><label>Figure 3</label><graphic><caption><p>Part.</p></caption><long-desc>A hill.</long-desc>"
         "</graphic></fig>", "Figure 3\n\nPart.\n\nA hill."),
        ("<table-wrap><label>Table 9</label><caption><p>Listed.</p></caption><list><list-item>"
         "<p>Left shoe</p></list-item></list></table-wrap>", "Table 9. Listed.\n\n- Left shoe"),
        ("<p>As <disp-formula><label>(1)</label><tex-math>x=1</tex-math></disp-formula> shows</p>",
         "As x=1 (1) shows"),
        ("<sec><label>3</label><p>No title.</p></sec>", "3\n\nNo title."),
        ("<p>x <styled-content>a<list><list-item><p>b</p></list-item></list></styled-content> y</p>",
         "x\n\na\n\n- b\n\ny"),
    ],
)  # fmt: skip
def test_every_kind_of_block_reads_as_printed(body: str, text: str) -> None:
    assert text_of(body) == text


@pytest.mark.parametrize("container", ["list", "def-list", "fig", "table-wrap", "speech"])
def test_words_where_they_do_not_belong_are_kept(container: str) -> None:
    text = text_of(f"<{container}><p>before</p>{FIGURE}<p>after</p></{container}>")
    assert text.split("\n\n")[0] == "before"
    assert text.endswith("after")


def test_a_box_keeps_its_kind_around_other_blocks() -> None:
    document = parsed(f"<boxed-text><sec><title>Box</title><p>Rest.</p>{TABLE}</sec></boxed-text>")
    kinds = [block.kind for block in blocks_of(document)]
    assert BlockKind.BOXED_TEXT in kinds
    assert BlockKind.TABLE in kinds


def test_articles_inside_are_sections_after_the_article_and_their_references_come_once() -> None:
    entry = "<ref-list><ref><label>1</label><mixed-citation>On hills. 2001.</mixed-citation></ref></ref-list>"
    front = "<front-stub><title-group><article-title>{}</article-title></title-group>{}</front-stub>"
    document = parsed(
        back=entry,
        extra='<sub-article article-type="translation" xml:lang="pt">'
        + front.format("Caminhar", "<abstract><p>Resumo.</p></abstract>")
        + f"<body><sec><title>Introdução</title><p>Texto.</p></sec></body><back>{entry}</back></sub-article>"
        '<response response-type="reply"><front-stub/><body><p>We agree.</p></body></response>',
    )
    assert document.text.endswith(
        "t\n\nCaminhar\n\nAbstract\n\nResumo.\n\nIntrodução\n\nTexto.\n\nReply\n\nWe agree."
    )
    assert len(document.references) == 1
    assert document.metadata["translations"] == ["pt"]


def test_words_beside_the_entries_of_a_reference_list_are_text() -> None:
    entries = "<ref><mixed-citation>On hills. 2001.</mixed-citation></ref>"
    document = parsed(
        back=f"<ref-list><title>References</title><p>Starred: read first.</p>{entries}</ref-list>"
    )
    assert document.text.endswith("References\n\nStarred: read first.")
    assert parsed(back=f"<ref-list><title>References</title>{entries}</ref-list>").text.endswith("t")


@pytest.mark.parametrize(
    "body",
    [
        "<sec><label/><title>Kites</title><p>Rise.</p></sec>",
        "<odd-block><label/><title>Kites</title><p>Rise.</p></odd-block>",
        "<ref-list><label/><title>Kites</title><p>Rise.</p></ref-list>",
        "<list><label/><title>Kites</title></list><p>Rise.</p>",
        "<def-list><label/><title>Kites</title></def-list><p>Rise.</p>",
        "<def-list><term-head/><def-head>Kites</def-head></def-list><p>Rise.</p>",
        "<def-list><def-item><label/><term>Kites</term></def-item></def-list><p>Rise.</p>",
    ],
)
def test_an_empty_label_leaves_no_blank(body: str) -> None:
    text = parsed(body).text.partition("Walking helps.\n\n")[2]
    assert text.replace(":", "") == "Kites\n\nRise."
