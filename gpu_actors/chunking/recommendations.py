"""Clinical guidelines: where recommendations stand, and how far a statement with its grade reaches.

Input: a document of any parser, as text and placed blocks. Output: its passages: one a recommendation with
the rationale that follows it, the rest by top-level section. Statement and grade are the passage's `whole`.
Grades are recognised as these write them: GRADE (Guyatt et al., BMJ 2008;336:924: strong or weak, high to
very low quality; https://gdt.gradepro.org/app/handbook/handbook.html), its letters (1A to 2D), ACC/AHA's
class and level of evidence (Circulation 2016;133:1426), USPSTF's and SORT's letters (A to D, I).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from gpu_actors.chunking.passages import Passage
from gpu_actors.chunking.regions import PlacedBlock
from orchestration.contracts import split_sentences
from orchestration.records import BlockKind

__all__ = ["is_grade", "is_graded", "is_label", "is_phrase", "recommendation_passages"]

_STRENGTH: Final = "|".join(
    (
        r"\b(?:strong|weak|conditional|discretionary|qualified)(?:ly)?\s+(?:recommend\w*|for\b|against\b)",
        r"\b(?:strength|grade|class)\s+of\s+(?:the\s+)?recommendations?\b",
        r"\brecommendation(?:\s+grade|\s+strength)?\s*[:=]\s*(?:strong|weak|conditional|[A-DI]\b)",
        r"\b(?:ungraded|not\s+graded|(?:good|best)\s+practice\s+(?:statement|point))\b",
    )
)
"""How strongly it is recommended, in words."""

_MARKS: Final = (
    r"(?:(?:GRADE|LOE|recommendation)\s*:?\s*)?[12]\s?(?:[A-D]|[|,/]?\s*[⊕⊗]+)[\s⊕⊗○◯]*"
    r"|(?:class|COR)(?:\s+of\s+recommendation)?\s*:?\s*(?:I{1,3}|II[ab]|[123][ab]?)"
    r"|(?:grade|category)\s*:?\s*[A-DI][+-]?(?:\s+recommendation)?"
    r"|[A-DI]\s+(?:recommendation|statement)"
)
"""The same in letters and numbers, which count only where a bracket or sentence begins with them."""

_EVIDENCE: Final = "|".join(
    (
        r"(?:high|moderate|low)[- ](?:quality|certainty|strength)(?:\s+of)?(?:\s+the)?\s+evidence",
        r"(?:quality|certainty|level|strength|confidence)\s+(?:of|in)\s+(?:the\s+)?evidence\b",
        r"(?:very[- ]low|LOE\b|evidence\s+level|expert\s+(?:opinion|consensus))",
    )
)
_END: Final = r"\s*(?:[,;:.)\]]|$)"
_GRADED: Final = re.compile(rf"[(\[](?:[^()\[\]]*(?:{_STRENGTH})|\s*(?:{_MARKS}){_END})", re.IGNORECASE)
_GRADE: Final = re.compile(
    rf"\s*[(\[]?\s*(?:(?:GRADE\s*:\s*)?(?:{_STRENGTH}|{_EVIDENCE})|(?:{_MARKS}){_END})", re.IGNORECASE
)
_LABEL: Final = re.compile(
    r"\s*(?:(?:key|main|clinical|consensus|guideline|strong|conditional|good|best|action|practice)\s+){0,2}"
    r"(?:recommendation|statement|practice\s+point)"
    r"(?:\s*(?:no\.?|number|#)?\s*\d+(?:\.\d+)*[a-z]?(?=\s*(?:[:.(\[|–—-]|$))|(?=\s*:))",
    re.IGNORECASE,
)
_PHRASE: Final = re.compile(
    r"\b(?:[Ww]e|(?:[Tt]he\s+)?(?:guideline\s+|expert\s+)?(?:panel|committee|task\s+force|working\s+group|society)"
    r"|(?:[Tt]he\s+)?[A-Z]{3,8})\s+(?:(?:strongly|conditionally|weakly|also)\s+)?(?:recommends?|suggests?)\b"
)
_RATIONALE: Final = re.compile(
    r"\s*(?:rationale|justification|remarks?|explanation|evidence(?:\s+(?:summary|base|review|profile))?"
    r"|summary\s+of\s+(?:the\s+)?evidence|supporting\s+(?:text|evidence)|discussion|background"
    r"|implementation(?:\s+considerations)?|values\s+and\s+preferences|benefits?\s+and\s+harms?"
    r"|balance\s+of\s+[\w\s]+|research\s+needs)\s*(?:[:.]|$)",
    re.IGNORECASE,
)
_MARK: Final = re.compile(r"\s*(?:[-*•‣–]|\(?\d{1,2}(?:\.\d{1,3}){0,4}[.):]*|\([a-z]\))\s+")
_TEXT: Final = frozenset({BlockKind.PARAGRAPH, BlockKind.LIST, BlockKind.BOXED_TEXT})

LONGEST_GRADE: Final = 16
"""Words of a sentence that is a grade and nothing else."""
LONGEST_HEADING: Final = 80
"""Characters of a heading that stands as a paragraph, as in plain text."""


def is_label(words: str) -> bool:
    """'Recommendation 3: ...', 'Good practice statement 2', but not 'Recommendation 3 was discussed'."""
    return _LABEL.match(words) is not None


def is_phrase(words: str) -> bool:
    """'We recommend ...', 'In adults with asthma, the panel suggests ...'."""
    return _PHRASE.search(words) is not None


def is_graded(words: str) -> bool:
    """Whether a sentence carries its strength in brackets: '(1B)', '(Strong recommendation, ...)'."""
    return _GRADED.search(words) is not None


def is_grade(words: str) -> bool:
    """Whether a sentence is a grade and nothing else: 'Class I, Level of Evidence A.'"""
    return len(words.split()) <= LONGEST_GRADE and _GRADE.match(words) is not None


def recommendation_passages(text: str, blocks: Sequence[PlacedBlock]) -> list[Passage]:
    """The passages of a guideline, in order."""
    walk = _Walk(text)
    for placed in blocks:
        walk.take(placed)
    return walk.passages


class _Walk:
    """Through the blocks of one document, knowing the statement that may still go on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._top = -1
        self._lead: int | None = None
        """Where the headings directly before this block begin."""
        self._open = False
        """Whether what comes may still be of the statement: its text or its grade."""
        self._graded = False
        self._text_block: int | None = None
        """Where the block begins that has a labelled statement's text; -1 before it comes."""
        self.passages = [Passage(0)]

    def take(self, placed: PlacedBlock) -> None:
        """Begin passages where the block does, or inside it; or let it go on with the current one."""
        block = placed.block
        if block.kind is BlockKind.TITLE:
            return
        if placed.top != self._top:
            self._lead = block.start_char if self._top >= 0 else 0
            self._top = placed.top
            self._begin(self._lead, None)
        words = self._text[block.start_char : block.end_char]
        if block.kind is BlockKind.HEADING or (block.kind is BlockKind.PARAGRAPH and _like_heading(words)):
            self._take_heading(block.start_char, block.end_char, words)
            return
        if block.kind in _TEXT:
            for start, end in _lines(words, block.start_char):
                self._take_line(block.start_char, start, end)
        else:
            self._open = False
        self._lead = None

    def _take_heading(self, start: int, end: int, words: str) -> None:
        if self._lead is None:
            self._lead = start
        if is_label(words) or is_phrase(words):
            self._begin(self._lead, (start, end))
            self._lead, self._graded, self._text_block = None, is_graded(words), -1
        elif is_grade(words):
            self._go_on(end)
        elif _RATIONALE.match(words):
            self._open = False
        elif self.passages[-1].whole is not None:
            self._begin(self._lead, None)

    def _take_line(self, block: int, start: int, end: int) -> None:
        mark = _MARK.match(self._text, start, end)
        body = mark.end() if mark else start
        sentences = [(start if at == body else at, at, to) for at, to in _sentences(self._text, body, end)]
        words = [self._text[at:to] for _, at, to in sentences]
        grades = [*map(is_grade, words[1:]), False]
        for number, (begin, _, to) in enumerate(sentences):
            self._take_sentence(block, begin, words[number], to, number == 0, grades[number])

    def _take_sentence(
        self, block: int, start: int, words: str, end: int, first: bool, graded_next: bool
    ) -> None:
        graded, phrase = is_graded(words), is_phrase(words)
        if is_label(words):
            self._begin(self._from(start), (start, end))
            self._graded, self._text_block = graded, -1 if _bare(words) else block
        elif self._open and is_grade(words):
            self._go_on(end)
            self._graded = True
        elif _RATIONALE.match(words):
            self._open = False
        elif self._open and not self._graded and self._text_block in (-1, block):
            self._go_on(end)
            self._graded, self._text_block = graded, block
        elif graded and not phrase and self._open and not self._graded:
            self._go_on(end)
            self._graded = True
        elif graded or (phrase and (first or graded_next)):
            self._begin(self._from(start), (start, end))
            self._graded, self._text_block = graded, None
        elif self._graded or first:
            self._open = False

    def _from(self, start: int) -> int:
        """Where a passage begins that begins here: at the headings directly above, if there are any."""
        lead, self._lead = self._lead, None
        return start if lead is None else lead

    def _begin(self, start: int, statement: tuple[int, int] | None) -> None:
        metadata = {"passage": "recommendation"} if statement else {}
        passage = Passage(start, statement, metadata)
        self._open = statement is not None
        if self.passages[-1].start == start:
            self.passages[-1] = passage
        else:
            self.passages.append(passage)

    def _go_on(self, end: int) -> None:
        """The statement reaches to here."""
        last = self.passages[-1]
        if last.whole is not None and self._open:
            self.passages[-1] = replace(last, whole=(last.whole[0], end))


def _bare(words: str) -> bool:
    """Whether a label has no further text: 'Recommendation 3.'"""
    match = _LABEL.match(words)
    return match is not None and not words[match.end() :].strip(" .:|–—-\n")


def _like_heading(words: str) -> bool:
    """Whether a paragraph is a heading of plain text: short, without an end, and not a sentence's part."""
    if len(words) > LONGEST_HEADING or not words[0].isalnum() or words[0].islower():
        return False
    if is_grade(words) or words.endswith((".", ";", ",", "!", "?", ":", ")", "]")):
        return bool(_bare(words) or _RATIONALE.fullmatch(words))
    return not is_graded(words)


def _lines(words: str, start: int) -> Iterator[tuple[int, int]]:
    for line in re.finditer(r"[^\n]+", words):
        yield start + line.start(), start + line.end()


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for sentence in split_sentences(text[start:end]):
        yield start, start + len(sentence)
        start += len(sentence)
