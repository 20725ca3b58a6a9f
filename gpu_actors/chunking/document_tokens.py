"""A document's tokens by character: the count of any stretch, and where a long one can be cut.

Input: a document's text, tokenised once. Output: counts and cuts. With a WordPiece tokenizer the count of a
stretch that begins and ends at word boundaries is exact; with others it may be off by a few, and chunks are
counted again when they are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

__all__ = ["DocumentTokens"]


class DocumentTokens:
    """Positions of the tokens of one text."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._starts = np.array([start for start, _ in encoding.offsets], dtype=np.int64)

    @cached_property
    def _word_starts(self) -> npt.NDArray[np.int64]:
        """Starts of words; needed only for stretches longer than a chunk."""
        words = np.array([-1 if word is None else word for word in self._encoding.word_ids], dtype=np.int64)
        first = np.ones(len(words), dtype=bool)
        first[1:] = words[1:] != words[:-1]
        return np.unique(self._starts[first])

    def count(self, start: int, end: int) -> int:
        """Return the number of tokens that begin in text[start:end]."""
        return int(self._starts.searchsorted(end)) - int(self._starts.searchsorted(start))

    def cut(self, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield the stretch in pieces of up to `size` tokens, cut before words, or inside a longer word."""
        while self.count(start, end) > size:
            limit = int(self._starts[int(self._starts.searchsorted(start)) + size])
            word = int(self._word_starts.searchsorted(limit, side="right")) - 1
            at = int(self._word_starts[word])
            if at <= start:
                at = limit
            if at <= start:
                break
            yield start, at
            start = at
        yield start, end
