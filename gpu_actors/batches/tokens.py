"""Texts as a model's tokens, computed before the device is used; imports no torch.

Input: texts. Output: token ids, of folded texts, and an error for a text that exceeds the model's limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece

from gpu_actors.batches.token_budget import TokenIds
from orchestration.contracts import folded_text
from orchestration.errors import EmbeddingInputTooLongError

__all__ = ["TextTokenizer"]


class TextTokenizer:
    """The model's own tokenizer, without truncation and padding; thread-safe."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """`max_tokens`: the model's limit, special tokens included."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = int(self._tokenizer.num_special_tokens_to_add(False))
        self.room = max_tokens - self._special
        """Most tokens of a text."""
        self.counts_add_up = isinstance(self._tokenizer.model, WordPiece)
        """Whether each word is tokenised separately, so that a text's tokens are the sum of its words'."""

    def token_ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of each text, folded as searches compare it, special tokens included, in order.

        A text that fits the model only as it stands is not folded.
        """
        folded = [folded_text(text) for text in texts]
        rows = self._ids(folded)
        for row, text in enumerate(texts):
            if text != folded[row] and self.too_long(rows[row]):
                (as_it_stands,) = self._ids([text.encode("utf-8", "replace").decode()])
                rows[row] = rows[row] if self.too_long(as_it_stands) else as_it_stands
        return rows

    def _ids(self, texts: Sequence[str]) -> list[TokenIds]:
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    @property
    def ends(self) -> tuple[int, int]:
        """Ids of the special tokens before and after a text."""
        (empty,) = self.token_ids([""])
        return int(empty[0]), int(empty[-1])

    def encodings(self, texts: Sequence[str]) -> list[Encoding]:
        """Return tokens with offsets and words, special tokens not included."""
        return list(self._tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def vocabulary(self) -> dict[str, int]:
        """Return token ids by token, in the order of ids."""
        ids: dict[str, int] = self._tokenizer.get_vocab()
        return dict(sorted(ids.items(), key=lambda pair: pair[1]))

    def too_long(self, ids: TokenIds) -> EmbeddingInputTooLongError | None:
        """Return the error of a text that does not fit the model; None if it fits."""
        tokens = len(ids) - self._special
        if tokens <= self.room:
            return None
        return EmbeddingInputTooLongError(
            f"a text of {tokens} tokens does not fit the model's {self.room}. Choose a chunk profile with "
            "smaller chunks, or shorten the query."
        )
