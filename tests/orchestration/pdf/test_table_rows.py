"""Rows of tables: numbers stay in the row and column that they are printed in."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.pdfgen.canvas import Canvas

from orchestration.contracts import PdfBlockKind
from tests.orchestration.pdf.drawn_pages import document_of, drawn, pdf_with, text

Row = Sequence[str]
COLUMNS = (72, 210, 300, 390)
SENTENCE = "We walked on every day of the week and slept"


def tables(*pages: object) -> list[list[tuple[str, ...]]]:
    blocks = [block for block in drawn(*pages) if block.kind is PdfBlockKind.TABLE]  # type: ignore[arg-type]
    return [[tuple(cell.text for cell in row) for row in block.rows] for block in blocks]


def ruled(canvas: Canvas, header: Row, rows: Sequence[Row], steps: Sequence[float], y: float = 720) -> float:
    """A table of three rules; `steps` are the distances of lines. Returns the height of the last rule."""
    for column, cell in zip(COLUMNS, header, strict=False):
        text(canvas, [cell], x=column, y=y - 12, size=9)
    canvas.line(70, y, 470, y)
    canvas.line(70, y - 17, 470, y - 17)
    at = y - 17 - 12
    for row, step in zip(rows, steps, strict=True):
        for column, cell in zip(COLUMNS, row, strict=False):
            if cell:
                text(canvas, [cell], x=column, y=at, size=9)
        at -= step
    canvas.line(70, at + 6, 470, at + 6)
    return at + 6


def test_numbers_set_tight_below_numbers_are_rows_also_without_a_label() -> None:
    rows = [
        ("Age (years)", "Median", "69", "70"),
        ("", "Range", "52–78", "49–81"),
        ("Type", "Type 3", "25", "22 (41.3)"),
        ("", "Type 4", "5", "8 (15.1)"),
        ("", "Others", "<1", "0.5"),
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Walkers"], y=728)
        ruled(canvas, ("Item", "", "Drug", "Placebo"), rows, [11, 15, 11, 11, 15])

    assert tables(draw)[0][1:] == [tuple(row) for row in rows]


def test_a_value_over_two_lines_and_a_cell_without_room_stay_one() -> None:
    rows = [
        ("Hours of sleep", "58.71 ±", "5.3 (1.2–", "0.304"),
        ("", "9.27", "7.8)", ""),
        ("Walkers who slept on the", "given in the morn-", "7", "0.5"),
        ("mountainside", "ing or at noon", "", ""),
        ("Hills", "none", "9", "0.7"),
    ]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Walkers"], y=728)
        ruled(canvas, ("Item", "Drug", "Placebo", "P"), rows, [11, 15, 11, 15, 15])

    assert tables(draw)[0][1:] == [
        ("Hours of sleep", "58.71 ± 9.27", "5.3 (1.2–7.8)", "0.304"),
        ("Walkers who slept on the mountainside", "given in the morning or at noon", "7", "0.5"),
        ("Hills", "none", "9", "0.7"),
    ]


def test_two_columns_of_text_between_the_rules_of_a_page_are_no_table() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.line(72, 800, 520, 800)
        for number in range(20):
            # The columns are not set on the same baselines.
            text(canvas, [f"{SENTENCE} {number + 10}"], x=72, y=780 - 12 * number)
            text(canvas, [f"{SENTENCE} {number + 40}"], x=310, y=775 - 12 * number)
        canvas.line(72, 500, 520, 500)

    assert tables(draw, draw, draw) == []
    words = document_of(pdf_with(draw, draw)).text
    assert f"{SENTENCE} 10 {SENTENCE} 11" in words


def test_a_framed_table_ends_at_its_frame_and_not_at_the_rule_of_the_page_foot() -> None:
    rows = [(f"Hill {number}", str(number + 20), str(number + 50)) for number in range(6)]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Hills"], y=728)
        end = ruled(canvas, ("Hill", "Steps", "Hours"), rows, [12] * 6)
        canvas.line(70, 720, 70, end)
        canvas.line(470, 720, 470, end)
        text(canvas, [SENTENCE] * 8, x=300, y=end - 20)
        canvas.line(70, 100, 470, 100)

    assert tables(draw) == [[("Hill", "Steps", "Hours"), *rows]]


def test_numbers_beside_the_only_vertical_rule_are_in_columns() -> None:
    rows = [(f"Hill {number}", str(number + 20), str(number + 50), "0.5") for number in range(6)]

    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Hills"], y=728)
        end = ruled(canvas, ("Hill", "Steps", "Hours", "P"), rows, [12] * 6)
        canvas.line(180, 720, 180, end)

    assert tables(draw) == [[("Hill", "Steps", "Hours", "P"), *rows]]


def test_labels_with_numbers_in_one_cell_of_a_grid_are_rows() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        text(canvas, ["Table 1. Walkers"], y=728)
        heights = (720, 700, 680, 640, 620)
        for height in heights:
            canvas.line(70, height, 470, height)
        for edge in (70, 200, 330, 470):
            canvas.line(edge, 720, edge, 620)
        rows = [
            (706, "Item", "Drug", "Placebo"),
            (686, "Age", "58", "60"),
            (669, "Score", "", ""),
            (657, "≤6", "15 (22.7)", "14 (21.1)"),
            (645, "≥8", "23 (34.8)", "20 (31.2)"),
            (626, "Sleep, hours and", "7", "8"),
        ]
        for y, *cells in rows:
            for edge, cell in zip((72, 202, 332), cells, strict=True):
                if cell:
                    text(canvas, [cell], x=edge + 3, y=y, size=9)

    assert tables(draw)[0] == [
        ("Item", "Drug", "Placebo"),
        ("Age", "58", "60"),
        ("Score", "", ""),
        ("≤6", "15 (22.7)", "14 (21.1)"),
        ("≥8", "23 (34.8)", "20 (31.2)"),
        ("Sleep, hours and", "7", "8"),
    ]


def test_a_title_and_authors_between_two_rules_are_no_table() -> None:
    def draw(canvas: Canvas, _: int) -> None:
        canvas.line(72, 790, 520, 790)
        text(canvas, ["Walks by the sea and good sleep"], y=770, size=18)
        for y, names in (
            (740, ("Ann Walker", "Ben Sleep", "Cy Pace")),
            (726, ("Di Step", "Ed Hill", "Flo Run")),
        ):
            for x, name in zip((72, 220, 380), names, strict=True):
                text(canvas, [name], x=x, y=y)
        canvas.line(72, 700, 520, 700)
        text(canvas, [SENTENCE] * 8, y=680)

    assert tables(draw) == []
    assert document_of(pdf_with(draw)).title == "Walks by the sea and good sleep"
