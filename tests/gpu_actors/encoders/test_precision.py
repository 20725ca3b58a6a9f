"""The dtype is the fastest one of the CPU's kind that keeps the vectors; no clock has a say."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.encoders.precision import Forward, load_model

EXACT = torch.float32, torch.bfloat16, torch.int8


def chosen(
    monkeypatch: pytest.MonkeyPatch,
    tokenizer: TextTokenizer,
    errors: Sequence[float] = (0, 0, 0),
    instructions: Sequence[bool] = (True, True),
    offered: Collection[torch.dtype] = (torch.bfloat16, torch.int8),
) -> str:
    """The dtype chosen of fp32, bf16 and int8 with these errors, on a CPU with AMX's bf16, with VNNI."""
    monkeypatch.setattr("gpu_actors.encoders.precision.has_fast_bf16", lambda: instructions[0])
    monkeypatch.setattr("gpu_actors.encoders.precision.has_int8", lambda: instructions[1])

    def load(dtype: torch.dtype) -> Forward:
        def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
            vectors = torch.ones(len(lengths), 64)
            vectors[-1, 0] += errors[EXACT.index(dtype)]
            return vectors

        return forward

    threads = torch.get_num_threads()
    try:
        model = load_model(load, offered, "cpu", tokenizer)
    finally:
        torch.set_num_threads(threads)
    assert model.probe[0].dtype == np.int32
    return model.dtype


def test_the_kind_of_cpu_decides(monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer) -> None:
    assert chosen(monkeypatch, tokenizer, instructions=(True, True)) == "bfloat16"
    assert chosen(monkeypatch, tokenizer, instructions=(False, True)) == "int8"
    assert chosen(monkeypatch, tokenizer, instructions=(False, False)) == "float32"


def test_one_text_whose_vector_turns_is_enough_to_refuse_a_dtype(
    monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer
) -> None:
    vnni = (False, True)

    assert chosen(monkeypatch, tokenizer, (0, 0, 0.4), vnni) == "int8"  # cosine .9988
    assert chosen(monkeypatch, tokenizer, (0, 0, 0.8), vnni) == "float32"
    assert chosen(monkeypatch, tokenizer, (0, 0.4, 0.4)) == "int8"
    assert chosen(monkeypatch, tokenizer, (0, 0.4, 0.8)) == "float32"


def test_a_dtype_that_the_model_has_not_is_left(
    monkeypatch: pytest.MonkeyPatch, tokenizer: TextTokenizer
) -> None:
    bf16_alone = {torch.bfloat16}

    assert chosen(monkeypatch, tokenizer, instructions=(False, True), offered=bf16_alone) == "float32"
    assert chosen(monkeypatch, tokenizer, instructions=(True, True), offered=bf16_alone) == "bfloat16"


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
