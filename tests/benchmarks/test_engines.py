"""Engines are compared row by row, in the rows' order; one that cannot run is reported, not left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.engines.comparison import compare, cosines
from benchmarks.peers.engines.contenders import Contender
from benchmarks.peers.engines.contract import Encode, Layout, Rows, Setting, Vectors, encoded
from benchmarks.peers.engines.packed import load as load_packed
from benchmarks.peers.engines.quality import Judged
from benchmarks.peers.engines.rows import read_rows, write_rows
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.profiles import find_model, get_profile

FOLDER = find_model(get_profile("cpu").embedding_model).files


def some_rows() -> Rows:
    """Of different lengths, neither sorted nor multiples of anything."""
    rng = np.random.default_rng(1)
    return [
        np.concatenate([[101], rng.integers(1000, 30_000, length), [102]]).astype(np.int32)
        for length in (31, 5, 58, 17)
    ]


def test_vectors_come_back_in_the_rows_order_whatever_the_engine_is_given_first() -> None:
    def counts(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        return np.array([[length, 1] for length in lengths], dtype=np.float32)

    for layout in (Layout(2, 1, 64), Layout(1, 1, 4096, batch_rows=3)):
        vectors = encoded(some_rows(), counts, layout)
        assert np.allclose(vectors[:, 0] / vectors[:, 1], [33, 7, 60, 19])


def test_rows_survive_the_way_to_another_process(tmp_path: Path) -> None:
    rows = some_rows()
    back = read_rows(write_rows(tmp_path / "rows.npz", rows))
    assert all(np.array_equal(row, other) for row, other in zip(rows, back, strict=True))


def test_one_wrong_row_shows_in_the_smallest_cosine() -> None:
    unit = np.eye(3, dtype=np.float32)
    assert cosines(unit[[0, 1, 0]], unit[[0, 1, 2]]) == pytest.approx((0.0, 2 / 3))


def test_ndcg_falls_with_the_rank_of_the_relevant_passage() -> None:
    passages = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    judged = Judged(passages=[], questions=[], relevant=(0, 1))
    assert judged.ndcg(passages, np.array([[1, 0], [1, 0]], dtype=np.float32)) == pytest.approx(
        (1 + 1 / np.log2(3)) / 2
    )


def test_our_own_engine_is_measured_and_an_absent_one_is_reported() -> None:
    contenders = (
        Contender("medkg fp32", "fused", "float32", "medkg"),
        Contender("fictional", "", "", "none", "it was never written"),
    )
    result = compare(some_rows(), FOLDER, contenders, rounds=1, judged=None, say=lambda _: None)
    assert result["engines"]["medkg fp32"]["to_medkg"] == 1.0
    assert result["absent"] == {"fictional": "it was never written"}


def test_softmax_without_its_shift_gives_our_own_vectors(tmp_path: Path) -> None:
    from benchmarks.peers.engines.fused import load as load_fused

    rows, layout = some_rows(), Layout(1, 1, 4096)
    threads = torch.get_num_threads()

    def vectors(encode: Encode) -> Vectors:
        return encoded(rows, encode, layout)

    try:
        for variant, least in (("float32", 0.99999), ("int8", 0.999)):
            setting = Setting(variant, FOLDER, layout, rows, tmp_path)
            assert cosines(vectors(load_packed(setting)), vectors(load_fused(setting)))[0] > least
    finally:
        torch.set_num_threads(threads)
