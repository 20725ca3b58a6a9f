"""Passages of a text as rows of a tagger, each piece with its characters; imports no torch.

Input: a text and its passages. Output: windows: token ids with special tokens, and for each piece where it
stands in the text. The text is read as it is, not folded, so that offsets are exact. A passage that does not
fit the model is cut at ends of sentences into windows of about equal length; a sentence that does not fit is
cut between words, with an overlap, so that every mention stands whole in a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from gpu_actors.batches.token_budget import TokenIds
from orchestration.contracts import CharRange, TextToTag, sentence_spans

__all__ = ["ReadingWindow", "WindowTokenizer"]

OVERLAP: Final = 64
"""Most pieces that two windows of one sentence share; mentions are shorter than that."""

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ReadingWindow:
    """A row, and where its pieces stand; special tokens stand nowhere, at (-1, -1)."""

    token_ids: TokenIds
    starts: Places
    """First character of each piece, int32 [tokens]."""
    ends: Places

    @property
    def chars(self) -> CharRange:
        """The part of the text that it reads."""
        return int(self.starts[1]), int(self.ends[-2])


class WindowTokenizer:
    """A BERT's tokenizer; thread-safe."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """`max_tokens`: of a row, special tokens included."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        empty = self._tokenizer.encode("").ids
        self._first, self._last = empty[:1], empty[-1:]
        self._room = max_tokens - len(empty)
        self._overlap = min(OVERLAP, self._room // 4)
        self._tokenizer.encode_special_tokens = True  # text that looks like a special token is text

    def windows(self, text: TextToTag) -> list[ReadingWindow]:
        """The windows of all passages, in order; none of passages without pieces."""
        passages = [text.text[start:end].encode("utf-8", "replace").decode() for start, end in text.passages]
        encodings = self._tokenizer.encode_batch(passages, add_special_tokens=False)
        return [
            self._window(encoding, pieces, start)
            for encoding, passage, (start, _) in zip(encodings, passages, text.passages, strict=True)
            for pieces in self._cut(encoding, passage)
        ]

    def _window(self, encoding: Encoding, pieces: slice, offset: int) -> ReadingWindow:
        places = np.array(encoding.offsets[pieces], dtype=np.int32) + offset
        ids = np.array([*self._first, *encoding.ids[pieces], *self._last], dtype=np.int32)
        nowhere = np.array([[-1, -1]], dtype=np.int32)
        whole = np.concatenate([nowhere, places, nowhere])
        return ReadingWindow(ids, whole[:, 0].copy(), whole[:, 1].copy())

    def _cut(self, encoding: Encoding, passage: str) -> Iterator[slice]:
        """The pieces of each window."""
        count = len(encoding.ids)
        if count <= self._room:
            if count:
                yield slice(0, count)
            return
        starts = np.array([start for start, _ in encoding.offsets], dtype=np.int64)
        sentences = np.searchsorted(starts, [each.start_char for each in sentence_spans(passage)]).tolist()
        target = -(-count // -(-count // self._room))
        begin = 0
        for sentence, after in zip(sentences, [*sentences[1:], count], strict=True):
            if after - begin <= min(self._room, target + (after - sentence) // 2):
                continue
            if sentence > begin:
                yield slice(begin, sentence)
            begin = sentence
            while after - begin > self._room:  # the sentence alone does not fit
                end = _word_start(encoding, begin + self._room, self._overlap // 2)
                yield slice(begin, end)
                begin = _word_start(encoding, end - self._overlap, self._overlap // 2)
        if begin < count:
            yield slice(begin, count)


def _word_start(encoding: Encoding, piece: int, most: int) -> int:
    """The first piece of the word that this piece is in; the piece itself if that is further back."""
    words: Sequence[int | None] = encoding.word_ids
    first = piece
    while first > 0 and words[first - 1] == words[piece]:
        if piece - first >= most:
            return piece
        first -= 1
    return first
