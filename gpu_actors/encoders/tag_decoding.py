"""Logits of word pieces to mentions: words, then the best path over labels (Viterbi), then runs of labels.

Input: a micro-batch's logits, float32 [tokens, labels], with its rows' lengths. Output: mentions as pieces of
rows. A word's score is the mean of its pieces', so that a mention never ends inside a word. Plain numpy.
Source of the decoding: Viterbi, 1967, https://doi.org/10.1109/TIT.1967.1054010; labels as in BIO, Ramshaw
and Marcus, arXiv:cmp-lg/9505040.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.token_budget import TokenIds

__all__ = ["MentionRows", "TagDecoder", "names_of_mentions"]

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class MentionRows:
    """Mentions of a micro-batch, by row and piece."""

    places: Integers
    """int32 [mentions, 4]: row, first piece, one past the last piece (of the row), number of the label."""
    confidences: Floats
    """float32 [mentions]."""


def names_of_mentions(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of mentions by their number, of a tagger's labels: O, B-Chemical, I-Chemical ..."""
    return tuple(dict.fromkeys(label[2:] for label in labels if label != "O"))


class TagDecoder:
    """The tagger's weights without its encoder."""

    def __init__(
        self, labels: Sequence[str], transitions: Floats, start: Floats, continues: npt.NDArray[np.bool_]
    ) -> None:
        """`transitions`: [from, to]; `continues`: by token id, whether the piece continues a word."""
        names = names_of_mentions(labels)
        self._transitions, self._start, self._continues = transitions, start, continues
        self._begins = np.array([label.startswith("B-") for label in labels])
        self._outside = np.array([label == "O" for label in labels])
        self._number = np.array([-1 if label == "O" else names.index(label[2:]) for label in labels])

    def decode(self, logits: Floats, token_ids: TokenIds, lengths: Sequence[int]) -> MentionRows:
        """Mentions of rows given end to end, special tokens around each."""
        row_starts = np.cumsum([0, *lengths[:-1]])
        rows = np.repeat(np.arange(len(lengths)), lengths)
        special = np.zeros(len(token_ids), dtype=np.bool_)
        special[row_starts] = special[row_starts + np.asarray(lengths) - 1] = True
        firsts = np.flatnonzero(special | ~self._continues[token_ids])
        sizes = np.diff([*firsts, len(token_ids)]).astype(np.int64)
        scores: Floats = (np.add.reduceat(logits, firsts, axis=0) / sizes[:, None]).astype(np.float32)
        is_word = ~special[firsts]
        firsts, sizes, scores, rows = firsts[is_word], sizes[is_word], scores[is_word], rows[firsts[is_word]]
        if not len(firsts):
            return MentionRows(np.zeros((0, 4), np.int32), np.zeros(0, np.float32))
        counts = np.bincount(rows, minlength=len(lengths))
        counts = counts[counts > 0]
        row = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(scores)) - np.repeat(np.cumsum(counts) - counts, counts)
        padded = np.zeros((int(counts.max()), len(counts), scores.shape[1]), dtype=np.float32)
        padded[place, row] = scores
        path = self._best_paths(padded, counts)[place, row]
        likelihoods = self._likelihoods(padded, counts)[place, row]
        return self._mentions(path, likelihoods, rows, firsts - row_starts[rows], sizes)

    def _best_paths(self, padded: Floats, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Labels, [words, rows], of scores [words, rows, labels]; `counts`: words of each row.

        All rows are decoded together; what is behind a row's last word is of no account.
        """
        longest, labels = len(padded), padded.shape[2]
        best = padded[0] + self._start
        origins = np.zeros((longest, len(counts), labels), dtype=np.int64)
        own = np.arange(labels)
        for word in range(1, longest):
            reached = best[:, :, None] + self._transitions
            origins[word] = reached.argmax(1)
            arrived = np.take_along_axis(reached, origins[word][:, None, :], 1)[:, 0] + padded[word]
            ended = (word >= counts)[:, None]
            best = np.where(ended, best, arrived)
            origins[word] = np.where(ended, own, origins[word])
        path = np.zeros((longest, len(counts)), dtype=np.int64)
        path[-1] = best.argmax(1)
        for word in range(longest - 1, 0, -1):
            path[word - 1] = np.take_along_axis(origins[word], path[word][:, None], 1)[:, 0]
        return path

    def _likelihoods(self, padded: Floats, counts: npt.NDArray[np.int64]) -> Floats:
        """The probability of each label at each word, over all labellings of its row (forward-backward).

        Shapes as in `_best_paths`. Source: Rabiner 1989, https://doi.org/10.1109/5.18626.
        """
        weights = np.exp(padded - padded.max(2, keepdims=True))
        moves = np.exp(self._transitions - self._transitions.max())
        forward, backward = np.empty_like(weights), np.ones_like(weights)
        forward[0] = weights[0] * np.exp(self._start - self._start.max())
        forward[0] /= forward[0].sum(1, keepdims=True)
        for word in range(1, len(weights)):
            reached = (forward[word - 1] @ moves) * weights[word]
            forward[word] = reached / reached.sum(1, keepdims=True)
        for word in range(len(weights) - 2, -1, -1):
            reached = (weights[word + 1] * backward[word + 1]) @ moves.T
            followed = (word + 1 < counts)[:, None]
            backward[word] = np.where(followed, reached / reached.sum(1, keepdims=True), 1)
        both = forward * backward
        likelihoods: Floats = both / both.sum(2, keepdims=True)
        return likelihoods

    def _mentions(
        self,
        path: npt.NDArray[np.int64],
        likelihoods: Floats,
        rows: npt.NDArray[np.int64],
        firsts: npt.NDArray[np.int64],
        sizes: npt.NDArray[np.int64],
    ) -> MentionRows:
        """Runs of B-X, I-X of the words' labels, which the transitions make well-formed."""
        chosen = likelihoods[np.arange(len(path)), path]
        inside = np.flatnonzero(~self._outside[path])
        if not len(inside):
            return MentionRows(np.zeros((0, 4), np.int32), np.zeros(0, np.float32))
        begins = np.flatnonzero(self._begins[path[inside]])
        lasts = np.append(begins[1:], len(inside)) - 1
        confidences = np.add.reduceat(chosen[inside], begins) / (lasts - begins + 1)
        first, last = inside[begins], inside[lasts]
        places = np.stack(
            [rows[first], firsts[first], firsts[last] + sizes[last], self._number[path[first]]], 1
        )
        return MentionRows(places.astype(np.int32), confidences.astype(np.float32))
