"""The text layer never changes text or numbers silently: what is drawn on a page is read or reported."""

from __future__ import annotations

import io
import re

import pytest
from reportlab.lib import pdfencrypt
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from orchestration.contracts import PdfBlockKind
from orchestration.contracts.pdf import LINE_NUMBERS, SLANTED_TEXT, TURNED_TEXT, WATERMARKS
from orchestration.errors import PdfWithoutTextError
from tests.orchestration.pdf.drawn_pages import (
    converted,
    document_of,
    drawn,
    pdf_with,
    raised,
    text,
    text_drawn,
)

NUMBERS = "Aged 55 to 77 years, 11 of 22 had 1100 mg; p = 0.0011, and illness was still less common in all."
SENTENCE = "We walked every day of the week, and counted all our steps and hours of sleep, at noon."
PROSE = [SENTENCE, f"then {SENTENCE[3:]}", f"and {SENTENCE[3:]}"]


# --- printed twice, raised and dropped letters -----------------------------------------------------


def test_doubled_letters_and_digits_stay_beside_larger_type() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["A"], size=28)
        width = stringWidth("A", "Times-Roman", 28)
        text(canvas, ["ll 55 illnesses of 77 hills were less in 1100 halls."], x=72 + width, size=9)

    assert text_drawn(draw) == "All 55 illnesses of 77 hills were less in 1100 halls."


@pytest.mark.parametrize("scale", [40, 60, 100])
def test_doubled_letters_and_digits_stay_in_narrow_type(scale: int) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        line = canvas.beginText(72, 700)
        line.setFont("Helvetica", 11)
        line.setHorizScale(scale)
        line.textOut(NUMBERS)
        canvas.drawText(line)

    assert text_drawn(draw) == NUMBERS


def test_doubled_letters_and_digits_stay_where_each_is_set_alone() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        x = 72.0
        for letter in NUMBERS:
            text(canvas, [letter], x=x, font="Helvetica")
            x += stringWidth(letter, "Helvetica", 10)

    assert text_drawn(draw) == NUMBERS


@pytest.mark.parametrize(("right", "down"), [(0.25, 0), (0.6, -0.6), (1, 1)])
def test_bold_by_drawing_twice_and_shadows_are_read_once(right: float, down: float) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, [NUMBERS], size=11)
        text(canvas, [NUMBERS], size=11, x=72 + right, y=760 + down)

    assert text_drawn(draw) == NUMBERS


def test_letters_that_are_each_drawn_twice_are_read_once() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        x = 72.0
        for letter in NUMBERS:
            for shift in (0, 0.3):
                text(canvas, [letter], x=x + shift, font="Helvetica")
            x += stringWidth(letter, "Helvetica", 10)

    assert text_drawn(draw) == NUMBERS


def test_an_invisible_layer_of_the_same_text_is_read_once() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, PROSE)
        layer = canvas.beginText(72.4, 759.7)
        layer.setFont("Times-Roman", 10, leading=12)
        layer.setTextRenderMode(3)
        layer.textLines(PROSE)
        canvas.drawText(layer)

    assert text_drawn(draw) == " ".join(PROSE)


@pytest.mark.parametrize("lines", [2, 3, 4])
@pytest.mark.parametrize("first", ["V", "“V"])
def test_a_drop_cap_is_joined_to_its_word(lines: int, first: str) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        size = 12.0 * lines
        text(canvas, [first], y=760 - 12 * (lines - 1), size=size)
        beside = 74 + stringWidth(first, "Times-Roman", size)
        text(canvas, [f"asopressin {SENTENCE[3:]}", *[SENTENCE] * (lines - 1)], x=beside)
        text(canvas, [SENTENCE + SENTENCE[:20]] * 2, y=760 - 12 * lines)

    assert text_drawn(draw).startswith(f"{first}asopressin walked every day")


def test_a_drop_cap_that_is_a_word_stays_one() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["A"], y=748, size=24)
        text(canvas, ["randomised trial of walking and of sleeping was done in four towns.", SENTENCE], x=92)
        text(
            canvas,
            ["The randomised participants were asked to walk and the others were asked to sleep."],
            y=736,
        )

    assert text_drawn(draw).startswith("A randomised trial")


def test_letter_spaced_headings_are_words_and_rows_of_numbers_stay() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        line = canvas.beginText(72, 780)
        line.setFont("Helvetica-Bold", 10)
        line.setCharSpace(4)
        line.textOut("RESULTS AND DISCUSSION")
        line.setCharSpace(0)
        canvas.drawText(line)
        text(canvas, ["A R T I C L E  I N F O"], y=740, font="Helvetica-Bold")
        text(canvas, ["2 . M e t h o d s"], y=710, font="Helvetica-Bold")
        text(canvas, ["1 2 3 4 5 6 7 8"], y=680)

    assert text_drawn(draw).split("\n") == [
        "RESULTS AND DISCUSSION",
        "ARTICLE INFO",
        "2. Methods",
        "1 2 3 4 5 6 7 8",
    ]


