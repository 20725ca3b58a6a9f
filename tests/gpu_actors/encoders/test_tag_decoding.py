"""Logits of word pieces to mentions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_actors.encoders.tag_decoding import TagDecoder
from tests.gpu_actors.encoders.tiny_extractor import LABELS

NUMBERS = {label: number for number, label in enumerate(LABELS)}
FORBIDDEN = np.float32(-10_000)
START = np.array([0, 0, FORBIDDEN, 0, FORBIDDEN], dtype=np.float32)
TRANSITIONS = np.array(
    [
        [FORBIDDEN if to.startswith("I-") and origin[2:] != to[2:] else 0.0 for to in LABELS]
        for origin in LABELS
    ],
    dtype=np.float32,
)
WORD, PIECE, SPECIAL = 0, 1, 2
CONTINUES = np.array([False, True, False])


def a_decoder() -> TagDecoder:
    return TagDecoder(LABELS, TRANSITIONS, START, CONTINUES)


def decoded(*rows: str) -> list[list[int]]:
    """Mentions of rows written as labels, "+" before a piece that continues a word."""
    ids: list[int] = []
    logits: list[list[float]] = []
    for row in rows:
        pieces = row.split()
        ids += [SPECIAL, *(PIECE if piece.startswith("+") else WORD for piece in pieces), SPECIAL]
        for label in ["O", *(piece.lstrip("+") for piece in pieces), "O"]:
            logits.append([4.0 * (number == NUMBERS[label]) for number in range(len(LABELS))])
    lengths = [len(row.split()) + 2 for row in rows]
    return a_decoder().decode(np.array(logits, np.float32), np.array(ids, np.int32), lengths).places.tolist()


def test_mentions_are_runs_of_one_label_by_row_and_piece() -> None:
    rows = decoded("B-Chemical I-Chemical O B-Disease", "O O", "B-Disease B-Disease I-Disease")
    assert rows == [[0, 1, 3, 0], [0, 4, 5, 1], [2, 1, 2, 1], [2, 2, 4, 1]]


def test_a_mention_holds_all_pieces_of_its_words() -> None:
    assert decoded("B-Chemical +B-Chemical +O O") == [[0, 1, 4, 0]]


def test_a_row_without_words_and_a_batch_without_mentions_have_none() -> None:
    assert decoded("", "O") == []


def test_an_inside_label_without_its_beginning_begins_nothing() -> None:
    assert decoded("O I-Disease O") in ([], [[0, 2, 3, 1]])
    assert decoded("I-Chemical I-Chemical") == [[0, 1, 3, 0]]  # the first becomes B-Chemical: the best path


@given(st.integers(1, 4), st.integers(0, 10_000))
def test_confidence_is_the_mean_probability_of_the_labels_over_all_labellings(length: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(length + 2, len(LABELS))).astype(np.float32)
    logits[1:-1, 0] -= 3  # so that there are mentions
    transitions = (TRANSITIONS + generator.normal(size=TRANSITIONS.shape)).astype(np.float32)
    ids = np.array([SPECIAL, *[WORD] * length, SPECIAL], np.int32)
    rows = TagDecoder(LABELS, transitions, START, CONTINUES).decode(
        np.concatenate([logits, logits[:3]]), np.concatenate([ids, ids[[0, 1, -1]]]), [length + 2, 3]
    )

    weights = {
        path: np.exp(
            START[path[0]]
            + sum(transitions[origin, to] for origin, to in itertools.pairwise(path))
            + sum(logits[at + 1, label] for at, label in enumerate(path))
        )
        for path in itertools.product(range(len(LABELS)), repeat=length)
    }
    total = sum(weights.values())
    for (row, first, end, label), confidence in zip(rows.places.tolist(), rows.confidences, strict=True):
        if row == 0:
            labels = [1 + 2 * label, *[2 + 2 * label] * (end - first - 1)]
            likely = [
                sum(weight for path, weight in weights.items() if path[first - 1 + at] == wanted) / total
                for at, wanted in enumerate(labels)
            ]
            assert confidence == pytest.approx(np.mean(likely), rel=1e-3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 10_000))
def test_the_path_is_the_best_of_all(lengths: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    sizes = [length + 2 for length in lengths]
    logits = generator.normal(size=(sum(sizes), len(LABELS))).astype(np.float32)
    ids = np.concatenate([[SPECIAL, *[WORD] * length, SPECIAL] for length in lengths]).astype(np.int32)
    transitions = (TRANSITIONS + generator.normal(size=TRANSITIONS.shape)).astype(np.float32)
    decoder = TagDecoder(LABELS, transitions, START, CONTINUES)

    expected = []
    for row, length in enumerate(lengths):
        first = sum(sizes[:row]) + 1
        words = logits[first : first + length]

        def score(path: tuple[int, ...], words: np.ndarray = words) -> float:
            moves = sum(transitions[origin, to] for origin, to in itertools.pairwise(path))
            return float(START[path[0]] + moves + sum(words[at, label] for at, label in enumerate(path)))

        best = max(itertools.product(range(len(LABELS)), repeat=length), key=score) if length else ()
        for at, label in enumerate(best):
            if LABELS[label].startswith("B-"):
                expected.append([row, at + 1, at + 2, (label - 1) // 2])
            elif label:
                expected[-1][2] = at + 2
    assert decoder.decode(logits, ids, sizes).places.tolist() == expected
