"""A masked-language-model head for a sentence encoder, which has none.

Input: a student fresh from its base, windows, the teacher's vectors. Output: the student with a head that
says of each token its own word and words that mean the same there. First a closed form: ridge regression
from the last hidden states to the tokens' own embeddings. Then training on some content words of each
window: masked ones are to be guessed (BERT, arXiv:1810.04805), others copied, and both also spread over the
teacher's nearest words, those first that suit the window as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from tokenizers import Encoding
from torch import Tensor

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.training.corpus import content_words
from gpu_actors.training.optimisation import Optimisation, Rates
from gpu_actors.training.recipe import Progress, Recipe, Watch
from gpu_actors.training.student import Student, all_cores
from gpu_actors.training.teacher import Embed, Neighbours, nearest_terms

__all__ = ["fit_head", "start_head", "train_head"]

RIDGE_WINDOWS: Final = 256
RIDGE: Final = 10.0
SPREAD: Final = 0.7
SHIFT: Final = 3.0
"""Where the activation (GELU) is nearly the identity; the layer norm behind it takes the shift out again."""

RATES: Final = Rates(body=1e-4, words=1e-4, head=5e-4)
MASKED_SHARE: Final = 0.15
COPIED_SHARE: Final = 0.2
NEIGHBOUR_SHARE: Final = 0.45
"""Of a target's weight that goes to the neighbours."""
LEAST_COSINE: Final = 0.4
CONTEXT: Final = 0.7
"""How much a neighbour's nearness to the window counts beside that to the word."""
TEMPERATURE: Final = 0.07
MOST_COMMON: Final = 0.3
"""Words of more than this share of the windows say nothing and are no targets."""
MOST_WORDS: Final = 30_000
LEAST_LETTERS: Final = 3
MASK: Final = "[MASK]"


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one batch asks for: a prediction each, over all rows' tokens end to end."""

    rows: list[TokenIds]
    """The windows' tokens; those to be guessed are masked."""
    positions: Tensor
    tokens: Tensor
    """The tokens that stand there, int64 [predictions]."""
    words: Tensor
    """Rows of their words among the neighbours, int64 [predictions]."""
    windows: Tensor
    """Which window of the batch, int64 [predictions]."""


def fit_head(
    student: Student, texts: Sequence[str], vectors: Tensor, embed: Embed, recipe: Recipe, watch: Watch
) -> None:
    """Give the student a head, from windows and their unit vectors, float32 [windows, d]."""
    drawn = np.random.default_rng([recipe.seed, 1])
    if not student.has_head:
        some = drawn.permutation(len(texts))[:RIDGE_WINDOWS]
        start_head(student, student.token_rows([texts[number] for number in some]))
    words = _words(texts)
    if recipe.head_steps and words:
        terms = _word_terms(student)

        def report(done: int) -> None:
            watch(Progress("vocabulary", done, len(words) + len(terms), "words"))

        neighbours = nearest_terms(embed, words, terms, len(student.decoder), report)
        with all_cores():
            train_head(student, texts, vectors, neighbours, recipe, drawn, watch)


@torch.no_grad()
def start_head(student: Student, rows: Sequence[TokenIds]) -> None:
    """Ridge regression from hidden states to the tokens' own embeddings, which is what the decoder wants."""
    states = torch.cat([student.hidden(rows[at : at + 16]) for at in range(0, len(rows), 16)])
    ids = torch.from_numpy(np.concatenate(rows)).long().to(student.device)
    ordinary = ~torch.isin(ids, student.special)
    states, wanted = states[ordinary], student.decoder[ids[ordinary]]
    mean = states.mean(0)
    centred = states - mean
    gram = centred.T @ centred + RIDGE * torch.eye(centred.shape[1], device=student.device)
    solution = torch.linalg.solve(gram, centred.T @ (wanted - wanted.mean(0)))
    solution *= SPREAD / (centred @ solution).std()
    dense = student.model.cls.predictions.transform.dense
    dense.weight.copy_(solution.T)
    dense.bias.copy_(SHIFT - mean @ solution)
    student.bias.zero_()


