"""The text layer on layouts that a whole article seldom has: odd tables, edges of pages, exponents."""

from __future__ import annotations

import io
from typing import Any

import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from orchestration.contracts import PdfBlock, PdfBlockKind
from orchestration.pdf.text_layer.hyphens import Vocabulary, joined_lines
from tests.orchestration.pdf.drawn_pages import converted, drawn, text, text_drawn


def a_table(rows: list[list[Any]], style: list[Any], widths: list[float] | None = None) -> PdfBlock:
    """The one table of a page with a caption and a paragraph after it."""
    buffer = io.BytesIO()
    words = ParagraphStyle("words", fontName="Times-Roman", fontSize=10, leading=12, spaceBefore=12)
    caption = ParagraphStyle("caption", parent=words, fontSize=9)
    SimpleDocTemplate(buffer, pagesize=A4, invariant=1).build(
        [
            Paragraph("We counted steps. " * 20, words),
            Paragraph("Table 1. Steps by day", caption),
            Table(
                rows,
                colWidths=widths,
                style=[("FONT", (0, 0), (-1, -1), "Times-Roman", 9), *style],
                hAlign="LEFT",
            ),
            Paragraph("We counted again. " * 20, words),
        ]
    )
    tables = [block for block in converted(buffer.getvalue()).blocks if block.kind is PdfBlockKind.TABLE]
    assert len(tables) == 1
    return tables[0]


def cells(block: PdfBlock) -> list[list[str]]:
    return [[cell.text for cell in row] for row in block.rows]


GRID = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
BOOKTABS = [
    ("LINEABOVE", (0, 0), (-1, 0), 1, colors.black),
    ("LINEBELOW", (0, -1), (-1, -1), 1, colors.black),
]


def test_cells_of_several_lines_are_one_cell_in_a_grid() -> None:
    words = ParagraphStyle("cell", fontName="Times-Roman", fontSize=9, leading=11)
    long = "walked every morning before they had their breakfast"
    rows = [["Group", "What they did"], ["A", Paragraph(long, words)], ["B", "slept"]]
    assert cells(a_table(rows, GRID, [80, 110])) == [["Group", "What they did"], ["A", long], ["B", "slept"]]


def test_a_header_that_spans_columns_says_so() -> None:
    rows = [
        ["Site", "Steps of all participants", ""],
        ["", "before", "after"],
        ["North", "900", "1,200"],
        ["South", "800", "1,100"],
    ]
    style = [
        *BOOKTABS,
        ("SPAN", (1, 0), (2, 0)),
        ("ALIGN", (1, 0), (2, 0), "CENTER"),
        ("LINEBELOW", (0, 1), (-1, 1), 0.5, colors.black),
    ]
    table = a_table(rows, style, [90, 70, 70])
    assert [(cell.text, cell.columns) for cell in table.rows[0]] == [
        ("Site", 1),
        ("Steps of all participants", 2),
    ]
    assert cells(table)[1:] == [["", "before", "after"], ["North", "900", "1,200"], ["South", "800", "1,100"]]
    assert table.header_rows == 2


def test_empty_cells_keep_their_columns() -> None:
    rows = [["Day", "Steps", "Sleep"], ["1", "", "8 h"], ["2", "900", ""], ["3", "700", "7 h"]]
    assert cells(a_table(rows, BOOKTABS, [60, 60, 60])) == rows


def test_notes_in_smaller_type_below_a_table_are_its_notes() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["We walked every day of the week, and counted all our steps."] * 6)
        text(canvas, ["Table 2. Steps"], y=660, size=9)
        canvas.line(72, 650, 300, 650)
        for number, (day, steps) in enumerate([("Day", "Steps"), ("1", "900"), ("2", "700")]):
            text(canvas, [day], y=638 - 12 * number, size=9)
            text(canvas, [steps], x=180, y=638 - 12 * number, size=9)
        canvas.line(72, 608, 300, 608)
        text(canvas, ["Counted by hand, at noon."], y=598, size=8)
        text(canvas, ["We slept every night of the week, and counted all our hours."] * 6, y=560)

    (table,) = [block for block in drawn(draw) if block.kind is PdfBlockKind.TABLE]
    assert (table.text, table.notes) == ("Table 2. Steps", ("Counted by hand, at noon.",))
    assert cells(table) == [["Day", "Steps"], ["1", "900"], ["2", "700"]]


def test_a_table_over_a_page_break_is_one_table_and_its_repeated_header_stands_once() -> None:
    buffer = io.BytesIO()
    rows = [["Day", "Steps"], *([str(day), str(900 + day)] for day in range(60))]
    style = [("FONT", (0, 0), (-1, -1), "Times-Roman", 9), *GRID]
    SimpleDocTemplate(buffer, pagesize=A4, invariant=1).build(
        [Table(rows, colWidths=[80, 80], repeatRows=1, style=style, hAlign="LEFT")]
    )
    (table,) = [block for block in converted(buffer.getvalue()).blocks if block.kind is PdfBlockKind.TABLE]
    assert cells(table) == rows
    assert [box.page_no for box in table.boxes] == [1, 2]


