"""Synthetic articles, and PDFs of them in the layouts that journals use.

Comes in: a seed and a layout. Leaves: an article whose text is known, and the PDF that reportlab sets of
it: one or two columns, justified or ragged, with words parted at line ends, running headers and footers,
tables with rules, as a grid or without rules. The sentences are ours; the same seed makes the same article
and PDF.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["LAYOUTS", "Article", "Layout", "Part", "an_article", "pdf_of", "text_of"]

SUBJECTS: Final = (
    "participants who walked every morning",
    "the supervised exercise group",
    "adults above the age of sixty",
    "patients assigned to the usual programme",
    "the investigators of both hospitals",
    "night-shift workers in the comparison group",
    "a randomly selected subset of volunteers",
    "most caregivers who returned the questionnaire",
)
VERBS: Final = (
    "reported considerably longer sleep than",
    "could not be distinguished from",
    "improved more quickly than",
    "showed a non-significant difference against",
    "were followed for as long as",
    "had lower resting blood pressure than",
    "missed fewer appointments than",
)
OBJECTS: Final = (
    "those who remained sedentary",
    "the waiting-list comparators",
    "the reference population of the region",
    "participants of the earlier feasibility study",
    "their own measurements before randomisation",
    "the group that received written information only",
)
ENDINGS: Final = (
    "over the twelve weeks of observation",
    "although adherence was documented imperfectly",
    "when the analysis was repeated without outliers",
    "with a mean difference of {0}.{1} minutes (95% CI {0} to {2})",
    "at a dose of {1} mg/kg on day {0}",
    "after adjustment for age, sex and body-mass index (p = 0.0{1})",
    "which corresponds to a hazard ratio of 0.{2}",
    "as the pre-specified protocol had anticipated",
)
HEADINGS: Final = ("Introduction", "Methods", "Results", "Discussion", "Conclusions")
SUBHEADINGS: Final = (
    "Setting and participants",
    "Measurements of sleep",
    "Statistical analysis",
    "Adverse events",
)
ITEMS: Final = (
    "age between eighteen and eighty years at the time of enrolment",
    "ability to walk two kilometres without an assistive device",
    "no hospital admission within the preceding six months of the year",
)
TITLES: Final = (
    "Effects of supervised morning walking on sleep duration in older adults",
    "Resting blood pressure after twelve weeks of regular walking",
    "Walking programmes for night-shift workers: a randomised comparison",
)

Kind = Literal["title", "heading", "subheading", "paragraph", "list", "table", "caption"]


@dataclass(frozen=True, slots=True)
class Part:
    """One block of an article; a list's items and a table's rows are in `rows`."""

    kind: Kind
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """What a PDF is made of."""

    parts: tuple[Part, ...]
    references: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.parts[0].text


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


# --- the article -----------------------------------------------------------------------------------


def an_article(seed: int, paragraphs: int = 3, tables: bool = True) -> Article:
    """An article of five sections with `paragraphs` paragraphs each."""
    chance = random.Random(seed)
    parts = [Part("title", chance.choice(TITLES)), Part("heading", "Abstract"), _paragraph(chance)]
    for number, heading in enumerate(HEADINGS, start=1):
        parts.append(Part("heading", f"{number}. {heading}"))
        if heading in ("Methods", "Results"):
            parts.append(Part("subheading", f"{number}.1. {chance.choice(SUBHEADINGS)}"))
        parts.extend(_paragraph(chance) for _ in range(paragraphs))
        if heading == "Methods":
            parts.append(Part("list", rows=tuple((item,) for item in ITEMS)))
            parts.append(_paragraph(chance))
        if heading == "Results":
            parts.append(Part("caption", f"Figure 1. Sleep of {chance.choice(SUBJECTS)} by week."))
            parts.append(_paragraph(chance))
            parts.extend([_table(chance), _paragraph(chance)] if tables else [])
    references = tuple(_reference(chance, number) for number in range(1, 9))
    return Article(tuple(parts), references)


def text_of(article: Article) -> str:
    """The article's text as a document of it should read; the reference list is no text."""
    return "\n\n".join(_lines(part) for part in article.parts)


