"""PDFs of synthetic articles in the layouts that journals use.

Comes in: a seed and a layout. Leaves: an article whose text is known, and the PDF that reportlab sets of
it: one or two columns, justified or ragged, with words parted at line ends, running headers and footers,
tables with rules, as a grid or without rules. The sentences are ours; the same seed makes the same article
and PDF.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from medkg.testing.printing import (
    LineNumbers,
    numbered,
    shuffling_canvas,
    twice_printing_canvas,
    with_drop_cap,
    with_marks,
)
from medkg.testing.synthetic_articles import Article, Part, an_article, text_of

__all__ = ["LAYOUTS", "PRINTS", "Article", "Layout", "Part", "an_article", "pdf_of", "text_of"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an article is set."""

    columns: int = 1
    font: Literal["Times", "Helvetica"] = "Times"
    size: float = 10.0
    justified: bool = True
    hyphens: bool = False
    running_lines: bool = True
    indented: bool = False
    """Paragraphs marked by an indented first line instead of room between them."""
    tables: Literal["rules", "grid", "bare", "none"] = "none"
    shuffled: bool = False
    """The content of each page in random order, so that only positions give the reading order."""
    marks: bool = False
    """Citations ('[7]') and powers of ten set high."""
    drop_cap: bool = False
    """The first paragraph begins with a letter two lines high."""
    printed_twice: bool = False
    """Every text twice, to make it bold."""
    line_numbers: LineNumbers = "none"


LAYOUTS: Final = {
    "one column": Layout(),
    "one column, ragged": Layout(font="Helvetica", size=11, justified=False),
    "two columns": Layout(columns=2),
    "two columns, parted words": Layout(columns=2, size=9, hyphens=True, indented=True),
    "three narrow columns": Layout(columns=3, font="Helvetica", size=9, shuffled=True),
    "tables with rules": Layout(tables="rules"),
    "tables as grids, two columns": Layout(columns=2, font="Helvetica", size=9, tables="grid"),
    "tables without rules": Layout(tables="bare", indented=True),
    "content in no order, two columns": Layout(columns=2, tables="rules", shuffled=True),
    "everything, two columns": Layout(columns=2, hyphens=True, indented=True, tables="rules"),
}

PRINTS: Final = {
    "every line numbered": Layout(line_numbers="each"),
    "every fifth line numbered": Layout(line_numbers="fifth", font="Helvetica", marks=True),
    "lines numbered on the right": Layout(line_numbers="right", justified=False, marks=True),
    "lines numbered from 1 on each page": Layout(line_numbers="restarting", indented=True),
    "lines of two columns numbered": Layout(columns=2, line_numbers="each", size=9),
    "marks set high": Layout(marks=True, tables="rules"),
    "marks set high, two columns": Layout(columns=2, marks=True, indented=True, tables="grid"),
    "marks set high, three columns": Layout(columns=3, marks=True, font="Helvetica", size=9, shuffled=True),
    "drop cap": Layout(drop_cap=True, marks=True, tables="bare"),
    "drop cap, two columns": Layout(columns=2, drop_cap=True, size=9),
    "printed twice": Layout(printed_twice=True, marks=True, tables="rules"),
    "printed twice, two columns": Layout(columns=2, printed_twice=True, size=9, drop_cap=True),
}
"""Layouts with what journals and manuscripts print beside and into the text; for articles with marks."""


# --- its PDF ---------------------------------------------------------------------------------------


