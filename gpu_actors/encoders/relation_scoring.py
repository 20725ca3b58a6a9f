"""The relation model: scores of pairs of concepts, from the states of the tokens of one row.

Input: last hidden states of a row, and where each concept is mentioned in it. Output: a logit per pair. The
model reads the whole row: a concept is the logsumexp of its mentions' mean states, and each pair attends to
the row's tokens. Plain numpy, since a row's pairs take less than a hundredth of its encoding: the products of
attention are ordered so that they cost pairs, not tokens (queries go through the key matrix, and values are
projected after they are mixed).
Sources: Verga, Strubell, McCallum, arXiv:1802.10569 (document-level, bi-affine); Zhou et al., ATLOP,
arXiv:2010.11304 (logsumexp over mentions, context of a pair).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from gpu_actors.encoders.extractor_files import Weights

__all__ = ["FEATURES", "RelationScorer"]

Floats = npt.NDArray[np.float32]
PieceRange = tuple[int, int]
"""First piece of a mention in its row, and one past its last."""

FEATURES = (
    "log_subject_mentions",
    "log_object_mentions",
    "subject_share",
    "object_share",
    "subject_position",
    "object_position",
    "log_subjects",
    "log_objects",
    "log_distance",
    "subject_first",
    "log_close_pairs_16",
    "log_close_pairs_48",
)
"""What the model knows of a pair beside the states, in order; `_features` computes it."""
POSITION_UNIT = 128
NEAR, NEARER = 48, 16
"""Pieces between the first pieces of two mentions."""


class RelationScorer:
    """The weights `relation.*` of an extractor model; thread-safe."""

    def __init__(self, weights: Weights, heads: int) -> None:
        part = {name.removeprefix("relation."): array for name, array in weights.items()}
        self._query, self._query_bias = part["query.weight"], part["query.bias"]
        inner, width = part["key.weight"].shape
        self._heads, self._size = heads, inner // heads
        self._key = part["key.weight"].reshape(heads, self._size, width)
        self._value = part["value.weight"].reshape(heads, self._size, width)
        self._value_bias = part["value.bias"]
        self._subject, self._subject_bias = part["subject.weight"], part["subject.bias"]
        self._object, self._object_bias = part["object.weight"], part["object.bias"]
        self._hidden, self._hidden_bias = part["hidden.weight"], part["hidden.bias"]
        self._out, self._out_bias = part["out.weight"], part["out.bias"]

    def logits(
        self,
        states: Floats,
        subjects: Sequence[Sequence[PieceRange]],
        objects: Sequence[Sequence[PieceRange]],
    ) -> Floats:
        """Return logits, float32 [subjects, objects], of a row with `states`, float32 [tokens, width].

        A concept is the pieces of its mentions, at least one. Computed in one thread: the products are small,
        and BLAS threads that wait for each other took ten times the CPU time.
        """
        with _blas().limit(limits=1, user_api="blas"):
            return self._logits(states, subjects, objects)

    def _logits(
        self,
        states: Floats,
        subjects: Sequence[Sequence[PieceRange]],
        objects: Sequence[Sequence[PieceRange]],
    ) -> Floats:
        first = np.stack([_concept(states, mentions) for mentions in subjects])
        second = np.stack([_concept(states, mentions) for mentions in objects])
        pairs = list(product(range(len(subjects)), range(len(objects))))
        left, right = np.array(pairs).T
        both = np.concatenate([first[left], second[right]], axis=1)
        joint = (first @ self._subject.T + self._subject_bias)[left] * (
            second @ self._object.T + self._object_bias
        )[right]
        features = _features(subjects, objects)
        inputs = np.concatenate([both, self._context(states, both), joint, features], axis=1)
        hidden = _gelu(inputs @ self._hidden.T + self._hidden_bias)
        scores: Floats = (hidden @ self._out.T + self._out_bias)[:, 0]
        return scores.reshape(len(subjects), len(objects))

    def _context(self, states: Floats, both: Floats) -> Floats:
        """What each pair attends to in the row, [pairs, heads x size]."""
        queries = (both @ self._query.T + self._query_bias).reshape(len(both), self._heads, self._size)
        contexts = []
        for head in range(self._heads):
            scores = (queries[:, head] @ self._key[head]) @ states.T / math.sqrt(self._size)
            weights = np.exp(scores - scores.max(1, keepdims=True))
            weights /= weights.sum(1, keepdims=True)
            contexts.append((weights @ states) @ self._value[head].T)
        return np.concatenate(contexts, axis=1) + self._value_bias


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process, looked up once."""
    return ThreadpoolController()


def _concept(states: Floats, mentions: Sequence[PieceRange]) -> Floats:
    """logsumexp over the mentions' mean states, [width]."""
    means = np.stack([states[start:end].mean(0) for start, end in mentions])
    largest = means.max(0)
    vector: Floats = largest + np.log(np.exp(means - largest).sum(0))
    return vector


def _features(subjects: Sequence[Sequence[PieceRange]], objects: Sequence[Sequence[PieceRange]]) -> Floats:
    """FEATURES of each pair, float32 [pairs, features]."""
    first = [np.array(sorted(start for start, _ in mentions)) for mentions in subjects]
    second = [np.array(sorted(start for start, _ in mentions)) for mentions in objects]
    most_first, most_second = max(map(len, first)), max(map(len, second))
    rows = []
    for subject, object_ in product(first, second):
        distances = np.abs(subject[:, None] - object_[None, :])
        nearest = np.unravel_index(distances.argmin(), distances.shape)  # the first in reading order of ties
        rows.append(
            (
                np.log1p(len(subject)),
                np.log1p(len(object_)),
                len(subject) / most_first,
                len(object_) / most_second,
                subject[0] / POSITION_UNIT,
                object_[0] / POSITION_UNIT,
                np.log1p(len(first)),
                np.log1p(len(second)),
                np.log1p(distances.min()),
                float(subject[nearest[0]] < object_[nearest[1]]),
                np.log1p((distances <= NEARER).sum()),
                np.log1p((distances <= NEAR).sum()),
            )
        )
    return np.array(rows, dtype=np.float32)


def _gelu(values: Floats) -> Floats:
    """GELU by the error function, as torch's default.

    The error function by Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26 (error < 1.5e-7).
    """
    x = np.abs(values) / np.sqrt(np.float32(2))
    t = 1 / (1 + 0.3275911 * x)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    erf = np.sign(values) * (1 - series * np.exp(-x * x))
    result: Floats = (0.5 * values * (1 + erf)).astype(np.float32)
    return result