def _lines(part: Part) -> str:
    if part.kind == "list":
        return "\n".join(f"• {item}" for (item,) in part.rows)
    if part.kind == "table":
        return "\n".join([part.text, *(" | ".join(row) for row in part.rows)])
    return part.text


def _sentence(chance: random.Random) -> str:
    numbers = (chance.randint(2, 9), chance.randint(1, 9), chance.randint(10, 60))
    words = [
        chance.choice(SUBJECTS),
        chance.choice(VERBS),
        chance.choice(OBJECTS),
        chance.choice(ENDINGS).format(*numbers),
    ]
    sentence = " ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _paragraph(chance: random.Random) -> Part:
    return Part("paragraph", " ".join(_sentence(chance) for _ in range(chance.randint(3, 7))))


def _table(chance: random.Random) -> Part:
    header = ("Group", "Participants", "Minutes of sleep", "p")
    rows = [
        (
            name,
            str(chance.randint(40, 200)),
            f"{chance.randint(350, 450)} ({chance.randint(20, 60)})",
            f"0.{chance.randint(10, 99)}",
        )
        for name in ("Walking", "Waiting list", "Written information", "Usual care", "All")
    ]
    return Part("table", "Table 1. Sleep at twelve weeks by group", (header, *rows))


def _reference(chance: random.Random, number: int) -> str:
    names = ", ".join(
        f"{chance.choice('ABCDEGHKLM')}. {chance.choice(('Walker', 'Sleeper', 'Strider', 'Rambler'))}"
        for _ in range(2)
    )
    year, page = chance.randint(1990, 2024), chance.randint(1, 400)
    return f"[{number}] {names}. {chance.choice(TITLES)}. J Walking Sleep {year};{number}:{page}."


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
    maker = _shuffling_canvas() if layout.shuffled else Canvas
    document.build([NextPageTemplate("later"), *flowables], canvasmaker=maker)
    return buffer.getvalue()


def _shuffling_canvas() -> Any:
    """A canvas that writes the blocks of each page in an order drawn at random."""
    from reportlab.pdfgen.canvas import Canvas

    class Shuffling(Canvas):  # type: ignore[misc]
        def showPage(self) -> None:  # noqa: N802 - reportlab's name
            blocks: list[list[str]] = [[]]
            depth = 0
            for operator in self._code:
                blocks[-1].append(operator)
                words = operator.split()
                depth += words.count("q") - words.count("Q")
                if depth == 0:
                    blocks.append([])
            random.Random(len(blocks)).shuffle(blocks)
            self._code[:] = [operator for block in blocks for operator in block]
            super().showPage()

    return Shuffling


def _frames(layout: Layout, *, first: bool) -> list[Any]:
    """The columns of a page; of the first one with several, the title runs across them."""
    from reportlab.platypus import Frame

    left, bottom, width, height, gutter = 56, 72, 483, 690, 18
    plain = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
    frames = []
    if first and layout.columns > 1:
        frames.append(Frame(left, bottom + height - 60, width, 60, **plain))
        height -= 72
    column = (width - gutter * (layout.columns - 1)) / layout.columns
    for number in range(layout.columns):
        frames.append(Frame(left + number * (column + gutter), bottom, column, height, **plain))
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
        return _with_soft_hyphens(text) if layout.hyphens else text

    for part in article.parts:
        if part.kind == "list":
            items = [ListItem(Paragraph(shown(item), styles["item"])) for (item,) in part.rows]
            yield ListFlowable(
                items, bulletType="bullet", start="•", leftIndent=12, bulletFontSize=layout.size
            )
        elif part.kind == "table":
            if layout.tables != "none":
                yield from _table_flowables(part, layout, styles)
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
