"""Drug labels: where the sections and numbered subsections of structured product labelling begin.

Input: a document of any parser, as text and placed blocks. Output: its passages, one a section ("Boxed
Warning"), numbered subsection ("5.1 Hepatotoxicity") or unnumbered one directly below a section, each with
the LOINC code of its section. Sections and numbers are those of 21 CFR 201.56(d) and 201.57(c); codes are
FDA's: https://www.fda.gov/industry/structured-product-labeling-resources/section-headings-loinc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpu_actors.chunking.passages import Passage
from gpu_actors.chunking.regions import HEADINGS, PlacedBlock
from orchestration.records import BlockKind

__all__ = ["BOXED_WARNING", "LABEL_SECTIONS", "LabelHeading", "label_heading", "label_passages"]

BOXED_WARNING: Final = "34066-1"

LABEL_SECTIONS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("", BOXED_WARNING, ("boxed warning", "boxed warnings", "black box warning")),
    ("", "43683-2", ("recent major changes",)),
    ("1", "34067-9", ("indications and usage", "indications", "uses")),
    ("2", "34068-7", ("dosage and administration", "directions")),
    ("3", "43678-2", ("dosage forms and strengths",)),
    ("4", "34070-3", ("contraindications",)),
    ("5", "43685-7", ("warnings and precautions",)),
    ("", "34071-1", ("warnings",)),
    ("", "42232-9", ("precautions",)),
    ("6", "34084-4", ("adverse reactions",)),
    ("7", "34073-7", ("drug interactions", "interactions")),
    ("8", "43684-0", ("use in specific populations",)),
    ("8.1", "42228-7", ("pregnancy",)),
    ("8.2", "77290-5", ("lactation",)),
    ("8.3", "77291-3", ("females and males of reproductive potential",)),
    ("", "34080-2", ("nursing mothers",)),
    ("8.4", "34081-0", ("pediatric use", "paediatric use")),
    ("8.5", "34082-8", ("geriatric use",)),
    ("9", "42227-9", ("drug abuse and dependence",)),
    ("9.1", "34085-1", ("controlled substance",)),
    ("9.2", "34086-9", ("abuse",)),
    ("9.3", "34087-7", ("dependence",)),
    ("10", "34088-5", ("overdosage", "overdose")),
    ("11", "34089-3", ("description",)),
    ("12", "34090-1", ("clinical pharmacology",)),
    ("12.1", "43679-0", ("mechanism of action",)),
    ("12.2", "43681-6", ("pharmacodynamics",)),
    ("12.3", "43682-4", ("pharmacokinetics",)),
    ("13", "43680-8", ("nonclinical toxicology", "non-clinical toxicology")),
    ("13.1", "34083-6", ("carcinogenesis, mutagenesis, impairment of fertility",)),
    ("13.2", "34091-9", ("animal toxicology and/or pharmacology",)),
    ("14", "34092-7", ("clinical studies",)),
    ("15", "34093-5", ("references",)),
    ("16", "34069-5", ("how supplied/storage and handling", "how supplied", "storage and handling")),
    ("17", "34076-0", ("patient counseling information", "information for patients")),
    ("", "42231-1", ("medication guide",)),
    ("", "42230-3", ("patient package insert", "patient information")),
    ("", "51945-4", ("package label.principal display panel", "principal display panel")),
    ("", "", ("highlights of prescribing information",)),
    ("", "", ("full prescribing information",)),
)
"""Number in the format of 2006 ('' where it has none), LOINC code ('' where it has none), headings."""

LONGEST_HEADING: Final = 150
"""Characters; a longer paragraph that begins like a heading is a heading run into its text."""

_BY_NAME: Final = {name: (number, code) for number, code, names in LABEL_SECTIONS for name in names}
_LONGEST_FIRST: Final = sorted(_BY_NAME, key=len, reverse=True)
_NUMBERED: Final = re.compile(r"(?:section\s+)?(\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s+(?=\S)", re.IGNORECASE)
_NAME: Final = re.compile(rf"(?:{'|'.join(map(re.escape, _LONGEST_FIRST))})(?![\w-])", re.IGNORECASE)
_LOUD_NAME: Final = re.compile(
    rf"(?:{'|'.join(re.escape(name.upper()) for name in _LONGEST_FIRST)})(?![\w-])"
)
_BOXED: Final = re.compile(r"WARNINGS?:\s*\S|Warnings?:\s*[A-Z]{4}")
_SENTENCE_START: Final = re.compile(r"(?<=[.!?:)\]])\s+(?=[A-Z0-9])")
_SENTENCE_INSIDE: Final = re.compile(r"[a-z)][.!?]\s+[A-Z]")


@dataclass(frozen=True, slots=True)
class LabelHeading:
    """What a heading says of a label's section."""

    number: str = ""
    """'5.1', '' where it is neither printed nor known."""
    code: str = ""
    """LOINC code, '' where the heading's words are not in the table."""

    @property
    def is_main(self) -> bool:
        """Whether it is one of the numbered sections, not a subsection."""
        return bool(self.number) and "." not in self.number

    def holds(self, other: LabelHeading) -> bool:
        """Whether the other one is a subsection of it."""
        return bool(self.number) and other.number.startswith(f"{self.number}.")


