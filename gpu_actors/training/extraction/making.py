"""From annotated documents to an extractor's folder: the way through this room, and what it came to.

Input: annotated documents, a recipe, where to. Output: the folder, whole or not at all, and a report of sizes
and measures, which the card also lists.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from gpu_actors.profiles import find_model
from gpu_actors.training.export import check_free, whole_or_nothing
from gpu_actors.training.extraction.calibration import calibrated
from gpu_actors.training.extraction.card import card
from gpu_actors.training.extraction.export import export_extractor, plain_tokenizer
from gpu_actors.training.extraction.fitting import fit
from gpu_actors.training.extraction.gold import ExtractorGold, gold_of, held_apart
from gpu_actors.training.extraction.network import ExtractorNetwork
from gpu_actors.training.extraction.recipe import ExtractorRecipe, ExtractorReport
from gpu_actors.training.recipe import Progress, Watch
from orchestration.errors import ConfigurationError
from orchestration.records import AnnotatedDocument

__all__ = ["make_extractor"]


def make_extractor(
    documents: Sequence[AnnotatedDocument], out: Path, recipe: ExtractorRecipe, watch: Watch
) -> ExtractorReport:
    """Train and write an extractor.

    Raises UsageError for a folder that is there or too little gold, ConfigurationError for a base that is no
    BERT; nothing is left at `out` then, nor when it is interrupted.
    """
    check_free(out)
    started = time.monotonic()
    training, held = held_apart(gold_of(documents), recipe.held_out, recipe.seed)
    base = find_model(recipe.base)
    tokenizer = plain_tokenizer(base.files)
    network = _network(base.files, recipe)
    _train(network, training, tokenizer, recipe, watch)
    watch(Progress("measuring", 0, len(held.texts), "texts"))
    measures, threshold = calibrated(network, held, tokenizer, recipe)
    watch(Progress("measuring", len(held.texts), len(held.texts), "texts"))
    report = ExtractorReport(
        base=base.model_id,
        texts={"learnt_from": len(training.texts), "held_out": len(held.texts)},
        mentions=dict(Counter(mention.kind for text in training.texts for mention in text.mentions)),
        relations=sum(len(text.relations or ()) for text in training.texts),
        questions={"learnt_from": len(training.questions), "held_out": len(held.questions)},
        threshold=threshold,
        measures=measures,
        seconds=round(time.monotonic() - started, 1),
    )
    with whole_or_nothing(out) as folder:
        export_extractor(network, tokenizer, out.name, threshold, folder)
        (folder / "README.md").write_text(card(out.name, recipe, report), encoding="utf-8")
    return report


def _network(base: Path, recipe: ExtractorRecipe) -> ExtractorNetwork:
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(recipe.seed)
    try:
        return ExtractorNetwork(base, recipe.dropout)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"base {recipe.base}: it does not load as a BERT ({error}). Name another in --base, e.g. "
            "all-MiniLM-L6-v2."
        ) from error


def _train(
    network: ExtractorNetwork,
    gold: ExtractorGold,
    tokenizer: Tokenizer,
    recipe: ExtractorRecipe,
    watch: Watch,
) -> None:
    def report(done: int, total: int, loss: float) -> None:
        watch(Progress("training", done, total, f"steps, loss {loss:.3f}", loss))

    fit(network, gold, tokenizer, recipe, report)
