"""Cuts a document into windows of numbered sentences, each one request to the model.

Input: a document. Output: windows in order that together hold every sentence of its blocks once. A new one is
started at a section's heading where the last is at least half full, so that small sections share a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestration.contracts.sentences import sentence_spans
from orchestration.records import NOT_INDEXED, Block, Document, Section, Span, all_sections

__all__ = ["WINDOW_CHARACTERS", "Window", "windows_of"]

WINDOW_CHARACTERS: Final = 4_500
"""Most characters of a window, about 1,200 tokens: prompt, text and answer fit in 4,096."""

SENTENCE_CHARACTERS: Final = 1_500
"""A longer sentence (a table's row, text without punctuation) is cut at white space."""


@dataclass(frozen=True, slots=True)
class Window:
    """Sentences that are read together."""

    document: Document
    sentences: tuple[Span, ...]

    @property
    def start(self) -> int:
        """First character in Document.text."""
        return self.sentences[0].start_char

    @property
    def end(self) -> int:
        """One past the last character."""
        return self.sentences[-1].end_char

    @property
    def text(self) -> str:
        """The text from the first to the last sentence."""
        return self.document.text[self.start : self.end]

    def text_of(self, sentence: Span) -> str:
        return self.document.text[sentence.start_char : sentence.end_char]

    def halves(self) -> tuple[Window, Window] | None:
        """The window as two; None for one sentence, which is not cut further."""
        if len(self.sentences) < 2:
            return None
        middle = len(self.sentences) // 2
        return (
            Window(self.document, self.sentences[:middle]),
            Window(self.document, self.sentences[middle:]),
        )


def windows_of(document: Document) -> Iterator[Window]:
    """Windows of a document in order; none for a document without words."""
    gathered: list[Span] = []
    for section, block in _blocks(document):
        length = gathered[-1].end_char - gathered[0].start_char if gathered else 0
        if length > WINDOW_CHARACTERS // 2 and block is section.blocks[0]:
            yield Window(document, tuple(gathered))
            gathered = []
        for sentence in _sentences(document.text, block):
            if gathered and sentence.end_char - gathered[0].start_char > WINDOW_CHARACTERS:
                yield Window(document, tuple(gathered))
                gathered = []
            gathered.append(sentence)
    if gathered:
        yield Window(document, tuple(gathered))


def _blocks(document: Document) -> Iterator[tuple[Section, Block]]:
    for section in all_sections(document.sections):
        for block in section.blocks:
            if block.kind not in NOT_INDEXED:
                yield section, block


def _sentences(text: str, block: Block) -> Iterator[Span]:
    for sentence in sentence_spans(text, block.start_char, block.end_char):
        begin = sentence.start_char
        while sentence.end_char - begin > SENTENCE_CHARACTERS:
            cut = text.rfind(" ", begin + 1, begin + SENTENCE_CHARACTERS)
            cut = cut if cut > begin else begin + SENTENCE_CHARACTERS
            yield Span(start_char=begin, end_char=cut)
            begin = cut
            while begin < sentence.end_char and text[begin].isspace():
                begin += 1
        if begin < sentence.end_char:
            yield Span(start_char=begin, end_char=sentence.end_char)
