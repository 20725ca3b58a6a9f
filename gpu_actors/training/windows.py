"""Documents as windows: runs of consecutive sentences, about a paragraph, which queries are paired with.

Input: a Document. Output: its windows, which cover the text of all blocks but titles and headings, in
order, none longer than the limit in the base model's tokens. Titles and headings are left out because they
become queries. Sentences and tokens are found as the chunker finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.chunking.document_tokens import DocumentTokens
from gpu_actors.chunking.regions import HEADINGS, placed_blocks
from orchestration.contracts import split_sentences
from orchestration.records import NOT_INDEXED, Block, Document

__all__ = ["Window", "windows_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive sentences of one document."""

    document: int
    """Number of its document in the corpus."""
    heading: str
    """Innermost heading above its first sentence, '' where there is none."""
    sentences: tuple[str, ...]
    tokens: int
    """Of its text, special tokens not included."""

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    def without(self, sentence: int) -> str:
        """Its text but for one sentence; the whole text if there is no other."""
        rest = self.sentences[:sentence] + self.sentences[sentence + 1 :]
        return " ".join(rest) or self.text


@dataclass(frozen=True, slots=True)
class _Sentence:
    heading: str
    text: str
    tokens: int


def windows_of(document: Document, number: int, tokenizer: TextTokenizer, most_tokens: int) -> list[Window]:
    """The document's windows of at most `most_tokens`, at least 100; needs a WordPiece tokenizer.

    A window ends early where a new heading comes after it is half full.
    """
    tokens = DocumentTokens(*tokenizer.encodings([document.text]))
    return [
        Window(
            number,
            run[0].heading,
            tuple(sentence.text for sentence in run),
            sum(sentence.tokens for sentence in run),
        )
        for run in _packed(_sentences(document, tokens, most_tokens), most_tokens)
    ]


def _sentences(document: Document, tokens: DocumentTokens, most_tokens: int) -> Iterator[_Sentence]:
    for placed in placed_blocks(document.sections):
        if placed.block.kind in HEADINGS | NOT_INDEXED:
            continue
        for start, end in _stretches(document.text, placed.block):
            for piece in tokens.cut(start, end, most_tokens):
                text = document.text[slice(*piece)].strip()
                if text:
                    yield _Sentence(placed.section.title, text, tokens.count(*piece))


def _stretches(text: str, block: Block) -> Iterator[tuple[int, int]]:
    """Where the block's sentences stand in the text."""
    start = block.start_char
    for sentence in split_sentences(text[start : block.end_char]):
        yield start, start + len(sentence)
        start += len(sentence)


def _packed(sentences: Iterator[_Sentence], most_tokens: int) -> Iterator[Sequence[_Sentence]]:
    run: list[_Sentence] = []
    used = 0
    for sentence in sentences:
        turns = bool(run) and sentence.heading != run[-1].heading and used > most_tokens / 2
        if run and (turns or used + sentence.tokens > most_tokens):
            yield run
            run, used = [], 0
        run.append(sentence)
        used += sentence.tokens
    if run:
        yield run
