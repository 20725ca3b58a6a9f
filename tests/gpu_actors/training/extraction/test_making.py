"""A trained extractor: it learnt, it loads elsewhere, and it is whole or absent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gpu_actors.cpu_bert.bert import Bert
from gpu_actors.profiles import find_model
from gpu_actors.training.extraction.making import make_extractor
from gpu_actors.training.extraction.recipe import ExtractorRecipe, ExtractorReport
from gpu_actors.training.recipe import Progress
from orchestration.errors import ConfigurationError, UsageError
from tests.gpu_actors.training.extraction.small_gold import small_gold
from tests.gpu_actors.training.small_corpus import unwatched

RECIPE = ExtractorRecipe(held_out=0.25, text_epochs=30, direction_epochs=10, batch_tokens=512, masked=0.0)


@dataclass(frozen=True)
class Made:
    folder: Path
    report: ExtractorReport
    losses: list[float]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("models") / "my-extractor"
    losses: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.part == "training":
            losses.append(progress.loss or 0.0)

    return Made(folder, make_extractor(small_gold(), folder, RECIPE, watch), losses)


def test_the_loss_falls(trained: Made) -> None:
    assert np.mean(trained.losses[-5:]) < 0.5 * np.mean(trained.losses[:5])


def test_it_finds_what_the_held_out_documents_say(trained: Made) -> None:
    measures = trained.report.measures

    assert trained.report.texts == {"learnt_from": 6, "held_out": 2}
    assert measures["all"]["f1"] > 0.8
    assert measures["induces"]["f1"] > 0.6
    assert measures["direction"]["accuracy"] > 0.8


def test_the_transformer_and_the_planes_own_give_equal_states(trained: Made) -> None:
    from transformers import AutoModel, AutoTokenizer

    from gpu_actors.batches.packing import pack

    model = AutoModel.from_pretrained(trained.folder, local_files_only=True, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(trained.folder, local_files_only=True)("Given veltamine.").input_ids
    weights = {
        name: tensor.float() for name, tensor in load_file(trained.folder / "model.safetensors").items()
    }
    bert = Bert.of(weights, 6, 12, model.config.layer_norm_eps)
    with torch.inference_mode():
        theirs = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        ours = bert(pack(np.array(ids, dtype=np.int32), [len(ids)], 1))[: len(ids)]

    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-4)


def test_the_folder_names_labels_features_and_the_threshold(trained: Made) -> None:
    layout = json.loads((trained.folder / "extractor.json").read_text())
    weights = load_file(trained.folder / "model.safetensors")

    assert layout["tagger"]["labels"] == ["O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease"]
    assert layout["relation"]["threshold"] == trained.report.threshold
    assert len(layout["relation"]["features"]) == 12 and layout["name"] == "my-extractor"
    assert all(tensor.dtype is torch.float16 for tensor in weights.values())
    assert weights["tagger.transitions"][0, 2] < -9_000 and weights["tagger.transitions"][1, 2] > -100


def test_the_card_lists_gold_recipe_figures_and_limits(trained: Made) -> None:
    written = (trained.folder / "README.md").read_text()

    assert "all-MiniLM-L6-v2@" in written and "6 annotated texts with 18 mentions of Chemical" in written
    assert f"f1 {trained.report.measures['all']['f1']:.3f}" in written
    assert "## Limits" in written and "{" not in written


def test_without_held_out_documents_nothing_is_measured(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"held_out": 0.0, "text_epochs": 1, "direction_epochs": 0})

    report = make_extractor(small_gold(), tmp_path / "mine", recipe, unwatched)

    assert report.measures == {} and report.threshold == recipe.threshold
    assert "Nothing: no documents were held out" in (tmp_path / "mine" / "README.md").read_text()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(UsageError, match="no empty folder"):
        make_extractor(small_gold(), tmp_path, RECIPE, unwatched)


def test_a_base_that_is_no_bert_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert"}')
    tokenizer = (find_model("all-MiniLM-L6-v2").files / "tokenizer.json").read_bytes()
    (base / "tokenizer.json").write_bytes(tokenizer)

    with pytest.raises(ConfigurationError, match="--base"):
        make_extractor(
            small_gold(), tmp_path / "out", RECIPE.model_copy(update={"base": str(base)}), unwatched
        )
    assert not (tmp_path / "out").exists()


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_extractor(small_gold(), tmp_path / "models" / "mine", RECIPE, watch)

    assert not list(tmp_path.rglob("*.json"))
