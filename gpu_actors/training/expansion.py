"""The sparse training itself: queries and windows to term weights that find each other and stay few.

Input: a student with a head, and batches of pairs. Output: the student as a SPLADE model. Loss: the
teacher's ranking (KL divergence, both ways), InfoNCE, sparsity, silence of special tokens. The weight of
sparsity is steered, since no fixed one gives a wanted number of terms on every corpus.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.training.batches import Batch, Pairing
from gpu_actors.training.losses import contrast, distillation, loudness, sparsity
from gpu_actors.training.optimisation import Optimisation, Rates
from gpu_actors.training.recipe import Progress, Recipe, Watch
from gpu_actors.training.student import Student, all_cores

__all__ = ["Steered", "start_threshold", "train_expansion"]

RATES: Final = Rates(body=6e-5, words=1e-4, head=3e-4, bias=8e-3)
SCALE_RATE: Final = 1e-2
SCALES: Final = (0.03, 2.0)
"""Least and largest factor between dot products and the scores that are compared with the teacher's."""
FIRST_SCALE: Final = 0.1
CONTRAST: Final = 0.5
REVERSE: Final = 0.5
LOUDNESS: Final = 0.002
START_TERMS: Final = 350
"""Active terms of a window before the first step."""
START_FACTOR: Final = 2
"""Active terms of a query before the first step, as a multiple of what is wanted."""
FALLING_SHARE: Final = 0.4
"""Of the steps, in which the number of terms falls to what is wanted."""


class Steered:
    """A weight of sparsity that grows while there are more terms than wanted, and shrinks while fewer."""

    RATE: Final = 1.05
    FIRST: Final = 1e-3
    LEAST: Final = 1e-5
    MOST: Final = 1.0

    def __init__(self, start: float, end: float) -> None:
        """The wanted number of terms falls from `start` to `end`."""
        self.weight = self.FIRST
        self.terms = start
        """Active terms, averaged over about ten steps."""
        self._start, self._end = start, end

    def see(self, weights: Tensor, progress: float) -> None:
        """Take note of a step's weights [n, vocabulary]; `progress` of the training is 0 to 1."""
        count = float((weights.detach() > 0).sum(1).float().mean())
        self.terms += 0.1 * (count - self.terms)
        fallen = min(1.0, progress / FALLING_SHARE)
        wanted = self._start + (self._end - self._start) * fallen
        changed = self.weight * (self.RATE if count > wanted else 1 / self.RATE)
        self.weight = min(max(changed, self.LEAST), self.MOST)


@all_cores()
def train_expansion(student: Student, pairing: Pairing, recipe: Recipe, watch: Watch) -> None:
    """`recipe.splade_steps` batches."""
    start_threshold(student, student.token_rows(pairing.batch().windows))
    log_scale = torch.nn.Parameter(torch.tensor(math.log(FIRST_SCALE), device=student.device))
    optimisation = Optimisation(student, RATES, recipe.splade_steps, ((log_scale, SCALE_RATE),))
    documents = Steered(max(START_TERMS, recipe.document_terms), recipe.document_terms)
    queries = Steered(START_FACTOR * recipe.query_terms, recipe.query_terms)
    for step in range(recipe.splade_steps):
        batch = pairing.batch()
        of_windows, edges = student.weights(student.token_rows(batch.windows))
        of_queries, query_edges = student.weights(student.token_rows(batch.queries, recipe.query_tokens))
        progress = step / recipe.splade_steps
        documents.see(of_windows, progress)
        queries.see(of_queries, progress)
        ranking = _ranking(of_queries @ of_windows.T * log_scale.exp(), batch)
        size = documents.weight * sparsity(of_windows) + queries.weight * sparsity(of_queries)
        loud = loudness(torch.cat([edges, query_edges]), student.decoder, student.bias)
        optimisation.step(ranking + size + LOUDNESS * loud)
        student.hush()
        with torch.no_grad():
            log_scale.clamp_(math.log(SCALES[0]), math.log(SCALES[1]))
        value = float(ranking.detach())
        summary = f"loss {value:.2f}, terms {documents.terms:.0f} a window, {queries.terms:.0f} a query"
        watch(Progress("splade", step + 1, recipe.splade_steps, summary, value))


@torch.no_grad()
def start_threshold(student: Student, rows: list[TokenIds]) -> None:
    """Set the decoder's bias so that START_TERMS terms of a window are active in the mean."""
    student.bias.zero_()
    student.hush()
    states = student.transform(student.hidden(rows))
    highest = [
        (of_row @ student.decoder.T + student.bias).amax(0) for of_row in states.split([len(r) for r in rows])
    ]
    threshold = torch.cat(highest).topk(START_TERMS * len(rows)).values[-1]
    student.bias.sub_(threshold)
    student.hush()


def _ranking(scores: Tensor, batch: Batch) -> Tensor:
    teacher, others = batch.teacher.to(scores.device), batch.answers_too.to(scores.device)
    return (
        distillation(scores, teacher)
        + REVERSE * distillation(scores.T, teacher.T)
        + CONTRAST * contrast(scores, others)
    )
