"""Precision, recall and F1 of what a network finds in annotated texts, and its accuracy on questions.

Input: a network and gold. Output: measures by name. Mentions count if characters and kind are exact;
relations once per document. `medkg eval-extract` measures the product, this the network alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gpu_actors.training.extraction.batches import batched, direction_batch, text_batch
from gpu_actors.training.extraction.gold import (
    CHEMICAL,
    DIRECTIONS,
    DISEASE,
    AnnotatedText,
)
from gpu_actors.training.extraction.network import ExtractorNetwork
from gpu_actors.training.extraction.rows import (
    LABELS,
    DirectionRow,
    TextRow,
    concepts_of,
)
from orchestration.records import AnnotatedMention

__all__ = [
    "Scores",
    "direction_measures",
    "hidden_states",
    "mention_measures",
    "relation_logits",
    "relation_measures",
    "scores_of",
    "tagged_mentions",
]

EVALUATION_TOKENS: Final = 8_192

Scores: TypeAlias = dict[str, float]
TaggedSpan: TypeAlias = tuple[int, int, str]
"""First character, character after the last, kind."""
Logits: TypeAlias = dict[tuple[str, str], float]
"""By (chemical, disease); the highest of a text's rows."""


def scores_of(predicted: Set[object], right: Set[object]) -> Scores:
    """Precision, recall and F1 of a set; 0 where nothing is predicted or right."""
    hits = len(predicted & right)
    precision, recall = hits / max(1, len(predicted)), hits / max(1, len(right))
    return {"precision": precision, "recall": recall, "f1": 2 * hits / max(1, len(predicted) + len(right))}


@torch.inference_mode()
def hidden_states(network: ExtractorNetwork, rows: Sequence[TextRow]) -> list[tuple[Tensor, Tensor]]:
    """(hidden float32 [tokens, width], word scores float32 [words, labels]) of each row."""
    network.eval()
    places = {id(row): number for number, row in enumerate(rows)}
    states: list[tuple[Tensor, Tensor]] = [(torch.empty(0), torch.empty(0))] * len(rows)
    for chosen in batched(rows, EVALUATION_TOKENS):
        batch = text_batch(chosen)
        hidden = network.hidden(batch.ids, batch.real)
        scores = network.word_scores(hidden, batch.words, batch.most)
        for number, row in enumerate(chosen):
            states[places[id(row)]] = (hidden[number, : len(row.ids)], scores[number, : len(row.words)])
    return states


def tagged_mentions(
    network: ExtractorNetwork, rows: Sequence[TextRow], scores: Sequence[Tensor]
) -> dict[int, list[TaggedSpan]]:
    """Mentions by number of the text."""
    spans: dict[int, list[TaggedSpan]] = defaultdict(list)
    for row, each in zip(rows, scores, strict=True):
        spans[row.text] += _mentions(row, network.sequence.best(each))
    return spans


def _mentions(row: TextRow, labels: Sequence[int]) -> list[TaggedSpan]:
    mentions: list[TaggedSpan] = []
    for (start, end), label in zip(row.spans, (LABELS[number] for number in labels), strict=True):
        if label.startswith("B-"):
            mentions.append((start, end, label[2:]))
        elif label.startswith("I-"):
            mentions[-1] = (mentions[-1][0], end, label[2:])
    return mentions


def mention_measures(
    texts: Sequence[AnnotatedText], spans: Mapping[int, Sequence[TaggedSpan]]
) -> dict[str, Scores]:
    """Scores by kind that the texts annotate, and "all"."""
    kinds = sorted(set().union(*(text.kinds for text in texts)))
    right = {(n, m.start_char, m.end_char, m.kind) for n, text in enumerate(texts) for m in text.mentions}
    predicted = {
        (n, *mention) for n, each in spans.items() for mention in each if mention[2] in texts[n].kinds
    }
    measures = {kind: scores_of(_of_kind(predicted, kind), _of_kind(right, kind)) for kind in kinds}
    return {**measures, "all": scores_of(predicted, right)}


def _of_kind(mentions: Set[tuple[int, int, int, str]], kind: str) -> Set[tuple[int, int, int, str]]:
    return {mention for mention in mentions if mention[3] == kind}


@torch.inference_mode()
def relation_logits(
    network: ExtractorNetwork,
    rows: Sequence[TextRow],
    hidden: Sequence[Tensor],
    mentions: Mapping[int, Sequence[AnnotatedMention]],
) -> dict[int, Logits]:
    """Logits of each text's pairs of concepts that share a row."""
    network.eval()
    logits: dict[int, Logits] = defaultdict(dict)
    for row, states in zip(rows, hidden, strict=True):
        concepts = concepts_of(row, mentions.get(row.text, ()))
        chemicals = [concept.key for concept in concepts if concept.kind == CHEMICAL]
        diseases = [concept.key for concept in concepts if concept.kind == DISEASE]
        if not chemicals or not diseases:
            continue
        values = network.relation(states, concepts).numpy()
        for (a, b), value in np.ndenumerate(values):
            pair = (chemicals[a], diseases[b])
            logits[row.text][pair] = max(float(value), logits[row.text].get(pair, -np.inf))
    return logits


def relation_measures(
    texts: Sequence[AnnotatedText], logits: Mapping[int, Logits], threshold: float
) -> Scores:
    """Scores of relations whose logit reaches the threshold."""
    right = {(n, *pair) for n, text in enumerate(texts) for pair in text.relations or ()}
    predicted = {
        (n, *pair) for n, each in logits.items() for pair, value in each.items() if value >= threshold
    }
    return scores_of(predicted, right)


@torch.inference_mode()
def direction_measures(network: ExtractorNetwork, rows: Sequence[DirectionRow]) -> Scores:
    """Accuracy, macro F1, and F1 of each direction."""
    network.eval()
    right, predicted = [], []
    for chosen in batched(rows, EVALUATION_TOKENS):
        batch = direction_batch(chosen)
        scores = network.direction_scores(network.hidden(batch.ids, batch.real), batch.real)
        predicted += scores.argmax(-1).tolist()
        right += batch.directions.tolist()
    sets = {
        name: scores_of(
            {n for n, each in enumerate(predicted) if each == number},
            {n for n, each in enumerate(right) if each == number},
        )["f1"]
        for number, name in enumerate(DIRECTIONS)
    }
    accuracy = float(np.mean(np.array(predicted) == np.array(right)))
    return {"accuracy": accuracy, "macro_f1": sum(sets.values()) / len(sets), **sets}
