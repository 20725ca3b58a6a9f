"""Small cross-encoders with random weights, saved as Hugging Face saves them; nothing is downloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from gpu_actors.profiles import find_model

__all__ = ["a_cross_encoder", "a_roberta_cross_encoder", "assert_near"]

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def a_cross_encoder(to: Path, *, seed: int = 7, **config: Any) -> Path:
    """A folder with a BERT of two layers over MiniLM's word pieces, whose scores are some units apart."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    settings = {**sizes, "num_labels": 1, "initializer_range": 0.3, **config}
    model = BertForSequenceClassification(BertConfig(**settings))
    return _saved(model, to)


def a_roberta_cross_encoder(to: Path) -> Path:
    """The same of another architecture, with a head of two layers and no segments."""
    torch.manual_seed(7)
    shape = RobertaConfig(
        vocab_size=30_522,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=514,
        pad_token_id=0,
        type_vocab_size=1,
        initializer_range=0.3,
    )
    shape.num_labels = 1
    _saved(RobertaForSequenceClassification(shape), to)
    config = json.loads((to / "tokenizer_config.json").read_text())
    config["model_input_names"] = ["input_ids", "attention_mask"]
    (to / "tokenizer_config.json").write_text(json.dumps(config))
    return to


Scores: TypeAlias = Sequence[float] | npt.NDArray[np.float32]


def assert_near(scores: Scores, expected: Scores) -> None:
    """Scores of the same model, in whichever dtypes two processes chose; random weights amplify rounding."""
    spread = np.ptp(expected)
    assert spread > 0.5 and np.abs(np.subtract(scores, expected)).max() < 0.15 * spread
    assert np.corrcoef(scores, expected)[0, 1] > 0.98


def _saved(model: Any, to: Path) -> Path:
    model.save_pretrained(to)
    for name in TOKENIZER:
        source = find_model("all-MiniLM-L6-v2").files / name
        if source.is_file():
            shutil.copy(source, to / name)
    return to