def label_heading(heading: str) -> LabelHeading | None:
    """What a heading that stands alone says: '5.1 Hepatotoxicity', 'Warnings & Precautions', 'WARNING: RASH'.

    None where it is not a label's.
    """
    line = _one_form(heading)
    if _BOXED.match(line):
        return LabelHeading("", BOXED_WARNING)
    numbered = _NUMBERED.match(line)
    name = (line[numbered.end() :] if numbered else line).casefold().strip(" .:")
    number, code = _BY_NAME.get(name, ("", ""))
    if numbered:
        return LabelHeading(numbered.group(1), code)
    return LabelHeading(number, code) if name in _BY_NAME else None


def label_passages(text: str, blocks: Sequence[PlacedBlock]) -> list[Passage]:
    """The passages of a label, in order; a boxed warning is whole."""
    walk = _Walk(text)
    for placed in blocks:
        walk.take(placed)
    ends = [passage.start for passage in walk.passages[1:]] + [len(text)]
    return [
        replace(passage, whole=(passage.start, end))
        if passage.metadata.get("loinc") == BOXED_WARNING
        else passage
        for passage, end in zip(walk.passages, ends, strict=True)
    ]


class _Walk:
    """Through the blocks of one document, knowing the section it is in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._main = LabelHeading()
        self._here = LabelHeading()
        self._path: tuple[str, ...] = ()
        self._top = -1
        self._in_box = False
        self._bare = True
        """Whether nothing but headings stands in the current passage yet."""
        self.passages = [Passage(0)]

    def take(self, placed: PlacedBlock) -> None:
        """Begin passages where the block does, or inside it."""
        block, path = placed.block, placed.section.title_path
        matched = self._heading(placed) if block.kind is BlockKind.HEADING else None
        if matched is None and (placed.top != self._top or path[: len(self._path)] != self._path):
            matched = _of_path(path)
        was_in_box, self._in_box = self._in_box, block.kind is BlockKind.BOXED_TEXT
        if matched is None and self._in_box != was_in_box:
            matched = LabelHeading("", BOXED_WARNING) if self._in_box else _of_path(path)
        if matched is not None:
            self._top, self._path = placed.top, path
            self._begin(block.start_char, matched)
        if block.kind is BlockKind.PARAGRAPH:
            self._take_paragraph(block.start_char, block.end_char)
        elif block.kind not in HEADINGS:
            self._bare = False

    def _heading(self, placed: PlacedBlock) -> LabelHeading | None:
        """What a heading says, if it begins a passage: unnumbered ones do right below a numbered section."""
        path = placed.section.title_path
        matched = label_heading(self._text[placed.block.start_char : placed.block.end_char])
        above = label_heading(path[-2]) if len(path) > 1 else None
        if matched is None and above is not None and above.is_main:
            return LabelHeading("", above.code)
        return matched

    def _take_paragraph(self, start: int, end: int) -> None:
        """A heading that stands as a paragraph, and headings that run into text."""
        line = self._text[start:end]
        alone = _standing_alone(line)
        if alone is not None:
            self._begin(start, alone)
            return
        for at in (0, *(match.end() for match in _SENTENCE_START.finditer(line))):
            for matched in self._run_in(_one_form(line[at : at + LONGEST_HEADING])):
                self._begin(start + at, matched)
            self._bare = False

    def _run_in(self, words: str) -> Iterator[LabelHeading]:
        """Headings that text goes on with: '6 ADVERSE REACTIONS 6.1 Rash ...', '5.2 Liver Zelvanor ...'."""
        if words.startswith("WARNING") and _BOXED.match(words):
            yield LabelHeading("", BOXED_WARNING)
            return
        numbered = _NUMBERED.match(words)
        rest = words[numbered.end() :] if numbered else words
        named = _NAME.match(rest) if numbered else _LOUD_NAME.match(rest)
        number, code = _BY_NAME[named.group().casefold()] if named else ("", "")
        matched = LabelHeading(numbered.group(1) if numbered else number, code)
        if named and matched.number == number:
            yield matched
            below = _NUMBERED.match(rest, named.end() + 1)
            if below and matched.holds(LabelHeading(below.group(1))) and rest[below.end()].isupper():
                yield LabelHeading(below.group(1))
        elif numbered and not matched.is_main and rest[0].isupper() and self._comes_next(matched):
            yield matched

    def _comes_next(self, matched: LabelHeading) -> bool:
        """Whether a number goes on from where we are, so that '2.5 Grams were given' is no heading."""
        if not self._main.holds(matched):
            return False
        here = self._here if self._main.holds(self._here) else self._main
        return _parts(matched.number) > _parts(here.number)

    def _begin(self, start: int, matched: LabelHeading) -> None:
        """A passage begins here; or earlier, where only the headings above it stand before it."""
        if matched.is_main or (matched.code not in ("", self._main.code) and not matched.number):
            self._main = matched
        code = matched.code or (self._main.code if self._main.holds(matched) else "")
        metadata = {
            key: value for key, value in (("loinc", code), ("label_section", matched.number)) if value
        }
        first = len(self.passages) == 1
        if self.passages[-1].start == start or (self._bare and (first or self._here.holds(matched))):
            self.passages[-1] = replace(self.passages[-1], metadata=metadata)
        else:
            self.passages.append(Passage(start, None, metadata))
        self._here, self._bare = matched, True


def _of_path(path: Sequence[str]) -> LabelHeading:
    """The innermost section of a label among these headings."""
    return next((matched for title in reversed(path) if (matched := label_heading(title))), LabelHeading())


def _standing_alone(line: str) -> LabelHeading | None:
    """The heading that a short paragraph is; '5 mg once daily' and 'Zelvanor is a drug.' are none."""
    if len(line) > LONGEST_HEADING or line.endswith((".", ";", ",")) or _SENTENCE_INSIDE.search(line):
        return None
    matched = label_heading(line)
    if matched is None or matched.code or not matched.number:
        return matched
    numbered = _NUMBERED.match(line)
    return matched if numbered and not matched.is_main and line[numbered.end()].isupper() else None


def _one_form(heading: str) -> str:
    """The heading on one line, '&' as 'and' in its case; as long as the words before it are the same."""
    line = " ".join(heading.split())
    return line.replace(" & ", " AND " if line.isupper() else " and ")


def _parts(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))
