"""Texts as the embedding model's tokens, computed ahead of the device; imports no torch.

Comes in: texts. Leaves: token ids, and an error for a text that the model cannot take whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from orchestration.errors import EmbeddingInputTooLongError

__all__ = ["TextTokenizer"]


class TextTokenizer:
    """The embedding model's own tokenizer, without truncation and padding; imports no torch."""

    def __init__(self, location: str, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(Path(location) / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = self._tokenizer.num_special_tokens_to_add(False)
        self.room = max_tokens - self._special
        """Most tokens of a text."""

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, in order."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def too_long(self, ids: Sequence[int]) -> EmbeddingInputTooLongError | None:
        """The error of a text that does not fit the model, None if it does."""
        tokens = len(ids) - self._special
        if tokens <= self.room:
            return None
        return EmbeddingInputTooLongError(
            f"a text of {tokens} tokens does not fit the model's {self.room}. Choose a chunk profile with "
            "smaller chunks, or shorten the query."
        )
