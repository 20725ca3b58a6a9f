"""Reference lists: each entry once, in order, readable, with what stands beside its citation."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import indexed_part
from orchestration.parsing.jats import JatsParser
from orchestration.records import Reference

LEE = "<name><surname>Lee</surname><given-names>K</given-names></name>"
ROE = "<name><surname>Roe</surname><given-names>J</given-names></name>"
PARTS = (
    f"<element-citation><person-group>{LEE}{ROE}<etal/></person-group><article-title>On hills</article-title>"
    "<source>Walk J</source><year>2001</year><volume>3</volume><issue>1</issue>"
    "<fpage>1</fpage><lpage>5</lpage>"
    '<pub-id pub-id-type="pmid">77</pub-id></element-citation>'
)
SENTENCE = "<mixed-citation>Lee K, Roe J, et al. On hills. Walk J. 2001;3(1):1-5.</mixed-citation>"


def references(entries: str) -> tuple[Reference, ...]:
    article = an_article(back=f"<ref-list>{entries}</ref-list>")
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert "hills" not in indexed_part(document).text
    return document.references


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (PARTS, "Lee K, Roe J, et al. On hills. Walk J. 2001;3(1):1-5"),
        (SENTENCE, "Lee K, Roe J, et al. On hills. Walk J. 2001;3(1):1-5."),
        (f"<citation-alternatives>{PARTS}{SENTENCE}</citation-alternatives>",
         "Lee K, Roe J, et al. On hills. Walk J. 2001;3(1):1-5."),
        (SENTENCE + PARTS, "Lee K, Roe J, et al. On hills. Walk J. 2001;3(1):1-5."),
        ("<mixed-citation>One. 2001</mixed-citation><mixed-citation>Two. 2002.</mixed-citation>"
         "<note><p>Read it.</p></note>", "One. 2001; Two. 2002. Read it."),
        ("<mixed-citation>Quite another one, 2010.</mixed-citation><element-citation><source>A book</source>"
         "<year>1999</year></element-citation>", "Quite another one, 2010. A book. 1999"),
        (f"<mixed-citation>{LEE}, {ROE} (<year>2001</year>) <article-title>On 10<sup>5</sup></article-title>."
         "</mixed-citation>", "Lee K, Roe J (2001) On 10^5."),
        ("<mixed-citation><string-name><surname>Lee</surname><given-names>K</given-names></string-name>"
         "<article-title>Glued</article-title><source>Walk J</source></mixed-citation>",
         "Lee K. Glued. Walk J"),
        ("<element-citation><collab>Walk Group</collab><article-title>Why?</article-title><comment>In press"
         "</comment></element-citation>", "Walk Group. Why? In press"),
        (f"<element-citation><label>a</label>{LEE}{ROE}<source>Walk J</source><year>2001</year>"
         "<month>5</month><volume>3</volume></element-citation>", "a. Lee K, Roe J. Walk J. 2001 5;3"),
        (f'<element-citation><person-group person-group-type="author">{LEE}</person-group><chapter-title>On '
         f'hills</chapter-title><person-group person-group-type="editor">{ROE}{LEE}</person-group>'
         "<source>Hills</source>"
         "<edition>2</edition><series>Walks</series><publisher-name>Kite</publisher-name><year>2001</year>"
         '<size units="page">320</size><isbn>978</isbn></element-citation>',
         "Lee K. On hills. Roe J, Lee K, editors. Hills. 2nd ed. Series: Walks. Kite. 2001. 320 p. ISBN 978"),
        (f'<element-citation><person-group person-group-type="editor">{ROE}</person-group>'
         '<source>Hills</source><edition>rev. ed.</edition><page-count count="9"/></element-citation>',
         "Roe J, editor. Hills. rev. ed. 9 p"),
        (f'<element-citation><person-group person-group-type="editor">{ROE}</person-group>'
         "<comment>(Ed.)</comment><source>Hills</source></element-citation>", "Roe J. (Ed.). Hills"),
        (f'<element-citation>{LEE}<etal/><person-group person-group-type="translator">{ROE}</person-group>'
         "<trans-title>Hills</trans-title></element-citation>", "Lee K, et al. Roe J, translator. [Hills]"),
        ("<element-citation><person-group><anonymous/></person-group><source>Hills</source></element-citation>",
         "Anonymous. Hills"),
        ('<element-citation><source>Walks</source><date-in-citation content-type="access-date"><day>3</day>'
         "<month>May</month></date-in-citation></element-citation>", "Walks. accessed 3 May"),
        ("<element-citation><source>Walks</source><day>12</day><month>May</month><year>2001</year>"
         "<volume>3</volume><supplement>2</supplement><elocation-id>e5</elocation-id></element-citation>",
         "Walks. 2001 May 12;3 Suppl 2:e5"),
        ("<element-citation><source>Walks</source><date><year>2001</year><month>May</month></date>"
         "<volume>3</volume></element-citation>", "Walks. 2001 May;3"),
        ("<mixed-citation>Lee, <source>Walks</source><year>2001</year><month>5</month><day>12</day>"
         "<volume>3</volume><issue>4</issue>.</mixed-citation>", "Lee, Walks 2001 5 12;3(4)."),
        ("<element-citation><collab><institution>WHO</institution><institution>Unit 5</institution></collab>"
         "<conf-name><named-content>Walks</named-content><institution>Kite</institution></conf-name>"
         "</element-citation>", "WHO Unit 5. Walks Kite"),
        ("<element-citation><name><surname>Berg</surname><given-names>K</given-names><prefix>van der</prefix>"
         "</name><name><surname>Roe</surname><prefix>Sir</prefix></name></element-citation>",
         "van der Berg K, Sir Roe"),
        ("<element-citation><source>Hills</source><publisher-name>Kite</publisher-name><fpage>21</fpage>"
         "<lpage>51</lpage></element-citation>", "Hills. Kite. p 21-51"),
        ("<element-citation><source>Hills</source><volume>2</volume><source>Walks</source><year>2001</year>"
         "<volume>3</volume><issue>1</issue><issue-part>Pt 2</issue-part><fpage>1</fpage></element-citation>",
         "Hills. Vol 2. Walks. 2001;3(1) Pt 2:1"),
        ("<element-citation><source>Hills</source><volume>191 p</volume></element-citation>", "Hills. 191 p"),
        ("<note><label>*</label><p>A remark.</p></note>", "* A remark."),
        ("<p>Only words.</p>", "Only words."),
    ],
)  # fmt: skip
def test_an_entry_is_read_once_with_separators(entry: str, text: str) -> None:
    (reference,) = references(f"<ref><label>1.</label>{entry}</ref>")
    assert (reference.label, reference.text) == ("1.", text)


def test_ids_are_taken_from_every_form_of_an_entry() -> None:
    ids = '<object-id pub-id-type="pmid">77</object-id><pub-id pub-id-type="doi">10.1/x</pub-id>'
    (reference,) = references(f"<ref>{SENTENCE.replace('</mixed', ids + '</mixed')}{PARTS}</ref>")
    assert (reference.pmid, reference.doi) == ("77", "10.1/x")


@pytest.mark.parametrize(
    ("ids", "pmid", "doi"),
    [
        ('doi:<ext-link xlink:href="http://dx.doi.org/10.1234/k.5">10.1234/k.5</ext-link>. PubMed: '
         '<ext-link xlink:href="http://www.ncbi.nlm.nih.gov/pubmed/4711">4711</ext-link>.',
         "4711", "10.1234/k.5"),
        ('<uri xlink:href="https://doi.org/10.1234/k%281%29x">link</uri>, '
         '<ext-link xlink:href="https://pubmed.ncbi.nlm.nih.gov/4711/">4711</ext-link>',
         "4711", "10.1234/k(1)x"),
        ('doi:<ext-link xlink:href="http://short.example/ab">10.1234/0012-9(2000)081[27:D]2.0.CO;2</ext-link>.',
         None, "10.1234/0012-9(2000)081[27:D]2.0.CO;2"),
        ("<comment>DOI: 10.1234/k.5. PMID: 4711.</comment>", "4711", "10.1234/k.5"),
        ('<pub-id pub-id-type="doi">10.1234/own</pub-id> '
         '<ext-link xlink:href="http://dx.doi.org/10.1234/other">erratum</ext-link>', None, "10.1234/own"),
        ('<ext-link xlink:href="http://kites.example/doi-10.1234/x">A page about 10.1234/x</ext-link>',
         None, None),
    ],
)  # fmt: skip
def test_ids_are_taken_from_links_and_words_where_no_element_states_them(
    ids: str, pmid: str | None, doi: str | None
) -> None:
    (reference,) = references(f"<ref><mixed-citation>Lee K. On hills. {ids}</mixed-citation></ref>")
    assert (reference.pmid, reference.doi) == (pmid, doi)


def test_lists_in_lists_keep_their_order() -> None:
    entry = "<ref><label>{0}</label><mixed-citation>On path {0}.</mixed-citation></ref>"
    entries = (
        f"{entry.format(1)}<ref-list>{entry.format(2)}</ref-list>{entry.format(3)}<ref><label>4</label></ref>"
    )
    assert [(reference.label, reference.text) for reference in references(entries)] == [
        ("1", "On path 1."),
        ("2", "On path 2."),
        ("3", "On path 3."),
        (None, "4"),
    ]


ENTRY = "<ref><label>1</label><mixed-citation>On {}. 2001.</mixed-citation></ref>"


def listed(*paths: str) -> str:
    return f"<ref-list>{''.join(map(ENTRY.format, paths))}</ref-list>"


def parts(article: bytes) -> list[tuple[str | None, str | None, str]]:
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1234567", source="pmc"), "default")
    return [(reference.part, reference.label, reference.text) for reference in document.references]


def test_entries_of_lists_that_number_alike_are_told_apart_by_their_part() -> None:
    def reply(path: str) -> str:
        return f'<response response-type="reply"><front-stub/><body/><back>{listed(path)}</back></response>'

    app = f"<app><label>A</label><title>Hills</title><p>See.</p>{listed('moors')}</app>"
    box = (
        f"<boxed-text><label>Box 1</label><caption><title>Key</title></caption>{listed('keys')}</boxed-text>"
    )
    article = an_article(
        f"<sec><title>Talk</title><p>See.</p><sec><title>References</title>{listed('talks')}</sec></sec>{box}",
        back=f"{listed('hills')}<app-group>{app}</app-group>",
        extra=reply("kites") + reply("winds"),
    )
    assert parts(article) == [
        ("Talk", "1", "On talks. 2001."),
        ("Box 1. Key", "1", "On keys. 2001."),
        (None, "1", "On hills. 2001."),
        ("A Hills", "1", "On moors. 2001."),
        ("Reply", "1", "On kites. 2001."),
        ("Reply (2)", "1", "On winds. 2001."),
    ]


def test_two_lists_of_one_article_that_both_start_at_one_have_their_own_headings() -> None:
    more = listed("moors").replace("<ref-list>", "<ref-list><title>Further reading</title>")
    assert parts(an_article(back=f"<sec><title>References</title>{listed('hills')}</sec>{more}")) == [
        (None, "1", "On hills. 2001."),
        ("Further reading", "1", "On moors. 2001."),
    ]


def test_an_article_inside_repeats_only_what_its_marks_would_find_around_it() -> None:
    def inner(path: str, more: str = "") -> str:
        return (
            f'<sub-article article-type="translation"><front-stub/><body/><back>{listed(path)}</back>{more}'
            "</sub-article>"
        )

    article = an_article(back=listed("hills"), extra=inner("hills") + inner("kites", inner("hills")))
    assert parts(article) == [
        (None, "1", "On hills. 2001."),
        ("Translation (2)", "1", "On kites. 2001."),
        ("Translation (2) > Translation (3)", "1", "On hills. 2001."),
    ]
