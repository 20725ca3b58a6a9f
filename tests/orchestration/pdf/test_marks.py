"""Exponents, marks and thin spaces on drawn pages: numbers keep their value and stand apart from words."""

from __future__ import annotations

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.orchestration.pdf.drawn_pages import document_of as read
from tests.orchestration.pdf.drawn_pages import pdf_with, raised, text, text_drawn

THIN = 1.25
"""Points: an eighth of the size of type, as journals set it between a number and its unit."""


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("Of 3 × 10 ", 0), ("6", 4), (" cells", 0)], "Of 3 × 10^6 cells"),
        ([("At 10 ", 0), ("−3", 4), (" M it", 0)], "At 10^−3 M it"),
        ([("Some 80 mL/min/1.73 m", 0), ("2", 4), (" were", 0)], "Some 80 mL/min/1.73 m2 were"),
        ([("Some 80 mL/min/1.73 m ", 0), ("2", 4), (" were", 0)], "Some 80 mL/min/1.73 m2 were"),
        (
            [("Some 80 mL/min/1.73 m", 0), ("2", 4), ("18", 4), (" were", 0)],
            "Some 80 mL/min/1.73 m2[18] were",
        ),
        ([("All of 10", 0), ("27", 4), (" trials", 0)], "All of 10[27] trials"),
        ([("A walker, MS ", 0), ("d", 4), (", ran", 0)], "A walker, MS[d], ran"),
    ],
)
def test_an_exponent_or_mark_behind_a_blank_belongs_to_its_word(
    parts: list[tuple[str, float]], expected: str, apart: bool
) -> None:
    def draw(canvas: Canvas, _: int) -> None:
        places = [
            sum(stringWidth(part, "Times-Roman", 7 if rise else 11) for part, rise in parts[:number])
            for number in range(len(parts))
        ]
        order = [*range(1, len(parts), 2), *range(0, len(parts), 2)] if apart else range(len(parts))
        for number in order:
            raised(canvas, [parts[number]], x=72 + places[number])

    assert text_drawn(draw) == expected


def test_thin_spaces_part_numbers_from_units_and_thousands() -> None:
    sentence = [
        "Of 11",
        "663 walkers 8",
        "months old, 4",
        "712 took 200",
        "mg/day of figure",
        "1 in 1100 halls",
    ]

    def draw(canvas: Canvas, _: int) -> None:
        x = 72.0
        for stretch in sentence:
            text(canvas, [stretch], x=x)
            x += stringWidth(stretch, "Times-Roman", 10) + THIN

    assert read(pdf_with(draw)).text == " ".join(sentence)


def test_letter_spaced_words_with_digits_stay_whole() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        line = canvas.beginText(72, 780)
        line.setFont("Helvetica-Bold", 10)
        line.setCharSpace(THIN)
        line.textOut("COVID19 AND P53 IN 1100 HALLS")
        canvas.drawText(line)

    assert text_drawn(draw) == "COVID19 AND P53 IN 1100 HALLS"
