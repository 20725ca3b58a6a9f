"""The two numbers that are chosen after a training: the tagger's outside bias and the relations' threshold.

Input: a trained network, held-out gold. Output: the network with its bias, the threshold, and measures on
the same gold. A tagger that learnt from texts in which one kind was not annotated proposes too much, since
no word of theirs is known to be outside; a bias on the score of O repairs that without another training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from gpu_actors.training.extraction.gold import PREDICATE, AnnotatedText, ExtractorGold
from gpu_actors.training.extraction.measures import (
    Logits,
    Scores,
    direction_measures,
    hidden_states,
    mention_measures,
    relation_logits,
    relation_measures,
    tagged_mentions,
)
from gpu_actors.training.extraction.network import ExtractorNetwork
from gpu_actors.training.extraction.recipe import ExtractorRecipe
from gpu_actors.training.extraction.rows import LABELS, TextRow, direction_row, text_rows

__all__ = ["best_outside_bias", "best_threshold", "calibrated"]

BIASES: Final = tuple(round(0.2 * step, 1) for step in range(8))
OUTSIDE: Final = LABELS.index("O")


def calibrated(
    network: ExtractorNetwork, held: ExtractorGold, tokenizer: Tokenizer, recipe: ExtractorRecipe
) -> tuple[dict[str, Scores], float]:
    """Give the network its outside bias; return (measures by name, least logit of a relation).

    The recipe's bias and threshold are taken where nothing is held out to choose them by.
    """
    measures: dict[str, Scores] = {}
    bias, threshold = recipe.outside_bias, recipe.threshold
    rows = text_rows(held.texts, tokenizer)
    states = hidden_states(network, rows)
    if held.texts:
        scores = [each for _, each in states]
        bias = best_outside_bias(network, held.texts, rows, scores)
        measures |= mention_measures(held.texts, tagged_mentions(network, rows, _biased(scores, bias)))
    if any(text.relations for text in held.texts):
        gold = {n: text.mentions for n, text in enumerate(held.texts) if text.relations is not None}
        logits = relation_logits(network, rows, [hidden for hidden, _ in states], gold)
        threshold = best_threshold(held.texts, logits)
        measures[PREDICATE] = relation_measures(held.texts, logits, threshold)
    if held.questions:
        measures["direction"] = direction_measures(
            network, [direction_row(question, tokenizer) for question in held.questions]
        )
    with torch.no_grad():
        network.tagger.bias[OUTSIDE] += bias
    return measures, threshold


def best_outside_bias(
    network: ExtractorNetwork,
    texts: Sequence[AnnotatedText],
    rows: Sequence[TextRow],
    scores: Sequence[Tensor],
) -> float:
    """What, added to the score of O, gives the best F1 of mentions when averaged with its neighbours'."""
    measured = [
        mention_measures(texts, tagged_mentions(network, rows, _biased(scores, bias)))["all"]["f1"]
        for bias in BIASES
    ]
    return BIASES[_smoothed_top(measured, 3)]


def best_threshold(texts: Sequence[AnnotatedText], logits: Mapping[int, Logits]) -> float:
    """The threshold, in steps of 0.1, whose F1 is highest when averaged with its neighbours'."""
    steps = np.arange(-3, 3.05, 0.1)
    scores = [relation_measures(texts, logits, float(step))["f1"] for step in steps]
    return round(float(steps[_smoothed_top(scores, 7)]), 1)


def _smoothed_top(values: Sequence[float], window: int) -> int:
    """Place of the highest mean over a window of values, which is centred on it."""
    padded = np.pad(np.asarray(values), window // 2, mode="edge")
    return int(np.convolve(padded, np.ones(window) / window, mode="valid").argmax())


def _biased(scores: Sequence[Tensor], bias: float) -> list[Tensor]:
    added = torch.zeros(len(LABELS))
    added[OUTSIDE] = bias
    return [each + added for each in scores]