def test_two_rules_around_a_paragraph_make_no_table() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.line(72, 775, 500, 775)
        text(
            canvas,
            ["We walked every day of the week, and counted all our steps and all our hours of sleep."] * 5,
        )
        canvas.line(72, 700, 500, 700)
        text(
            canvas,
            ["We slept every night of the week, and counted all our hours of sleep and all our steps."] * 5,
            y=680,
        )

    assert {block.kind for block in drawn(draw)} == {PdfBlockKind.PARAGRAPH}


def test_three_columns_are_read_one_after_the_other() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        for column, name in enumerate(("first", "second", "third")):
            text(
                canvas, [f"words of the {name} column, {line:02}" for line in range(30)], x=50 + 175 * column
            )

    joined = " ".join(block.text for block in drawn(draw))
    expected = " ".join(
        f"words of the {name} column, {line:02}"
        for name in ("first", "second", "third")
        for line in range(30)
    )
    assert joined == expected


def test_exponents_keep_their_sign() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.setFont("Times-Roman", 10)
        line = canvas.beginText(72, 700)
        for part, rise, size in (
            ("A count of 10", 0, 10),
            ("6", 4, 7),
            (" cells per mm", 0, 10),
            ("2", 4, 7),
            (" at p of 10", 0, 10),
            ("-3", 4, 7),
            (".", 0, 10),
        ):
            line.setFont("Times-Roman", size)
            line.setRise(rise)
            line.textOut(part)
        canvas.drawText(line)

    (block,) = drawn(draw)
    assert block.text == "A count of 10^6 cells per mm2 at p of 10^-3."


def test_an_asterisk_above_the_baseline_in_the_size_of_its_line_is_part_of_the_line() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        line = canvas.beginText(72, 700)
        line.setFont("Times-Roman", 10)
        for part, rise in (
            ("We used W", 0),
            ("*", 2.2),
            ("Power and 2 ", 0),
            ("*", 2.2),
            (" (3 - 1) walks.", 0),
        ):
            line.setRise(rise)
            line.textOut(part)
        canvas.drawText(line)
        text(canvas, ["The next line says how long they took."], y=688)

    assert text_drawn(draw) == "We used W*Power and 2 * (3 - 1) walks. The next line says how long they took."


def test_text_printed_twice_to_look_bold_is_read_once() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        for shift in (0, 0.3):
            text(canvas, ["Participants walked before they slept."], x=72 + shift)

    (block,) = drawn(draw)
    assert block.text == "Participants walked before they slept."


def test_a_stamp_up_the_margin_is_left_out() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["We walked every day of the week, and counted all our steps."] * 10)
        canvas.rotate(90)
        text(canvas, ["arXiv:2001.00001v1 [q-bio] 1 Jan 2020"], x=300, y=-30)

    assert "arXiv" not in " ".join(block.text for block in drawn(draw))


def test_lines_that_repeat_at_the_edges_of_pages_are_running_and_the_same_words_elsewhere_stay() -> None:
    def draw(canvas: Canvas, number: int) -> None:
        text(canvas, ["Walking and Sleep"], y=800, size=8)
        text(
            canvas,
            [f"Line {line} of page {number} is about Walking and Sleep." for line in range(20)],
            y=740,
        )
        text(canvas, [f"Page {number} of 3"], y=40, size=8)

    blocks = drawn(draw, draw, draw)
    joined = " ".join(block.text for block in blocks)
    assert joined.count("Walking and Sleep") == 60
    assert "of 3" not in joined


def test_a_table_of_contents_gives_no_headings() -> None:
    def draw(canvas: Canvas, number: int) -> None:
        text(canvas, ["Walking for beginners"], y=780, size=18, font="Times-Bold")
        text(
            canvas,
            [
                f"{chapter} Chapter about walking . . . . . . . . . . . . . . {chapter}"
                for chapter in range(1, 9)
            ],
            y=740,
            font="Times-Bold",
        )
        text(canvas, ["We walked every day of the week, and counted all our steps."] * 10, y=600)

    assert PdfBlockKind.HEADING not in {block.kind for block in drawn(draw)}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["the treat-", "ment of sleep"], "the treatment of sleep"),
        (["a well-", "known fact"], "a well-known fact"),
        (["EGFR-", "TKI therapy"], "EGFR-TKI therapy"),
        (["from 10-", "20 mg"], "from 10-20 mg"),
        (["good-", "ness-of-fit"], "good-ness-of-fit"),
        (["soft\u00ad", "ware"], "software"),
        (["no hyphen", "here"], "no hyphen here"),
        (["a range 5 -", "7"], "a range 5 - 7"),
        (["paired-", "catchment data"], "paired-catchment data"),
    ],
)
def test_a_hyphen_at_a_lines_end_goes_unless_the_word_is_written_with_it(
    lines: list[str], expected: str
) -> None:
    vocabulary = Vocabulary(["it is well-known", "a paired trial in a catchment", *lines])
    assert joined_lines(lines, vocabulary) == expected


