"""A trained network as a folder: what transformers' AutoModel loads, and the heads beside it.

Input: a network. Output: config.json, model.safetensors in fp16 with the transformer under BertModel's names
and the heads under theirs, the tokenizer, and extractor.json with all that is no tensor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from gpu_actors.training.extraction.gold import CHEMICAL, DIRECTIONS, DISEASE, PREDICATE
from gpu_actors.training.extraction.network import HEADS, ExtractorNetwork
from gpu_actors.training.extraction.pairs import FEATURES
from gpu_actors.training.extraction.rows import (
    LABELS,
    MAX_DIRECTION_TOKENS,
    MAX_QUESTION_PART,
    MAX_TOKENS,
)

__all__ = ["export_extractor", "plain_tokenizer"]

FORMAT: Final = 1
"""Version of extractor.json and of the heads' names and maths."""


def plain_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder, which neither cuts nor pads."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def export_extractor(
    network: ExtractorNetwork, tokenizer: Tokenizer, name: str, threshold: float, folder: Path
) -> None:
    """Write the folder's files; `threshold`: least logit of a relation."""
    _save_weights(network, folder / "model.safetensors")
    config = network.encoder.config.to_dict()
    public = {key: value for key, value in config.items() if not key.startswith("_")}
    _put(folder / "config.json", {**public, "architectures": ["BertModel"], "dtype": "float16"})
    tokenizer.save(str(folder / "tokenizer.json"))
    _put(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": MAX_TOKENS},
    )
    _put(
        folder / "extractor.json",
        {
            "format": FORMAT,
            "name": name,
            "max_tokens": MAX_TOKENS,
            "max_question_tokens": 3 * MAX_QUESTION_PART,
            "max_direction_tokens": MAX_DIRECTION_TOKENS,
            "tagger": {"labels": list(LABELS)},
            "relation": {
                "predicate": PREDICATE,
                "subject": CHEMICAL,
                "object": DISEASE,
                "heads": HEADS,
                "features": list(FEATURES),
                "threshold": threshold,
            },
            "direction": {"labels": list(DIRECTIONS)},
        },
    )


def _save_weights(network: ExtractorNetwork, path: Path) -> None:
    with torch.no_grad():
        transitions, start = network.sequence.moves()
    heads = {
        "tagger": network.tagger.state_dict(),
        "relation": network.relation.state_dict(),
        "direction": network.direction.state_dict(),
    }
    weights: dict[str, Tensor] = {
        **network.encoder.state_dict(),
        **{f"{head}.{name}": tensor for head, state in heads.items() for name, tensor in state.items()},
        "tagger.transitions": transitions,
        "tagger.start": start,
    }
    floats = {name: tensor for name, tensor in weights.items() if tensor.is_floating_point()}
    halves = {name: tensor.half().contiguous() for name, tensor in floats.items()}
    save_file(halves, str(path), metadata={"format": "pt"})
    path.chmod(0o644)


def _put(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
