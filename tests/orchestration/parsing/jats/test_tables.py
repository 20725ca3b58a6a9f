"""The tables of an article: columns by name, spans, header groups, feet, nested tables, marks of notes."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound, indexed_part
from orchestration.parsing.jats import JatsParser
from orchestration.records import Document

OASIS = 'xmlns:oasis="http://www.niso.org/standards/z39-96/ns/oasis-exchange/table"'


def parsed(body: str) -> Document:
    payload = a_payload(an_article(body), "jats", doc_id="PMC1234567", source="pmc")
    document = JatsParser().parse(payload, "default")
    assert_sound(document)
    return indexed_part(document)


def wrapped(table: str, foot: str = "") -> Document:
    return parsed(
        f"<table-wrap><label>Table 1</label>{table}<table-wrap-foot>{foot}</table-wrap-foot></table-wrap>"
    )


def lines_of(document: Document) -> list[str]:
    return document.text.partition("Table 1\n")[2].split("\n")


def oasis(groups: str) -> Document:
    """A table of OASIS groups; elements are written without their prefix."""
    prefixed = groups.replace("</", "</oasis:").replace("<", "<oasis:").replace("<oasis:/oasis:", "</oasis:")
    return wrapped(f"<oasis:table {OASIS}>{prefixed}</oasis:table>")


def test_columns_of_an_oasis_table_are_found_by_their_names() -> None:
    document = oasis(
        '<tgroup cols="4"><colspec colname="a" colnum="1"/><colspec colname="b"/><colspec colname="c"/>'
        '<colspec colname="d"/><spanspec spanname="bc" namest="b" nameend="c"/>'
        '<thead><row><entry morerows="1">Hill</entry><entry spanname="bc">Steps</entry>'
        '<entry colname="d">N</entry></row><row><entry colname="b">Day</entry><entry>Night</entry></row>'
        '</thead><tfoot><row><entry>All</entry><entry colname="d">9</entry></row></tfoot>'
        '<tbody><row><entry>North</entry><entry colname="c">7</entry></row>'
        '<row><entry>South</entry><entry namest="b" nameend="d">none</entry></row></tbody></tgroup>'
    )
    (table,) = document.tables
    assert table.header_rows == 2
    assert table.rows == (
        ("Hill", "Steps", "Steps", "N"),
        ("Hill", "Day", "Night", ""),
        ("North", "", "7", ""),
        ("South", "none", "none", "none"),
        ("All", "", "", "9"),
    )


def test_groups_of_columns_are_tables_of_one_label() -> None:
    group = '<tgroup cols="1"><tbody><row><entry>{}</entry></row></tbody></tgroup>'
    document = oasis(group.format("one") + group.format("two"))
    assert [(table.label, table.rows) for table in document.tables] == [
        ("Table 1", (("one",),)),
        ("Table 1", (("two",),)),
    ]


def test_a_span_ends_with_its_group_of_rows_and_zero_spans_to_its_end() -> None:
    document = wrapped(
        '<table><thead><tr><th rowspan="9">A</th><th>B</th></tr></thead>'
        '<tbody><tr><td rowspan="0">x</td><td>1</td></tr><tr><td>2</td></tr></tbody>'
        "<tbody><tr><td>y</td><td>3</td></tr></tbody></table>"
    )
    assert document.tables[0].rows == (("A", "B"), ("x", "1"), ("x", "2"), ("y", "3"))


@pytest.mark.parametrize(
    ("table", "header_rows"),
    [
        ("<tr><th>A</th></tr><tr><th>B</th></tr><tr><td>1</td></tr>", 2),
        ("<thead><tr><th>A</th></tr></thead><tbody><tr><th>Group</th></tr><tr><td>1</td></tr></tbody>", 1),
        ("<tbody><tr><td>1</td></tr></tbody><tbody><tr><th>Group</th></tr><tr><td>2</td></tr></tbody>", 0),
        ("<tr><th>A</th></tr>", 1),
        ("<thead/><tbody/>", 0),
    ],
)
def test_only_leading_rows_are_header(table: str, header_rows: int) -> None:
    document = wrapped(f"<table>{table}</table>")
    assert [table.header_rows for table in document.tables] == ([header_rows] if "<tr>" in table else [])


def test_a_foot_comes_last_wherever_it_stands() -> None:
    document = wrapped(
        "<table><thead><tr><th>A</th><th>B</th></tr></thead><tfoot><tr><td>Total</td><td>9</td></tr></tfoot>"
        "<tbody><tr><td>x</td><td>9</td></tr></tbody></table>"
    )
    assert lines_of(document) == ["A | B", "x | 9", "Total | 9"]


def test_a_table_in_a_cell_is_a_table_after_its_own() -> None:
    inner = (
        "<table><tbody><tr><td>in1</td><td>in2<table><tr><td>deep</td></tr></table></td></tr></tbody></table>"
    )
    document = wrapped(f"<table><tbody><tr><td>outer{inner}</td><td>right</td></tr></tbody></table>")
    assert [table.rows for table in document.tables] == [
        (("outer", "right"),),
        (("in1", "in2"),),
        (("deep",),),
    ]
    assert [document.text.count(word) for word in ("outer", "in1", "in2", "deep")] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("5{}7", "5 7"),
        ("5{}{}7", "5 7"),
        ("<p>5</p>{}7", "5 7"),
        ("<italic>5{}</italic>7", "5 7"),
        ("{}7", "7"),
        ("5{}", "5"),
    ],
)
def test_text_around_a_table_in_a_cell_is_set_apart(cell: str, text: str) -> None:
    inner = "<table><tr><td>in</td></tr></table>"
    document = wrapped(
        f"<table><tbody><tr><td>{cell.replace('{}', inner)}</td><td>right</td></tr></tbody></table>"
    )
    assert document.tables[0].rows[0] == (text, "right")


def test_marks_of_notes_are_set_apart_from_values_with_and_without_references() -> None:
    document = wrapped(
        '<table><thead><tr><th>Arm<xref ref-type="table-fn" rid="a"><sup>a</sup></xref></th><th>HR</th></tr>'
        '</thead><tbody><tr><td>A</td><td>0.83<xref ref-type="table-fn" rid="n">1</xref></td></tr>'
        "<tr><td>B<sup>a</sup></td><td>45<sup>2</sup></td></tr><tr><td>C<sup>a,2</sup></td><td>10<sup>2</sup></td>"
        "</tr><tr><td>D*</td><td>5 m<sup>2</sup></td></tr></tbody></table>",
        "<fn-group><fn><label>a</label><p>Adjusted.</p></fn>"
        "<fn><label>1</label><p>20 walks.</p></fn></fn-group>"
        "<p><sup>2</sup>Crude.</p><fn><p>* p &lt; 0.05</p></fn><attrib>Walk Survey</attrib>",
    )
    assert lines_of(document) == [
        "Arm[a] | HR",
        "A | 0.83[1]",
        "B[a] | 45[2]",
        "C[a,2] | 10^2",
        "D* | 5 m2",
        "a Adjusted.",
        "[1] 20 walks.",
        "2 Crude.",
        "* p < 0.05",
        "Walk Survey",
    ]


def test_of_alternatives_the_table_is_read_and_a_picture_keeps_its_caption() -> None:
    rows = "<table><tr><td>x<break/>y</td><td><p>1</p><p>2</p></td></tr></table>"
    document = wrapped(f"<alternatives><graphic/>{rows}<textual-form>no</textual-form></alternatives>")
    assert [table.rows for table in document.tables] == [(("x y", "1 2"),)]
    picture = parsed(
        "<table-wrap><label>Table 2</label><caption><p>Steps.</p></caption><graphic/>"
        "<table-wrap-foot><p>By day.</p></table-wrap-foot></table-wrap>"
    )
    assert picture.text.endswith("Table 2. Steps. By day.")
    assert picture.tables == ()


def test_two_tables_of_one_label_have_their_caption_once() -> None:
    table = "<table><tr><td>{}</td></tr></table>"
    document = parsed(
        "<table-wrap><label>Table 1</label><caption><p>Steps</p></caption>"
        f"{table.format('one')}{table.format('two')}</table-wrap>"
    )
    assert document.text.endswith("Table 1. Steps\none\n\nTable 1\ntwo")


ROWS = "<table><tr><td>one</td></tr></table>"


@pytest.mark.parametrize("form", ["<textual-form>Kites rise.</textual-form>", "<code>Kites rise.</code>"])
def test_alternatives_without_a_table_beside_a_table_keep_their_words(form: str) -> None:
    document = parsed(
        "<table-wrap><label>Table 1</label><caption><p>Steps.</p></caption>"
        f"<alternatives><graphic/>{form}</alternatives>{ROWS}</table-wrap>"
    )
    assert document.text.endswith("Table 1. Steps\none\n\nKites rise.")


@pytest.mark.parametrize("table", [ROWS, "<graphic/>"])
def test_a_second_label_and_caption_and_loose_words_of_a_table_are_kept(table: str) -> None:
    document = parsed(
        "<table-wrap><label>Table 1</label><caption><p>Steps.</p></caption><label>Tableau 1</label>"
        f"<caption><p>Pas.</p></caption>{table}By day.</table-wrap>"
    )
    for text in ("Table 1. Steps", "Tableau 1", "Pas.", "By day."):
        assert document.text.count(text) == 1
    words = parsed(f"<table-wrap><label>Table 1</label>{ROWS}By day.</table-wrap>")
    assert words.text.endswith("Table 1\none\n\nBy day.")


@pytest.mark.parametrize(
    ("foot", "cell", "text"),
    [
        ("<p><sup>1</sup> first. <sup>2</sup> second</p>", "45<sup>2</sup>", "45[2]"),
        ("<p><sup>1</sup> first. <sup>2</sup> second</p>", "R<sup>2</sup>", "R2"),
        ("<p><sup>1</sup> first. <sup>2</sup> second</p>", "Adjusted R<sup>2</sup> (%)", "Adjusted R2 (%)"),
        ("<p><sup>1</sup>first <sup>2</sup>second <sup>3</sup>third</p>", "5 cm<sup>3</sup>", "5 cm3"),
        ("<p><sup>1</sup>first <sup>2</sup>second <sup>3</sup>third</p>", "5 mg<sup>3</sup>", "5 mg[3]"),
        ("<p><sup>1</sup>first <sup>2</sup>second <sup>3</sup>third</p>", "10<sup>3</sup>", "10^3"),
        ("<p><sup>1</sup> first. <sup>2</sup> second</p>", "I<sup>2</sup>, χ<sup>2</sup>", "I2, χ2"),
        ("<p><sup>1</sup> first. <sup>2</sup> second</p>", "Stage I<sup>2</sup>", "Stage I[2]"),
        ("<p><sup>a</sup>Crude<break/><sup>b</sup>Adjusted</p>", "7<sup>b</sup>", "7[b]"),
        ("<p><sup>*</sup>Crude; <sup>†</sup>adjusted</p>", "7<sup>†</sup>", "7†"),
        ("<p><sup>a</sup>of 20 kg/m<sup>2</sup>. <sup>18</sup>F counted.</p>", "45<sup>2</sup>", "45^2"),
        ("<p><sup>a</sup>Crude. <sup>18</sup>F counted.</p>", "45<sup>18</sup>", "45^18"),
        ("<fn symbol='b'><p>Crude.</p></fn>", "7<sup>b</sup>", "7[b]"),
        ("<p><sup>1</sup>first <sup>2</sup>second</p>", "12 (40%<sup>2</sup>)", "12 (40%[2])"),
        ("<p><sup>1</sup>first <sup>2</sup>second</p>", "kg/m<sup>2</sup><sup>1</sup>", "kg/m2[1]"),
        ("<p><sup>1</sup>first <sup>2</sup>second</p>", "η<sub>p</sub><sup>2</sup>", "ηp^2"),
        ("<p><sup>1</sup>first <sup>2</sup>second</p>", "<sup>2</sup>H (‰)", "2H (‰)"),
        ("<p><sup>1</sup>first <sup>2</sup>second</p>", "10<sup>− 2</sup>", "10^−2"),
        ("<p><sup>a</sup>Crude<break/><sup>b</sup>Adjusted</p>", "12 (40%<sup>a</sup>)", "12 (40%[a])"),
        ("<p><sup>a</sup>Crude<break/><sup>b</sup>Adjusted</p>", "5.1<sup>ab</sup>", "5.1[a,b]"),
    ],
)
def test_every_label_of_the_foot_is_a_mark_and_powers_stay(foot: str, cell: str, text: str) -> None:
    document = wrapped(f"<table><tbody><tr><td>x</td><td>{cell}</td></tr></tbody></table>", foot)
    assert document.tables[0].rows[0][1] == text


def test_the_labels_of_footer_rows_are_marks() -> None:
    document = wrapped(
        "<table><tbody><tr><td>45<sup>2</sup></td></tr></tbody><tfoot><tr><td><sup>2</sup> Crude</td></tr>"
        "</tfoot></table>"
    )
    assert lines_of(document) == ["45[2]", "[2] Crude"]


def test_a_note_keeps_the_symbol_that_its_attribute_states() -> None:
    document = wrapped("<table><tr><td>x</td></tr></table>", "<fn symbol='b'><p>Crude.</p></fn>")
    assert lines_of(document)[1:] == ["b Crude."]


def test_every_column_has_its_cell_in_each_line() -> None:
    document = wrapped(
        '<table><thead><tr><th colspan="5">All walks</th></tr><tr><th>Hill</th><th colspan="3">Steps</th>'
        '<th>N</th></tr></thead><tbody><tr><td colspan="5">North</td></tr><tr><td>a|b</td>'
        '<td colspan="2">none</td><td>7</td><td/></tr><tr><td>c</td><td colspan="4">lost</td></tr>'
        "<tr><td>d</td><td>1</td><td>2</td><td>3</td><td>6</td></tr></tbody>"
        "</table>"
    )
    assert lines_of(document) == [
        "All walks",
        "Hill | Steps | Steps | Steps | N",
        "North",
        "a\\|b | none | none | 7",
        "c | lost",
        "d | 1 | 2 | 3 | 6",
    ]
    assert document.tables[0].rows[3][0] == "a|b"


def test_a_column_that_no_cell_begins_in_is_not_written() -> None:
    wide = '<td colspan="2">{}</td>'
    row = f"<tr>{wide.format('a')}{wide.format(7)}</tr>"
    document = wrapped(
        f"<table><thead><tr>{wide.format('')}<td>n</td></tr></thead><tbody>{row * 2}</tbody></table>"
    )
    assert lines_of(document) == [" | n", "a | 7", "a | 7"]
    assert document.tables[0].rows[1] == ("a", "a", "7", "7")
