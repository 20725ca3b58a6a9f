"""Headings by their face: fonts need not say in their names that they are bold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from orchestration.contracts import PdfBlockKind
from tests.orchestration.pdf.drawn_pages import document_of, drawn, pdf_with, text

SENTENCE = "We walked every day of the week, and counted all our steps and hours of sleep, at noon."
BODY = [SENTENCE, f"Then {SENTENCE[:70]}"]


def column(canvas: Canvas, parts: Sequence[tuple[str, str]]) -> None:
    """A page of parts, each with its font; room is above the parts that are not in Times-Roman."""
    y = 780.0
    for font, line in parts:
        y -= 12 if font == "Times-Roman" else 20
        text(canvas, [line], y=y, font=font)


def headings(parts: Sequence[tuple[str, str]]) -> list[tuple[str, int | None]]:
    blocks = drawn(lambda canvas, _: column(canvas, parts))
    return [(block.text, block.level) for block in blocks if block.kind is PdfBlockKind.HEADING]


def body(*lines: str) -> list[tuple[str, str]]:
    return [("Times-Roman", line) for line in lines]


def test_a_line_in_another_face_above_text_is_a_heading_below_those_in_bold() -> None:
    parts = [
        ("Times-Bold", "Methods and walkers"),
        ("Times-Italic", "Setting of the walks"),
        *body(*BODY),
        ("Courier", "Sites in the north"),
        *body(*BODY),
        ("Times-Italic", "Secondary objective"),
        *body("1. Hours of sleep"),
        ("Times-Italic", "Sample of the trial"),
        *body(*BODY),
    ]
    assert headings(parts) == [
        ("Methods and walkers", 1),
        ("Setting of the walks", 2),
        ("Sites in the north", 3),
        ("Secondary objective", 2),
        ("Sample of the trial", 2),
    ]


@pytest.mark.parametrize(
    "line",
    ["It was in Italics that they wrote.", "and counted in italics", "Keywords: walking, sleep, steps"],
)
def test_a_sentence_or_a_part_of_one_in_italics_is_no_heading(line: str) -> None:
    assert headings([*body(*BODY), ("Times-Italic", line), *body(*BODY)]) == []


def test_a_heading_and_its_subheading_right_below_it_are_two() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, BODY, y=760)
        text(canvas, ["METHODS AND ANALYSIS"], y=720, font="Times-Bold")
        text(canvas, ["Choice of walkers"], y=708, font="Times-Bold")
        text(canvas, BODY, y=696)
        text(canvas, ["2.2. Objectives of the walk"], y=660, font="Times-Bold")
        text(canvas, ["2.2.1. Hours of sleep"], y=648, font="Times-Bold")
        text(canvas, BODY, y=636)

    titles = [block.text for block in drawn(draw) if block.kind is PdfBlockKind.HEADING]
    assert titles == [
        "METHODS AND ANALYSIS",
        "Choice of walkers",
        "2.2. Objectives of the walk",
        "2.2.1. Hours of sleep",
    ]


def test_the_lines_of_a_title_are_one_and_the_authors_below_it_are_not_in_it() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Walks by the sea", "and hours of good sleep thereafter"], size=18, leading=21)
        text(canvas, ["Ann Walker and Ben Sleep"], y=700, size=12)
        text(canvas, BODY, y=660)

    assert document_of(pdf_with(draw)).title == "Walks by the sea and hours of good sleep thereafter"


def test_references_in_small_type_below_a_small_heading_are_references() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        for start in (760, 700, 640):
            text(canvas, [SENTENCE] * 4, y=start)
        text(canvas, ["Funding"], y=580, size=8, font="Helvetica")
        text(canvas, ["The sea paid for the walks and for the sleep."], y=570, size=8)
        text(canvas, ["References"], y=550, size=8, font="Helvetica")
        text(canvas, ["1. Walker A. On 12 walks. Sea. 2012;7:31–9.", "2. Sleep B. On sleep."], y=540, size=8)

    document = document_of(pdf_with(draw))
    assert [entry.text for entry in document.references] == [
        "Walker A. On 12 walks. Sea. 2012;7:31–9.",
        "Sleep B. On sleep.",
    ]
    assert "2012" not in document.text
    assert [section.title for section in document.sections if section.title] == ["Funding"]


def test_where_all_type_is_bold_its_short_paragraphs_are_no_headings() -> None:
    assert headings([("Times-Bold", SENTENCE), ("Times-Bold", "A short end"), ("Times-Bold", SENTENCE)]) == []


# --- above the title -------------------------------------------------------------------------------


def spaced_out(canvas: Canvas, words: str, *, y: float, size: float = 13, gap: int = 139) -> None:
    """Words in capitals with about `gap` thousandths of their size between letters.

    PDFium inserts a blank where the gap is at least half of the font's blank (139 of Helvetica's 278).
    """
    pieces = [
        f"({letter}){-gap - 6 * (number % 3 - 1)}" if letter != " " else f"{-300 - gap}"
        for number, letter in enumerate(words)
    ]
    canvas._code.append(f"BT {canvas._doc.getInternalFontName('Helvetica')} {size} Tf 60 {y} Td")
    canvas._code.append(f"[{' '.join(pieces)}] TJ ET")


@pytest.mark.parametrize(
    "words",
    ["STUDY PROTOCOL", "RESEARCH", "RESEARCH ARTICLE", "METHODOLOGY", "LETTER", "CLINICAL TRIAL REPORT"],
)
@pytest.mark.parametrize("gap", [115, 139, 210])
def test_letter_spaced_capitals_are_words_whatever_blanks_pdfium_inserts(words: str, gap: int) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        spaced_out(canvas, words, y=780, gap=gap)
        text(canvas, ["Open Access"], x=460, y=780, font="Helvetica", size=13)
        text(canvas, BODY, y=700)

    assert document_of(pdf_with(draw)).text.split("\n\n")[0] == f"{words} Open Access"


@pytest.mark.parametrize(
    "line", ["HR OR RR CI", "IL-6 TNF CRP", "PD-L1 AND HER2 IN NSCLC", "A TRIAL OF SLEEP"]
)
def test_capitals_that_touch_keep_their_blanks(line: str) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, [line], y=780, font="Helvetica", size=13)
        text(canvas, BODY, y=700)

    assert drawn(draw)[0].text == line


def test_what_is_above_the_title_is_text_and_no_section() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["TRIALS"], x=420, y=800, font="Helvetica-Bold", size=18)
        spaced_out(canvas, "STUDY PROTOCOL", y=770)
        text(canvas, ["Open Access"], x=460, y=770, font="Helvetica", size=13)
        text(canvas, ["OPEN"], y=745, font="Helvetica-Bold", size=12)
        text(
            canvas,
            ["Walking before sleep in adults:", "a randomised trial"],
            y=715,
            font="Helvetica-Bold",
            size=20,
        )
        text(canvas, ["A. Walker and B. Sleeper"], y=650)
        for number, title in enumerate(("Abstract", "Methods")):
            text(canvas, [title], y=610 - 100 * number, font="Helvetica-Bold", size=12)
            text(canvas, BODY * 2, y=590 - 100 * number)

    document = document_of(pdf_with(draw))
    assert document.title == "Walking before sleep in adults: a randomised trial"
    assert [section.title for section in document.sections if section.title] == ["Abstract", "Methods"]
    for words in ("TRIALS", "STUDY PROTOCOL Open Access", "OPEN", "A. Walker and B. Sleeper"):
        assert words in document.text.split("\n\n")
    assert [section.title_path for section in document.sections if section.title] == [
        ("Abstract",),
        ("Methods",),
    ]


def test_a_section_above_the_largest_type_stays_a_heading() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        for number, title in enumerate(("Abstract", "1. Background")):
            text(canvas, [title], y=780 - 100 * number, font="Helvetica-Bold", size=12)
            text(canvas, BODY * 2, y=760 - 100 * number)
        text(canvas, ["Walking before sleep"], y=560, font="Helvetica-Bold", size=20)
        text(canvas, BODY, y=530)

    titles = [block.text for block in drawn(draw) if block.kind is PdfBlockKind.HEADING]
    assert titles == ["Abstract", "1. Background"]