LONG_HEADING = "2.3. Walks that people who live in towns, in villages or at the sea take with others beside"


def test_a_heading_whose_number_is_the_next_one_needs_no_room_below_it_and_may_have_two_lines() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        sentence = "We walked every day of the week, and counted all our steps and hours of sleep, at noon."
        for number, (heading, y) in enumerate(
            [
                ("2.1. Study of walks", 720),
                ("2.2. Walkers", 600),
                (LONG_HEADING, 480),
            ]
        ):
            text(canvas, [heading], y=y)
            below = {0: 20, 1: 12, 2: 32}[number]
            text(canvas, [sentence] * 5, y=y - below)
        text(canvas, ["rivers and lakes"], y=468)
        text(canvas, ["2.7. Kilometres were the unit of all distances"], y=360)
        text(canvas, [sentence] * 5, y=348)

    blocks = drawn(draw)
    headings = [(block.text, block.level) for block in blocks if block.kind is PdfBlockKind.HEADING]
    assert headings == [
        ("2.1. Study of walks", 2),
        ("2.2. Walkers", 2),
        (f"{LONG_HEADING} rivers and lakes", 2),
    ]


def test_headings_in_capitals_and_with_letters_are_recognised_by_room_above_them() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        sentence = "We walked every day of the week, and counted all our steps and hours of sleep, at noon."
        text(canvas, [sentence] * 5)
        text(canvas, ["II. METHODS"], y=680)
        text(canvas, [sentence] * 5, y=667)
        text(canvas, ["A. Counting of steps"], y=595)
        text(canvas, [sentence] * 5, y=582)
        text(canvas, ["REFERENCES"], y=510, size=8)
        text(
            canvas,
            [f"[{number}] A. Walker, On walking, vol. {number}, 2001." for number in range(1, 5)],
            y=495,
            size=8,
        )

    blocks = drawn(draw)
    headings = [(block.text, block.level) for block in blocks if block.kind is PdfBlockKind.HEADING]
    assert headings == [("II. METHODS", 1), ("A. Counting of steps", 2), ("REFERENCES", headings[-1][1])]
    assert PdfBlockKind.FOOTNOTE not in {block.kind for block in blocks}


def test_a_table_without_rules_in_one_of_two_columns_takes_nothing_of_the_other() -> None:
    prose = ["We walked every day of the week, and counted all our steps."] * 12
    rows = [
        ["Arm", "Died", "P"],
        ["Drug", "15 (20)", "0.04"],
        ["Placebo", "31 (40)", "0.05"],
        ["All", "46", ""],
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, prose, x=50, size=9)
        text(canvas, ["Table 1 Deaths by arm"], x=50, y=610, size=8)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                text(canvas, [cell], x=50 + 70 * column, y=598 - 12 * number, size=8)
        text(canvas, prose * 2, x=310, size=9)

    (table,) = [block for block in drawn(draw) if block.kind is PdfBlockKind.TABLE]
    assert cells(table) == rows
    assert table.text == "Table 1 Deaths by arm"


def test_a_heading_of_rows_is_a_row_and_the_end_of_a_long_label_is_not() -> None:
    rows = [
        ["Event", "Drug", "Placebo"],
        ["Any event", "110", "77"],
        ["Blood", "", ""],
        ["   Anaemia", "50", "22"],
        ["   Low count of blood", "5", "1"],
        ["   platelets, any grade", "", ""],
        ["Gut", "", ""],
        ["   Nausea", "33", "30"],
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Adverse events"], y=780)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                left = 72 + 150 * column + (10 if cell.startswith(" ") else 0)
                text(canvas, [cell.strip()], x=left, y=760 - (14 if number else 0) - 12 * number)
        for height in (772, 750, 645):
            canvas.line(72, height, 500, height)
        text(canvas, PROSE_BELOW, y=600)

    (table,) = [block for block in drawn(draw) if block.kind is PdfBlockKind.TABLE]
    assert [row[0] for row in cells(table)] == [
        "Event",
        "Any event",
        "Blood",
        "Anaemia",
        "Low count of blood platelets, any grade",
        "Gut",
        "Nausea",
    ]


PROSE_BELOW = ["We walked every day of the week, and counted all our steps and hours of sleep."] * 4