def train_head(
    student: Student,
    texts: Sequence[str],
    vectors: Tensor,
    neighbours: Neighbours,
    recipe: Recipe,
    drawn: np.random.Generator,
    watch: Watch,
) -> None:
    """`recipe.head_steps` batches of half as many windows as a batch has pairs."""
    optimisation = Optimisation(student, RATES, recipe.head_steps)
    size = min(len(texts), max(1, recipe.batch // 2))
    for step in range(recipe.head_steps):
        chosen = drawn.choice(len(texts), size=size, replace=False)
        predicted = _predicted(student, [texts[number] for number in chosen], neighbours, drawn)
        if not len(predicted.tokens):
            continue
        states = student.hidden(predicted.rows)[predicted.positions.to(student.device)]
        scores = (student.transform(states) @ student.decoder.T).log_softmax(1)
        loss = _loss(scores, predicted, vectors[torch.from_numpy(chosen)], neighbours)
        optimisation.step(loss)
        value = float(loss.detach())
        watch(Progress("head", step + 1, recipe.head_steps, f"loss {value:.2f}", value))


def _loss(scores: Tensor, predicted: Predicted, vectors: Tensor, neighbours: Neighbours) -> Tensor:
    """Mean negative log probability of the tokens themselves and of their words' neighbours."""
    device = scores.device
    own = -scores.gather(1, predicted.tokens.to(device)[:, None])[:, 0]
    terms, cosines = neighbours.terms[predicted.words], neighbours.cosines[predicted.words]
    of_window = torch.einsum("nkd,nd->nk", neighbours.vectors[terms], vectors[predicted.windows])
    near = (cosines + CONTEXT * of_window) / TEMPERATURE
    wrong = (cosines < LEAST_COSINE) | (terms == predicted.tokens[:, None])
    shares = near.masked_fill(wrong, -1e4).softmax(1).masked_fill(wrong, 0)
    weight = (NEIGHBOUR_SHARE * (~wrong).any(1)).to(device)
    spread = -(scores.gather(1, terms.to(device)) * shares.to(device)).sum(1)
    return ((1 - weight) * own + weight * spread).mean()


def _predicted(
    student: Student, texts: Sequence[str], neighbours: Neighbours, drawn: np.random.Generator
) -> Predicted:
    """Some words of each window to be predicted; those that are to be guessed are masked."""
    rows = student.token_rows(texts)
    predictions: list[tuple[int, int, int, int]] = []
    offset = 0
    for window, (row, encoding) in enumerate(zip(rows, student.tokenizer.encodings(texts), strict=True)):
        words = list(_known_words(encoding, neighbours))
        for (start, end, word), chance in zip(words, drawn.random(len(words)), strict=True):
            if chance < MASKED_SHARE + COPIED_SHARE:
                predictions += [(offset + at, int(row[at]), word, window) for at in range(start, end)]
            if chance < MASKED_SHARE:
                row[start:end] = student.terms[MASK]
        offset += len(row)
    return Predicted(rows, *torch.tensor(predictions, dtype=torch.long).reshape(-1, 4).unbind(1))


def _known_words(encoding: Encoding, neighbours: Neighbours) -> Iterator[tuple[int, int, int]]:
    """(first token, one past the last, row among the neighbours) of the words that have neighbours.

    Positions are those of a row with one special token before the encoding's, which has none.
    """
    for number in sorted({word for word in encoding.word_ids if word is not None}):
        span = encoding.word_to_tokens(number)
        if span is None:
            continue
        start, end = span
        word = "".join(token.removeprefix("##") for token in encoding.tokens[start:end])
        if word in neighbours.words:
            yield start + 1, end + 1, neighbours.words[word]


def _words(texts: Sequence[str]) -> list[str]:
    """Content words of the windows, the most frequent first, without those that very many have."""
    counts = Counter(word for text in texts for word in set(content_words(text)))
    return [word for word, count in counts.most_common() if count <= MOST_COMMON * len(texts)][:MOST_WORDS]


def _word_terms(student: Student) -> dict[str, int]:
    """Those of the vocabulary's terms that are whole words."""
    return {
        text: number
        for text, number in student.terms.items()
        if text.isalpha() and len(text) >= LEAST_LETTERS
    }
