"""A small extractor model with random weights, in the layout of the shipped one; nothing is downloaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from gpu_actors.encoders.relation_scoring import FEATURES
from gpu_actors.profiles import find_model

__all__ = ["LABELS", "an_extractor"]

LABELS = ("O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease")
DIRECTIONS = ("increased", "decreased", "unchanged")
WIDTH, INNER, HEADS = 64, 32, 4


def an_extractor(to: Path, *, seed: int = 7, threshold: float = 0.0, max_tokens: int = 512) -> Path:
    """A folder with a BERT of two layers over MiniLM's word pieces, which tags about half of all words."""
    torch.manual_seed(seed)
    config = BertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        initializer_range=0.3,
        architectures=["BertModel"],
    )
    bert = BertModel(config, add_pooling_layer=False)
    weights = {name: value for name, value in bert.state_dict().items() if "position_ids" not in name}
    save_file(
        {name: value.half().contiguous() for name, value in {**weights, **_heads()}.items()},
        str(_folder(to) / "model.safetensors"),
    )
    config.save_pretrained(to)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(find_model("all-MiniLM-L6-v2").files / name, to / name)
    relation = {"predicate": "induces", "subject": "Chemical", "object": "Disease", "heads": HEADS}
    (to / "extractor.json").write_text(
        json.dumps(
            {
                "format": 1,
                "name": "tiny",
                "max_tokens": max_tokens,
                "tagger": {"labels": LABELS},
                "direction": {"labels": DIRECTIONS},
                "relation": {**relation, "features": FEATURES, "threshold": threshold},
            }
        )
    )
    return to


def _folder(to: Path) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    return to


def _heads() -> dict[str, torch.Tensor]:
    transitions, start = torch.zeros(len(LABELS), len(LABELS)), torch.zeros(len(LABELS))
    for to, label in enumerate(LABELS):
        if label.startswith("I-"):
            start[to] = -10_000
            for origin, before in enumerate(LABELS):
                transitions[origin, to] = 0 if before[2:] == label[2:] else -10_000
    sizes = {
        "tagger": (len(LABELS), WIDTH),
        "relation.query": (INNER, 2 * WIDTH),
        "relation.key": (INNER, WIDTH),
        "relation.value": (INNER, WIDTH),
        "relation.subject": (16, WIDTH),
        "relation.object": (16, WIDTH),
        "relation.hidden": (24, 2 * WIDTH + INNER + 16 + len(FEATURES)),
        "relation.out": (1, 24),
        "direction": (len(DIRECTIONS), 2 * WIDTH),
    }
    heads = {"tagger.transitions": transitions, "tagger.start": start}
    for name, (out, width) in sizes.items():
        heads[f"{name}.weight"] = torch.randn(out, width) / width**0.5
        if name != "relation.key":
            heads[f"{name}.bias"] = torch.randn(out) * 0.1
    return heads
