"""The training of an extractor's network over its three tasks at once.

Input: rows, a recipe. Output: the network's weights, moved. Texts and questions alternate in
a fixed proportion, so that the transformer forgets no task for another; a text teaches the tagger and, where
its relations are annotated, the relation head in one pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from gpu_actors.training.extraction.batches import TextBatch, batched, direction_batch, text_batch
from gpu_actors.training.extraction.gold import CHEMICAL, DISEASE, AnnotatedText, ExtractorGold
from gpu_actors.training.extraction.network import ExtractorNetwork
from gpu_actors.training.extraction.optimisation import Optimisation
from gpu_actors.training.extraction.recipe import ExtractorRecipe
from gpu_actors.training.extraction.rows import (
    Concept,
    DirectionRow,
    TextRow,
    concepts_of,
    direction_row,
    special_id,
    text_rows,
)

__all__ = ["fit"]


def fit(
    network: ExtractorNetwork,
    gold: ExtractorGold,
    tokenizer: Tokenizer,
    recipe: ExtractorRecipe,
    report: Callable[[int, int, float], None],
) -> None:
    """Train on all texts and questions; `report` takes steps done, steps in all, and the step's loss."""
    lessons = _Lessons(gold, tokenizer)
    draw = random.Random(recipe.seed)
    text_steps = [
        rows for _ in range(recipe.text_epochs) for rows in batched(lessons.rows, recipe.batch_tokens, draw)
    ]
    question_steps = [
        rows
        for _ in range(recipe.direction_epochs)
        for rows in batched(lessons.questions, recipe.batch_tokens, draw)
    ]
    steps = _interleaved(text_steps, question_steps)
    optimisation = Optimisation(network, recipe.body_rate, recipe.head_rate, recipe.layer_decay, len(steps))
    network.train()
    for number, step in enumerate(steps, start=1):
        if step.texts:
            loss = _text_loss(network, step.texts, lessons, recipe)
        else:
            loss = recipe.direction_weight * _direction_loss(network, step.questions)
        optimisation.step(loss)
        report(number, len(steps), float(loss.detach()))


@dataclass(frozen=True, slots=True)
class _Step:
    """Rows of one kind."""

    texts: tuple[TextRow, ...] = ()
    questions: tuple[DirectionRow, ...] = ()


def _interleaved(
    texts: Sequence[tuple[TextRow, ...]], questions: Sequence[tuple[DirectionRow, ...]]
) -> list[_Step]:
    """Both in their order, evenly mixed."""
    placed = [((n + 0.5) / len(texts), 0, _Step(texts=rows)) for n, rows in enumerate(texts)]
    placed += [((n + 0.5) / len(questions), 1, _Step(questions=rows)) for n, rows in enumerate(questions)]
    return [step for _, _, step in sorted(placed, key=lambda each: each[:2])]


class _Lessons:
    """Rows of the gold, with the relations that they should give."""

    def __init__(self, gold: ExtractorGold, tokenizer: Tokenizer) -> None:
        self.rows = [row for row in text_rows(gold.texts, tokenizer) if row.words]
        self.questions = [direction_row(question, tokenizer) for question in gold.questions]
        self.mask_id = special_id(tokenizer, "[MASK]")
        self._pairs: dict[int, tuple[list[Concept], Tensor]] = {}
        for row in self.rows:
            text = gold.texts[row.text]
            if text.relations is not None and (pairs := _pairs(row, text, text.relations)) is not None:
                self._pairs[id(row)] = pairs

    def pairs(self, row: TextRow) -> tuple[list[Concept], Tensor] | None:
        """(concepts, whether each chemical induces each disease [chemicals, diseases]); None: no pair."""
        return self._pairs.get(id(row))


def _pairs(
    row: TextRow, text: AnnotatedText, relations: frozenset[tuple[str, str]]
) -> tuple[list[Concept], Tensor] | None:
    concepts = concepts_of(row, text.mentions)
    chemicals = [concept.key for concept in concepts if concept.kind == CHEMICAL]
    diseases = [concept.key for concept in concepts if concept.kind == DISEASE]
    if not chemicals or not diseases:
        return None
    return concepts, torch.tensor([[float((a, b) in relations) for b in diseases] for a in chemicals])


def _text_loss(
    network: ExtractorNetwork, rows: Sequence[TextRow], lessons: _Lessons, recipe: ExtractorRecipe
) -> Tensor:
    """The tagger's loss per word, plus the weighted loss per pair of the rows with relations."""
    batch = text_batch(rows)
    hidden = network.hidden(_masked(batch, recipe.masked, lessons.mask_id), batch.real)
    scores = network.word_scores(hidden, batch.words, batch.most)
    loss = network.sequence.loss(scores, batch.allowed, batch.lengths) / batch.lengths.sum()
    losses = []
    for number, row in enumerate(rows):
        if (pairs := lessons.pairs(row)) is not None:
            concepts, targets = pairs
            logits = network.relation(hidden[number, : len(row.ids)], concepts)
            losses.append(functional.binary_cross_entropy_with_logits(logits, targets, reduction="none"))
    if not losses:
        return loss
    return loss + recipe.relation_weight * torch.cat([each.flatten() for each in losses]).mean()


def _masked(batch: TextBatch, share: float, mask_id: int) -> Tensor:
    """The batch's ids with that share of its words replaced."""
    chosen = torch.rand(len(batch.ids), batch.most + 1) < share
    chosen[:, -1] = False
    return batch.ids.masked_fill(chosen.gather(1, batch.words), mask_id)


def _direction_loss(network: ExtractorNetwork, rows: Sequence[DirectionRow]) -> Tensor:
    batch = direction_batch(rows)
    scores = network.direction_scores(network.hidden(batch.ids, batch.real), batch.real)
    return functional.cross_entropy(scores, batch.directions)
