"""Synthetic articles whose text is known.

Comes in: a seed. Leaves: an article of five sections with a list, a caption, a table and references, and
the text as which a document of it should read. The sentences are ours; the same seed makes the same
article.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Article", "Part", "an_article", "text_of"]

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
MARKED_ENDINGS: Final = (
    "in 55 of 77 participants[{0}] who were aged 11 to 99 years",
    "after enrolment of {2}00[{0},{1}] patients in 2011",
    "with {2}.{1} × 10^9/L platelets[{0}–{2}] and 1100 steps",
    "at a dose of {2}[{1}] mg, 0.0{1}[{0}] of the usual one",
    "for illness of all {2}[1,{0}] cells, still less common in the hall[{1}]",
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


def an_article(seed: int, paragraphs: int = 3, tables: bool = True, marks: bool = False) -> Article:
    """An article of five sections with `paragraphs` paragraphs each; with `marks` they have citations."""
    chance = random.Random(seed)
    endings = (*ENDINGS, *MARKED_ENDINGS) if marks else ENDINGS
    parts = [Part("title", chance.choice(TITLES)), Part("heading", "Abstract"), _paragraph(chance, endings)]
    for number, heading in enumerate(HEADINGS, start=1):
        parts.append(Part("heading", f"{number}. {heading}"))
        if heading in ("Methods", "Results"):
            parts.append(Part("subheading", f"{number}.1. {chance.choice(SUBHEADINGS)}"))
        parts.extend(_paragraph(chance, endings) for _ in range(paragraphs))
        if heading == "Methods":
            parts.append(Part("list", rows=tuple((item,) for item in ITEMS)))
            parts.append(_paragraph(chance, endings))
        if heading == "Results":
            parts.append(Part("caption", f"Figure 1. Sleep of {chance.choice(SUBJECTS)} by week."))
            parts.append(_paragraph(chance, endings))
            parts.extend([_table(chance), _paragraph(chance, endings)] if tables else [])
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


def _sentence(chance: random.Random, endings: Sequence[str]) -> str:
    numbers = (chance.randint(2, 9), chance.randint(1, 9), chance.randint(10, 60))
    words = [
        chance.choice(SUBJECTS),
        chance.choice(VERBS),
        chance.choice(OBJECTS),
        chance.choice(endings).format(*numbers),
    ]
    sentence = " ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _paragraph(chance: random.Random, endings: Sequence[str]) -> Part:
    return Part("paragraph", " ".join(_sentence(chance, endings) for _ in range(chance.randint(3, 7))))


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