def pdf_of(article: Article, layout: Layout, **options: Any) -> bytes:
    """The PDF of an article; `options` go to reportlab's document, e.g. `encrypt`."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import BaseDocTemplate, FrameBreak, NextPageTemplate, PageTemplate

    buffer = io.BytesIO()
    document = BaseDocTemplate(buffer, pagesize=A4, title=article.title, invariant=1, **options)
    on_page = _running_lines if layout.running_lines else lambda *_: None
    document.addPageTemplates(
        [
            PageTemplate("first", _frames(layout, first=True), onPage=on_page),
            PageTemplate("later", _frames(layout, first=False), onPage=on_page),
        ]
    )
    flowables = list(_flowables(article, layout))
    if layout.columns > 1:
        flowables.insert(1, FrameBreak())
    maker = Canvas
    if layout.shuffled or layout.printed_twice:
        maker = shuffling_canvas() if layout.shuffled else twice_printing_canvas()
    document.build([NextPageTemplate("later"), *flowables], canvasmaker=maker)
    if layout.line_numbers == "none":
        return buffer.getvalue()
    edges = [(left, left + width) for left, width in _columns(layout)]
    return numbered(buffer.getvalue(), layout.line_numbers, edges, BOTTOM + HEIGHT)


LEFT, BOTTOM, WIDTH, HEIGHT, GUTTER = 56, 72, 483, 690, 18
"""Points: the text of a page and the room between its columns."""


def _columns(layout: Layout) -> list[tuple[float, float]]:
    """(Left edge, width) of each column; numbers beside lines have more room between them."""
    gutter = GUTTER if layout.line_numbers == "none" else 2 * GUTTER
    width = (WIDTH - gutter * (layout.columns - 1)) / layout.columns
    return [(LEFT + number * (width + gutter), width) for number in range(layout.columns)]


def _frames(layout: Layout, *, first: bool) -> list[Any]:
    """The columns of a page; of the first one with several, the title runs across them."""
    from reportlab.platypus import Frame

    left, bottom, width, height = LEFT, BOTTOM, WIDTH, HEIGHT
    plain = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
    frames = []
    if first and layout.columns > 1:
        frames.append(Frame(left, bottom + height - 60, width, 60, **plain))
        height -= 72
    for edge, column in _columns(layout):
        frames.append(Frame(edge, bottom, column, height, **plain))
    return frames


def _running_lines(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont("Times-Italic", 8)
    if document.page > 1:
        canvas.drawString(
            56, 800, "A. Walker et al." if document.page % 2 else "Journal of Walking and Sleep 7 (2024)"
        )
    canvas.drawCentredString(297, 40, str(document.page + 122))
    canvas.drawString(56, 28, "© The authors. Not peer reviewed.")
    canvas.restoreState()


def _flowables(article: Article, layout: Layout) -> Iterator[Any]:
    from reportlab.platypus import ListFlowable, ListItem, Paragraph

    styles = _styles(layout)

    def shown(text: str) -> str:
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        text = _with_soft_hyphens(text) if layout.hyphens else text
        return with_marks(text, layout.size) if layout.marks else text

    cap = layout.drop_cap
    for part in article.parts:
        if part.kind == "list":
            items = [ListItem(Paragraph(shown(item), styles["item"])) for (item,) in part.rows]
            yield ListFlowable(
                items, bulletType="bullet", start="•", leftIndent=12, bulletFontSize=layout.size
            )
        elif part.kind == "table":
            if layout.tables != "none":
                yield from _table_flowables(part, layout, styles)
        elif cap and part.kind == "paragraph":
            cap = False
            yield with_drop_cap(shown(part.text), styles["paragraph"])
        else:
            yield Paragraph(shown(part.text) if part.kind == "paragraph" else part.text, styles[part.kind])
    yield Paragraph("References", styles["heading"])
    for reference in article.references:
        yield Paragraph(reference, styles["reference"])


def _styles(layout: Layout) -> dict[str, Any]:
    from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT
    from reportlab.lib.styles import ParagraphStyle

    roman, bold, italic = (
        ("Times-Roman", "Times-Bold", "Times-Italic")
        if layout.font == "Times"
        else ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique")
    )
    size, leading = layout.size, layout.size * 1.2

    def style(name: str, **settings: Any) -> Any:
        defaults = {"fontName": roman, "fontSize": size, "leading": leading}
        return ParagraphStyle(name, **(defaults | settings))

    text = {
        "alignment": TA_JUSTIFY if layout.justified else TA_LEFT,
        "spaceAfter": 0 if layout.indented else leading * 0.6,
        "firstLineIndent": size * 1.2 if layout.indented else 0,
        "embeddedHyphenation": int(layout.hyphens),
    }
    return {
        "title": style("title", fontName=bold, fontSize=17, leading=20, alignment=TA_CENTER, spaceAfter=14),
        "heading": style(
            "heading", fontName=bold, fontSize=size + 2, leading=leading + 3, spaceBefore=8, spaceAfter=4
        ),
        "subheading": style("subheading", fontName=bold, spaceBefore=5, spaceAfter=3),
        "paragraph": style("paragraph", **text),
        "item": style("item", alignment=TA_LEFT, spaceAfter=2, embeddedHyphenation=int(layout.hyphens)),
        "caption": style(
            "caption",
            fontName=italic,
            fontSize=size - 1.5,
            leading=leading - 1.5,
            spaceBefore=8,
            spaceAfter=10,
        ),
        "cell": style("cell", fontSize=size - 1, leading=leading - 1),
        "reference": style(
            "reference", fontSize=size - 1.5, leading=leading - 1.5, leftIndent=14, firstLineIndent=-14
        ),
    }


def _table_flowables(part: Part, layout: Layout, styles: dict[str, Any]) -> Iterator[Any]:
    from reportlab.lib import colors
    from reportlab.platypus import KeepTogether, Paragraph, Spacer, Table

    lines: list[Any] = []
    if layout.tables == "grid":
        lines = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
    elif layout.tables == "rules":
        lines = [
            (name, (0, row), (-1, row), 0.8, colors.black)
            for name, row in (("LINEABOVE", 0), ("LINEBELOW", 0), ("LINEBELOW", -1))
        ]
    size = layout.size - 1
    font = [("FONT", (0, 0), (-1, -1), styles["cell"].fontName, size, size * 1.2)]
    table = Table([list(row) for row in part.rows], style=[*font, *lines], hAlign="LEFT")
    yield KeepTogether([Spacer(1, 8), Paragraph(part.text, styles["caption"]), table, Spacer(1, 10)])


def _with_soft_hyphens(text: str) -> str:
    """Marks where long words may be parted: between two consonants after a vowel, not near their ends."""
    return re.sub(r"[a-z]{8,}", lambda match: _parted(match.group()), text)


def _parted(word: str) -> str:
    vowels = "aeiouy"
    places = [
        at
        for at in range(3, len(word) - 2)
        if word[at - 1] not in vowels and word[at] not in vowels and word[at - 2] in vowels
    ]
    parts: Sequence[str] = [
        word[start:end] for start, end in zip([0, *places], [*places, len(word)], strict=True)
    ]
    return "\u00ad".join(parts)
