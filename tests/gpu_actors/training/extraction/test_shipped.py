"""The extractor that ships: its card names these weights, and its layout is the one that is written today."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from safetensors import safe_open

from gpu_actors.shipped_models import shipped_model
from gpu_actors.training.extraction.export import FORMAT
from gpu_actors.training.extraction.pairs import FEATURES
from gpu_actors.training.extraction.rows import LABELS, MAX_TOKENS

MOST_BYTES = 60_000_000


@pytest.fixture
def folder() -> Path:
    shipped = shipped_model("extractor-mini")
    assert shipped is not None
    return shipped


def test_its_card_names_these_weights_and_their_gold(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()

    assert digest in card
    assert all(corpus in card for corpus in ("BC5CDR", "NCBI Disease", "Evidence Inference"))
    assert all(part in card for part in ("## Licence", "## Recipe", "## Measured", "## Limits"))


def test_its_layout_is_that_of_a_training_today(folder: Path) -> None:
    layout = json.loads((folder / "extractor.json").read_text(encoding="utf-8"))

    assert layout["format"] == FORMAT and layout["max_tokens"] == MAX_TOKENS
    assert layout["tagger"]["labels"] == list(LABELS)
    assert layout["relation"]["features"] == list(FEATURES)
    assert layout["direction"]["labels"] == ["increased", "decreased", "unchanged"]


def test_it_is_small_and_in_fp16(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*")) < MOST_BYTES
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        assert {str(weights.get_slice(name).get_dtype()) for name in weights.keys()} == {"F16"}  # noqa: SIM118
        assert weights.get_slice("tagger.transitions").get_shape() == [5, 5]