# --- marks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffled", [False, True])
def test_citations_stand_apart_from_words_and_numbers_and_powers_stay(shuffled: bool) -> None:
    parts = [
        ("Mortality of 500", 0),
        ("7", 4),
        (" at 20", 0),
        ("8,9", 4),
        (" mg fell", 0),
        ("12–14", 4),
        (" to 10", 0),
        ("9", 4),
        ("/L in 3 m", 0),
        ("2", 4),
        (" with Ca", 0),
        ("2+", 4),
        (" of CO", 0),
        ("2", -2),
        (".", 0),
    ]

    def draw(canvas: Canvas, _: int) -> None:
        places = [sum(stringWidth(p, "Times-Roman", 7 if r else 11) for p, r in parts[:n]) for n in range(15)]
        order = list(range(15))
        for number in [*order[1::2], *order[::2]] if shuffled else order:
            raised(canvas, [parts[number]], x=72 + places[number])

    expected = "Mortality of 500[7] at 20[8,9] mg fell[12–14] to 10^9/L in 3 m2 with Ca2+ of CO2."
    assert text_drawn(draw) == expected


def test_marks_of_numbers_in_cells_are_in_the_notes_of_the_table() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Deaths by arm"], y=720)
        canvas.line(72, 712, 500, 712)
        for row, cells in enumerate(
            [("Arm", "N", "Deaths"), ("Drug", "120", "15"), ("Placebo", "118", "31")]
        ):
            for column, cell in enumerate(cells):
                marks = [("a", 4)] if cell in ("15", "31") else []
                raised(canvas, [(cell, 0), *marks], x=72 + 140 * column, y=700 - 14 * row)
        canvas.line(72, 668, 500, 668)
        text(canvas, PROSE, y=640)

    document = document_of(pdf_with(draw))
    (table,) = document.tables
    assert table.rows == (("Arm", "N", "Deaths"), ("Drug", "120", "15"), ("Placebo", "118", "31"))
    assert "Marks in cells: a (Drug, Deaths); a (Placebo, Deaths)." in document.text


# --- signs without characters ----------------------------------------------------------------------


def without_unicode(pdf: bytes) -> bytes:
    """The PDF without the tables that give its fonts' glyphs Unicode values."""
    return re.sub(rb"/ToUnicode \d+ 0 R", lambda match: b" " * len(match.group()), pdf)


def test_glyphs_without_characters_are_marked_in_place_and_counted() -> None:
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))

    def draw(canvas: Canvas, _: int) -> None:
        x = 72.0
        for part, font in (("took 5 ", "Times-Roman"), ("µ", "Vera"), ("g daily, ", "Times-Roman")):
            text(canvas, [part], x=x, font=font)
            x += stringWidth(part, font, 10)
        for part, font in (("0.61 ", "Times-Roman"), ("±", "Vera"), (" 0.1 in all hospitals", "Times-Roman")):
            text(canvas, [part], x=x, font=font)
            x += stringWidth(part, font, 10)

    pdf = pdf_with(draw)
    assert text_of_blocks(pdf) == "took 5 µg daily, 0.61 ± 0.1 in all hospitals"
    document = document_of(without_unicode(pdf))
    assert document.text == "took 5 \ufffdg daily, 0.61 \ufffd 0.1 in all hospitals"
    assert document.metadata["unmapped_characters"] == 2


def text_of_blocks(pdf: bytes) -> str:
    return "\n".join(block.text for block in converted(pdf).blocks)


def test_the_symbol_font_is_read_by_its_encoding() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Signs: "])
        text(canvas, ["≥ ≤ α β μ ± × ≠"], x=110, font="Symbol")

    assert text_drawn(draw) == "Signs: ≥ ≤ α β µ ± × ≠"


# --- numbers that are no line numbers --------------------------------------------------------------


def test_numbers_of_lists_rows_and_references_are_no_line_numbers() -> None:
    items = [
        f"age of at least {number} weeks, as written in the protocol of {number}" for number in range(40, 52)
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, PROSE)
        for number, item in enumerate(items, start=1):
            text(canvas, [str(number)], y=700 - 14 * number)
            text(canvas, [item], x=92, y=700 - 14 * number)
        text(canvas, ["Table 1. Days"], y=500)
        for number in range(1, 12):
            for column, cell in enumerate((str(number), f"day {number} of the trial", str(40 + 3 * number))):
                text(canvas, [cell], x=72 + 120 * column, y=486 - 12 * number)
        text(canvas, PROSE, y=330)

    document = document_of(pdf_with(draw))
    assert LINE_NUMBERS not in document.metadata.get("left_out", {})
    assert all(f"{number} {item}" in document.text for number, item in enumerate(items, start=1))
    assert [row[0] for row in document.tables[0].rows] == [str(number) for number in range(1, 12)]


def test_numbers_at_the_beginning_of_lines_of_prose_stay() -> None:
    lines = [
        f"{number} patients walked and slept in the week that {SENTENCE[10:60]}" for number in range(20, 50)
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, lines)

    assert text_drawn(draw) == " ".join(lines)


