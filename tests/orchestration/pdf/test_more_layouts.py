"""Layouts of other journals and of manuscripts: words, numbers and cells where they are printed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from orchestration.contracts import PdfBlockKind
from tests.orchestration.pdf.drawn_pages import document_of, drawn, pdf_with, text, text_drawn

SENTENCE = "We walked every day of the week, and counted steps"
COLUMNS = (72, 200, 300, 400)
TABLE = [
    ("Item", "Drug", "Placebo", "P"),
    ("Age", "58.1 (3)", "60", ".03"),
    ("Steps", "100", "1,120", "<.001"),
]


def a_table(
    canvas: Canvas, rows: Sequence[Sequence[str]], y: float, columns: Sequence[float] = COLUMNS
) -> float:
    """A table of three rules; returns the height of the last one."""
    end = y - 16 - 13 * (len(rows) - 1) - 6
    for height in (y, y - 16, end):
        canvas.line(columns[0] - 2, height, columns[-1] + 60, height)
    for number, row in enumerate(rows):
        for x, cell in zip(columns, row, strict=True):
            if cell:
                text(canvas, [cell], x=x, y=y - 12 - 13 * number - (4 if number else 0), size=9)
    return end


def rows_drawn(*pages: object) -> list[list[tuple[str, ...]]]:
    blocks = [block for block in drawn(*pages) if block.kind is PdfBlockKind.TABLE]  # type: ignore[arg-type]
    return [[tuple(cell.text for cell in row) for row in block.rows] for block in blocks]


def beside(canvas: Canvas, y: float, lines: int, names: str) -> None:
    """Lines of two columns, each with the name of its column and its number."""
    for number in range(lines):
        for x, name in zip((56, 310), names, strict=True):
            text(canvas, [f"{SENTENCE} {name}{number}"], x=x, y=y - 12 * number, size=9.5)


def test_a_table_across_both_columns_stands_between_what_is_above_and_below_it() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        beside(canvas, 780, 10, "AB")
        text(canvas, ["Table 2. Walks of all"], x=56, y=640, size=9)
        end = a_table(canvas, TABLE, 632, (58, 200, 330, 450))
        beside(canvas, end - 30, 10, "CD")

    assert rows_drawn(draw) == [TABLE]
    words = document_of(pdf_with(draw)).text
    places = [words.index(f"steps {name}{number}") for name in "ABCD" for number in range(10)]
    assert places == sorted(places)


@pytest.mark.parametrize(("rise", "size"), [(3, 9), (4.5, 9), (5.5, 9), (3, 6), (4, 6)])
def test_a_high_asterisk_stays_in_the_row_of_its_value(rise: float, size: float) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Walkers"], y=728)
        a_table(canvas, TABLE, 720)
        for x, cell, row in ((200, "58.1 (3)", 1), (400, "<.001", 2), (72, "Steps", 2)):
            width = stringWidth(cell, "Times-Roman", 9)
            text(canvas, ["*"], x=x + width, y=720 - 16 - 13 * row + rise, size=size)

    (rows,) = rows_drawn(draw)
    assert [tuple(cell.replace(" *", "*") for cell in row) for row in rows] == [
        TABLE[0],
        ("Age", "58.1 (3)*", "60", ".03"),
        ("Steps*", "100", "1,120", "<.001*"),
    ]


def test_counts_in_parentheses_belong_to_the_names_of_columns_above_them() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Walkers"], y=728)
        canvas.line(70, 720, 470, 720)
        for y, row in ((708, ("", "Drug", "Placebo", "P")), (698, ("Item", "(n = 40)", "(n = 41)", ""))):
            for x, cell in zip(COLUMNS, row, strict=True):
                text(canvas, [cell], x=x, y=y, size=9)
        canvas.line(70, 692, 470, 692)
        for number, row in enumerate(TABLE[1:]):
            for x, cell in zip(COLUMNS, row, strict=True):
                text(canvas, [cell], x=x, y=680 - 13 * number, size=9)
        canvas.line(70, 660, 470, 660)

    assert rows_drawn(draw) == [[("Item", "Drug (n = 40)", "Placebo (n = 41)", "P"), *TABLE[1:]]]


def test_items_of_a_numbered_list_and_their_lettered_items_are_paragraphs() -> None:
    lines = [
        (72, f"{SENTENCE}:"),
        (72, "1. Adults of 18 to 65 years who walk every day and who have done so for at"),
        (86, "least 3 months before"),
        (72, "2. Sleep of 7 h"),
        (86, "a. on 5 days"),
        (86, "b. on 6 days"),
        (72, "3. No illness"),
    ]

    def draw(canvas: Canvas, _: int) -> None:
        for number, (x, line) in enumerate(lines):
            text(canvas, [line], x=x, y=780 - 12 * number)
        text(canvas, [lines[1][1][3:]] * 4, y=660)

    assert text_drawn(draw).split("\n")[:-1] == [
        f"{SENTENCE}:",
        "1. Adults of 18 to 65 years who walk every day and who have done so for at least 3 months before",
        "2. Sleep of 7 h",
        "a. on 5 days",
        "b. on 6 days",
        "3. No illness",
    ]


def test_a_word_and_a_number_over_the_end_of_a_column_go_on() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        beside(canvas, 780, 11, "AB")
        text(canvas, ["and all of the towns took part in the randomi-"], x=56, y=648, size=9.5)
        text(canvas, ["sation of the walkers, of whom we counted 11"], x=310, y=792, size=9.5)

    assert "the randomisation of the walkers, of whom we counted 11" in document_of(pdf_with(draw)).text


def test_text_recognised_behind_a_scan_is_read() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.drawImage(ImageReader(Image.new("RGB", (200, 280), "white")), 0, 0, 595, 842)
        layer = canvas.beginText(72, 760)
        layer.setFont("Times-Roman", 11)
        layer.setTextRenderMode(3)
        layer.textLines([f"{SENTENCE} on {number} of 1100 days" for number in range(3)])
        canvas.drawText(layer)

    assert text_drawn(draw) == " ".join(f"{SENTENCE} on {number} of 1100 days" for number in range(3))


def test_text_outside_the_shown_part_of_a_page_is_not_in_the_document() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.setCropBox((50, 300, 500, 800))
        text(canvas, [f"{SENTENCE} 12", f"{SENTENCE} 13"])
        text(canvas, ["PROOF 12 of 13"], y=100)

    assert text_drawn(draw) == f"{SENTENCE} 12 {SENTENCE} 13"


def test_small_capitals_and_ligatures_are_words() -> None:
    pdfmetrics.registerFont(pdfmetrics.Font("Standard", "Times-Roman", "StandardEncoding"))

    def draw(canvas: Canvas, _: int) -> None:
        x = 72.0
        for part, size in (("R", 12), ("ESULTS OF ", 9), ("T", 12), ("RIAL 12", 9)):
            text(canvas, [part], x=x, size=size)
            x += stringWidth(part, "Times-Roman", size)
        text(canvas, ["The \ufb01rst \ufb02ow of 55 was well"], y=740, font="Standard")

    assert text_drawn(draw).split("\n") == ["RESULTS OF TRIAL 12", "The first flow of 55 was well"]


def test_signs_of_the_symbol_font_stand_beside_their_numbers() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        line = canvas.beginText(72, 760)
        for part in ("Mean 5.3 ", "±", " 1.2 and 3 ", "×", " 4 at P ", "≤", " .05, 12 ", "μ", "g"):
            line.setFont("Times-Roman" if part.isascii() else "Symbol", 10)
            line.textOut(part)
        canvas.drawText(line)

    assert text_drawn(draw).replace("µ", "μ") == "Mean 5.3 ± 1.2 and 3 × 4 at P ≤ .05, 12 μg"


def test_notes_at_the_foot_of_a_page_are_no_text_and_their_marks_no_numbers() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Of 500"])
        text(canvas, ["1"], x=72 + stringWidth("Of 500", "Times-Roman", 10), y=764, size=6)
        text(canvas, ["walkers all slept."], x=72 + stringWidth("Of 5001 ", "Times-Roman", 10))
        text(canvas, [SENTENCE] * 20, y=740, size=10)
        text(canvas, ["1"], y=121, size=5.5)
        text(canvas, ["Counted at noon in 12 towns."], x=76, y=118, size=8)

    blocks = drawn(draw)
    assert blocks[0].text == "Of 500[1] walkers all slept."
    assert [block.text for block in blocks if block.kind is PdfBlockKind.FOOTNOTE] == [
        "[1] Counted at noon in 12 towns."
    ]
