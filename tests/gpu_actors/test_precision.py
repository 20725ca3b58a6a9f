"""The dtype is the fastest one that the CPU has and that keeps the vectors; everything else is left alone."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from gpu_actors.budget import TokenIds
from gpu_actors.precision import Forward, load_model
from gpu_actors.tokens import TextTokenizer

EXACT = torch.float32, torch.bfloat16, torch.int8


def chosen(
    monkeypatch: pytest.MonkeyPatch,
    tokenizer: TextTokenizer,
    seconds: Sequence[float],
    errors: Sequence[float],
    instructions: Sequence[bool] = (True, True),
    offered: Collection[torch.dtype] = (torch.bfloat16, torch.int8),
) -> str:
    """The dtype chosen of fp32, bf16 and int8 with these costs and errors."""
    monkeypatch.setattr("gpu_actors.precision.has_bf16", lambda: instructions[0])
    monkeypatch.setattr("gpu_actors.precision.has_int8", lambda: instructions[1])

    def load(dtype: torch.dtype) -> Forward:
        number = EXACT.index(dtype)

        def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
            until = time.thread_time() + seconds[number]
            while time.thread_time() < until:
                pass
            vectors = torch.ones(len(lengths), 64)
            vectors[-1, 0] += errors[number]
            return vectors

        return forward

    threads = torch.get_num_threads()
    try:
        model = load_model(load, offered, "cpu", tokenizer)
    finally:
        torch.set_num_threads(threads)
    assert model.probe[0].dtype == np.int32
    return model.dtype


def test_the_fastest_wins(monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer) -> None:
    assert chosen(monkeypatch, tokenizer, (0.04, 0.02, 0.005), (0, 0, 0)) == "int8"
    assert chosen(monkeypatch, tokenizer, (0.04, 0.005, 0.02), (0, 0, 0)) == "bfloat16"
    assert chosen(monkeypatch, tokenizer, (0.005, 0.02, 0.04), (0, 0, 0)) == "float32"


def test_a_coarser_dtype_that_is_hardly_faster_is_left(
    monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer
) -> None:
    assert chosen(monkeypatch, tokenizer, (0.04, 0.02, 0.018), (0, 0, 0)) == "bfloat16"
    assert chosen(monkeypatch, tokenizer, (0.04, 0.036, 0.035), (0, 0, 0)) == "float32"


def test_one_text_whose_vector_turns_is_enough_to_refuse_a_dtype(
    monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer
) -> None:
    fast_int8 = (0.04, 0.02, 0.005)

    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0, 0.4)) == "int8"  # cosine .9988
    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0.4, 0.8)) == "float32"
    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0.2, 0.8)) == "bfloat16"


def test_a_dtype_is_not_tried_without_its_instructions_or_where_the_model_has_none(
    monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer
) -> None:
    fast_int8 = (0.04, 0.02, 0.005)

    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0, 0), instructions=(True, False)) == "bfloat16"
    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0, 0), instructions=(False, False)) == "float32"
    assert chosen(monkeypatch, tokenizer, fast_int8, (0, 0, 0), offered=(torch.bfloat16,)) == "bfloat16"


def test_on_a_gpu_attention_needs_no_plan_for_each_shape(tokenizer: TextTokenizer) -> None:
    was = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(True)
    planned = []

    def load(dtype: torch.dtype) -> Forward:
        def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
            planned.append(torch.backends.cuda.cudnn_sdp_enabled())
            return torch.ones(len(lengths), 64, dtype=dtype)

        return forward

    try:
        model = load_model(load, {torch.bfloat16}, "cuda", tokenizer)
    finally:
        torch.backends.cuda.enable_cudnn_sdp(was)
    assert model.dtype == "bfloat16"
    assert planned == [False]