# --- other directions ------------------------------------------------------------------------------


def test_a_table_on_its_side_is_read_with_its_box_on_the_page() -> None:
    rows = [("Arm", "Grade 3", "Deaths"), ("Drug", "12", "7"), ("Placebo", "3", "1")]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, PROSE * 4)
        canvas.translate(500, 120)
        canvas.rotate(90)
        text(canvas, ["Table 1. Deaths by arm"], x=0, y=60)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                text(canvas, [cell], x=110 * column, y=40 - 15 * row)

    (table,) = [block for block in drawn(draw) if block.kind is PdfBlockKind.TABLE]
    assert [[cell.text for cell in row] for row in table.rows] == [list(row) for row in rows]
    (box,) = table.boxes
    assert 420 < box.left < box.right < 540
    assert box.bottom - box.top > 200


def test_labels_of_axes_stamps_and_watermarks_are_counted_as_left_out() -> None:
    def draw(canvas: Canvas, number: int) -> None:
        text(canvas, [*PROSE, f"Page {number} of the trial."])
        canvas.saveState()
        text(canvas, ["DRAFT"], x=200, y=400, font="Helvetica-Bold", size=60)
        canvas.rotate(90)
        text(canvas, ["Expression (a.u.)"], x=300, y=-30)
        canvas.rotate(-45)
        text(canvas, ["COPY"], x=300, y=100, size=40)
        canvas.restoreState()

    result = converted(pdf_with(draw, draw))
    assert "\n".join(block.text for block in result.blocks).count("DRAFT") == 0
    assert result.left_out == {WATERMARKS: 10, TURNED_TEXT: 32, SLANTED_TEXT: 8}


@pytest.mark.parametrize("degrees", [-6, 1.5, 4])
def test_a_page_that_was_scanned_askew_is_read(degrees: float) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.translate(40, -20)
        canvas.rotate(degrees)
        text(canvas, PROSE * 5)

    assert text_drawn(draw) == " ".join(PROSE * 5)


# --- forms, and files that are not what they should be ---------------------------------------------


def test_values_of_form_fields_are_read_where_they_are_shown() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        form = canvas.acroForm
        text(canvas, ["Event:"], y=700)
        form.textfield(name="event", x=160, y=694, width=300, height=20, value="Agranulocytosis grade 4")
        text(canvas, ["Drug:"], y=660)
        form.choice(name="drug", x=160, y=654, value="Metformin", options=["Metformin", "Insulin"])
        text(canvas, ["Serious:"], y=620)
        form.checkbox(name="serious", x=160, y=616, checked=True)
        text(canvas, ["Notes:"], y=580)
        form.textfield(
            name="notes",
            x=160,
            y=540,
            width=300,
            height=50,
            value="500 mg\nfor 12 days",
            fieldFlags="multiline",
        )

    read = text_drawn(draw)
    for value in ("Agranulocytosis grade 4", "Metformin", "☒", "500 mg", "for 12 days"):
        assert value in read
    assert read.index("Event:") < read.index("Agranulocytosis") < read.index("Drug:")


def test_a_pdf_with_only_an_owner_password_or_with_junk_before_it_is_read() -> None:
    locked = pdf_with(
        lambda canvas, _: text(canvas, PROSE),
        encrypt=pdfencrypt.StandardEncryption("", ownerPassword="owner", canCopy=0),
    )
    plain = pdf_with(lambda canvas, _: text(canvas, PROSE))
    assert text_of_blocks(locked) == " ".join(PROSE)
    assert text_of_blocks(b"HTTP/1.1 200 OK\r\n\r\n" + plain) == " ".join(PROSE)


def test_pages_without_text_and_images_are_not_called_scans() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.line(72, 72, 300, 300)
    canvas.showPage()
    canvas.save()
    with pytest.raises(PdfWithoutTextError, match="hold no text: they are empty, or their words are drawn"):
        converted(buffer.getvalue())


def test_a_citation_behind_a_unit_of_area_is_no_part_of_its_exponent() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        raised(canvas, [("It was 30.5 kg/m", 0), ("2", 4), ("8,9", 4), (" in 12 cm", 0), ("2", 4), ("14", 4)])

    assert text_drawn(draw) == "It was 30.5 kg/m2[8,9] in 12 cm2[14]"


def test_marks_that_begin_a_line_or_end_with_a_sign_are_in_brackets() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        raised(
            canvas,
            [("7,8", 4), (" walkers came with Cy Pace", 0), ("3†", 4), (" and Di Step", 0), ("1,2*", 4)],
        )

    assert text_drawn(draw) == "[7,8] walkers came with Cy Pace[3†] and Di Step[1,2*]"


def test_numbers_beside_large_signs_are_no_marks() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        for x, part, size, rise in (
            (72, "|", 10, 0),
            (78, "Received: 30 November 2020", 7, 2),
            (175, "|", 10, 0),
        ):
            text(canvas, [part], x=x, y=700 + rise, size=size)

    assert "30 November 2020" in text_drawn(draw)
