"""A question and passages as a cross-encoder's rows, computed before the device is used; imports no torch.

Input: a question and passages. Output: rows of token ids, special tokens included, by passage. Nothing is
truncated: a passage that does not fit beside the question is cut into even pieces, of which the best counts
(MaxP: Dai, Callan, SIGIR 2019, https://doi.org/10.1145/3331184.3331303); a question that takes more than half
of the room is an error. Text that looks like a special token is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from gpu_actors.batches.token_budget import TokenIds
from orchestration.contracts import folded_text
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError

__all__ = ["PairTokenizer", "best_pieces"]


class PairTokenizer:
    """The cross-encoder's own tokenizer; thread-safe."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """`max_tokens`: the model's limit. Raises ConfigurationError unless the question comes first."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        pair = self._tokenizer.encode("a", "b")
        of_text = np.array([-1 if text is None else text for text in pair.sequence_ids])
        ids = np.array(pair.ids, dtype=np.int32)
        first, second = np.flatnonzero(of_text == 0), np.flatnonzero(of_text == 1)
        if not len(first) or not len(second) or first[-1] > second[0]:
            raise ConfigurationError(
                f"rerank model {folder}: its tokenizer does not put the passage behind the question. Choose "
                "another cross-encoder in MEDKG_RERANK_MODEL."
            )
        self._before, self._behind = ids[: first[0]], ids[second[-1] + 1 :]
        self._between = ids[first[-1] + 1 : second[0]]
        self.separator = self._separator(folder, pair.type_ids, int(second[0]))
        """Id of the token that ends the question, if the model has segments; else None."""
        self._room = max_tokens - len(self._before) - len(self._between) - len(self._behind)
        self._tokenizer.encode_special_tokens = True  # from here on, in texts

    def _separator(self, folder: Path, segments: Sequence[int], second: int) -> int | None:
        if not any(segments):
            return None
        as_in_bert = [int(place >= second) for place in range(len(segments))]
        if list(segments) != as_in_bert or len(self._between) != 1:
            raise ConfigurationError(
                f"rerank model {folder}: its segments differ from BERT's. Choose another "
                "cross-encoder in MEDKG_RERANK_MODEL."
            )
        return int(self._between[0])

    def rows(self, question: str, passages: Sequence[str]) -> list[list[TokenIds]]:
        """Return the rows of each passage, in order: one, or several of a long one.

        Raises EmbeddingInputTooLongError for a question that leaves passages too little room.
        """
        question_ids, *texts = self._ids([question, *passages])
        if len(question_ids) > self._room // 2:
            raise EmbeddingInputTooLongError(
                f"a question of {len(question_ids)} tokens leaves the reranker too little room for "
                f"passages; it may have {self._room // 2}. Shorten it, or search without reranking."
            )
        head = np.concatenate([self._before, question_ids, self._between])
        room = self._room - len(question_ids)
        return [
            [
                np.concatenate([head, part, self._behind])
                for part in np.array_split(ids, max(1, -(-len(ids) // room)))
            ]
            for ids in texts
        ]

    def _ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Tokens of each text as searches compare it (folded), special ones not included."""
        folded = [folded_text(text) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(folded, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]


def best_pieces(scores: npt.NDArray[np.float32], counts: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return each passage's best score, of its rows' scores given end to end; `counts`: rows of each."""
    if not counts:
        return np.empty(0, np.float32)
    starts = np.cumsum([0, *counts[:-1]])
    best: npt.NDArray[np.float32] = np.maximum.reduceat(scores, starts)
    return best
