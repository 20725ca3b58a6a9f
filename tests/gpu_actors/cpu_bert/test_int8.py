"""Products in int8: as near as their levels allow, and a row's vector is its own whatever lies beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.cpu_bert.bert import Linear
from gpu_actors.cpu_bert.bert_models import BertEncoder, plain_bert
from gpu_actors.cpu_bert.int8 import LENGTHS, ROWS, Range, SmoothedLinear, calibration_rows
from gpu_actors.profiles import Model
from tests.gpu_actors.encoders.test_embedding import TEXTS, cosines


@pytest.fixture(scope="module")
def encoder(minilm: Model, tokenizer: TextTokenizer) -> BertEncoder:
    plain = plain_bert(minilm.files)
    assert plain is not None
    return BertEncoder(plain, tokenizer.ends, torch.int8)


@pytest.fixture
def linear() -> Linear:
    generator = torch.Generator().manual_seed(1)
    return Linear(torch.randn(64, 32, generator=generator) * 0.1, torch.randn(64, generator=generator))


@pytest.fixture
def inputs() -> torch.Tensor:
    """[200, 32], channels of very different size."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(200, 32, generator=generator) * torch.logspace(-2, 1, 32)


def unit(vectors: torch.Tensor) -> np.ndarray:
    return np.asarray(functional.normalize(vectors).numpy())


def test_a_product_is_that_of_fp32_up_to_its_levels(linear: Linear, inputs: torch.Tensor) -> None:
    exact = functional.linear(inputs, linear.weight, linear.bias)
    rounded = SmoothedLinear(linear, inputs)
    residual = torch.randn(200, 64)

    assert (rounded.plain(inputs) - exact).std() < 0.02 * exact.std()
    assert torch.equal(rounded.plus(inputs, residual.clone()), rounded.plain(inputs) + residual)


def test_gelu_leaves_in_the_levels_of_its_range(linear: Linear, inputs: torch.Tensor) -> None:
    rounded = SmoothedLinear(linear, inputs)
    exact = functional.gelu(rounded.plain(inputs))
    levels = Range.of(exact)

    outputs = rounded.with_gelu(inputs, levels)

    assert outputs.dtype is torch.uint8
    assert ((outputs.float() - levels.zero) * levels.step - exact).abs().max() <= 0.51 * levels.step


def test_what_lies_beyond_a_range_is_cut_off_at_its_end(linear: Linear, inputs: torch.Tensor) -> None:
    rounded = SmoothedLinear(linear, inputs, smoothing=0)
    largest = torch.full((1, 32), float(inputs.max()))

    assert torch.allclose(rounded.plain(largest * 1000), rounded.plain(largest))


def test_smoothing_by_channel_keeps_small_channels(linear: Linear, inputs: torch.Tensor) -> None:
    exact = functional.linear(inputs, linear.weight, linear.bias)
    errors = [
        float((SmoothedLinear(linear, inputs, smoothing).plain(inputs) - exact).square().mean())
        for smoothing in (0.0, 0.7)
    ]

    assert errors[1] < 0.5 * errors[0]


def test_a_rows_vector_does_not_depend_on_its_neighbours(
    encoder: BertEncoder, tokenizer: TextTokenizer
) -> None:
    rows = tokenizer.token_ids(TEXTS)
    together = encoder(np.concatenate(rows), [len(row) for row in rows])
    alone = torch.cat([encoder(row, [len(row)]) for row in rows])

    assert cosines(unit(together), unit(alone)).min() > 0.9999


def test_synthetic_rows_fit_the_model_and_are_the_same_every_time(encoder: BertEncoder) -> None:
    token_ids, lengths = calibration_rows(encoder.bert, 101, 102)
    again, _ = calibration_rows(encoder.bert, 101, 102)
    few_places = type(encoder.bert)(
        encoder.bert.words, encoder.bert.positions[:64], encoder.bert.norm, encoder.bert.layers
    )

    assert np.array_equal(token_ids, again) and sum(lengths) == len(token_ids) and lengths == ROWS * LENGTHS
    assert token_ids.max() < len(encoder.bert.words)
    assert all(row[0] == 101 and row[-1] == 102 for row in np.split(token_ids, np.cumsum(lengths)[:-1]))
    assert max(calibration_rows(few_places, 101, 102)[1]) == 64
