"""The parts of the training: exact weights and gradients, a head that learns, sparsity that is steered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gpu_actors.encoders.torch_encoder import TorchEncoder
from gpu_actors.profiles import chosen_profile
from gpu_actors.training.expansion import Steered
from gpu_actors.training.head import start_head, train_head
from gpu_actors.training.held_out import Trial, bm25_scores, chance, judged
from gpu_actors.training.losses import contrast, distillation, loudness, sparsity
from gpu_actors.training.recipe import Recipe
from gpu_actors.training.student import Student, term_weights
from gpu_actors.training.teacher import nearest_terms
from orchestration.errors import ConfigurationError
from orchestration.records import Float32Matrix
from tests.gpu_actors.training.small_corpus import BASE, gathered

WORDS = ["walking", "patients", "months", "outcome", "usual", "care", "studies", "serious", "group", "staff"]


def plain_weights(states: Tensor, lengths: list[int], decoder: Tensor, bias: Tensor) -> Tensor:
    """The definition, all logits at once."""
    rows = [(row @ decoder.T + bias).amax(0) for row in torch.split(states, lengths)]
    return torch.log1p(torch.relu(torch.stack(rows)))


def test_term_weights_and_their_gradients_are_those_of_the_definition() -> None:
    torch.manual_seed(1)
    lengths = [5, 2, 9]
    computed: list[Tensor | None] = []
    wanted: list[Tensor | None] = []
    for weights, results in ((term_weights, computed), (plain_weights, wanted)):
        torch.manual_seed(2)
        states, decoder, bias = (
            torch.randn(shape, requires_grad=True) for shape in ((16, 8), (50, 8), (50,))
        )
        value = weights(states, lengths, decoder, bias)
        (value**2).sum().backward()
        results += [value.detach(), states.grad, decoder.grad, bias.grad]

    for actual, expected in zip(computed, wanted, strict=True):
        assert actual is not None and expected is not None
        torch.testing.assert_close(actual, expected)


def test_a_row_without_any_active_term_is_empty() -> None:
    weights = term_weights(torch.ones(3, 4), [3], torch.ones(6, 4), torch.full((6,), -100.0))

    assert weights.shape == (1, 6) and not weights.any()


def test_the_head_is_close_to_the_words_at_once_and_learns_in_a_few_steps() -> None:
    texts = [window.text for window in gathered().windows]
    embed = TorchEncoder(chosen_profile("cpu")).embed
    student = Student(BASE, "cpu", 512)
    rows = student.token_rows(texts)
    losses: list[float] = []

    start_head(student, rows)
    with torch.no_grad():
        guessed = (student.transform(student.hidden(rows)) @ student.decoder.T).argmax(1).numpy()
    terms = {word: student.terms[word] for word in WORDS}
    neighbours = nearest_terms(embed, WORDS, terms, len(student.decoder), lambda done: None)
    recipe = Recipe(head_steps=8, batch=16)
    train_head(
        student,
        texts,
        torch.from_numpy(embed(texts)),
        neighbours,
        recipe,
        np.random.default_rng(1),
        lambda progress: losses.append(progress.loss or 0.0),
    )

    assert not student.has_head
    assert (guessed == np.concatenate(rows)).mean() > 0.5
    assert neighbours.terms[0, 0] == student.terms["walking"]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_a_base_that_is_no_bert_is_refused() -> None:
    from gpu_actors.training.student import _check

    class Unigram:
        counts_add_up = False

    with pytest.raises(ConfigurationError, match="WordPiece"):
        _check(BASE, Unigram())  # type: ignore[arg-type]


def test_losses_are_least_where_they_should_be() -> None:
    right, wrong = torch.eye(4) * 30, torch.eye(4).roll(1, 0) * 30
    nothing = torch.zeros(4, 4, dtype=torch.bool)

    assert contrast(right, nothing) < 0.01 < contrast(wrong, nothing)
    assert contrast(wrong, wrong > 0) < contrast(wrong, nothing)
    assert distillation(right, right * 0.05) < 0.01 < distillation(wrong, right)
    assert sparsity(torch.zeros(2, 5)) == 0 < sparsity(torch.ones(2, 5))
    shared, apart = torch.tensor([[1.0, 0], [1, 0]]), torch.tensor([[1.0, 0], [0, 1]])
    assert sparsity(apart) < sparsity(shared)
    assert loudness(torch.zeros(2, 3), torch.ones(5, 3), torch.full((5,), -1.0)) == 0


def test_sparsity_weighs_more_while_there_are_too_many_terms_and_less_while_too_few() -> None:
    many, few = torch.ones(2, 100), torch.zeros(2, 100)
    steered = Steered(start=80, end=10)

    weights = [steered.weight]
    for value, progress in ((many, 0.0), (many, 0.5), (few, 0.9)):
        steered.see(value, progress)
        weights.append(steered.weight)

    assert weights[0] < weights[1] < weights[2] > weights[3]


def a_trial() -> Trial:
    texts = ("adults walked", "they slept long", "gout hurts", "urate fell in gout")
    return Trial(texts, np.array([0, 0, 1, 2]), ("who slept?", "urate", "nothing of it"), np.array([0, 2, 1]))


def test_documents_are_ranked_by_their_best_window() -> None:
    trial = a_trial()
    scores: Float32Matrix = np.array([[0, 9, 1, 2], [0, 0, 3, 1], [1, 1, 1, 1]], dtype=np.float32)

    measures = judged(trial, scores)

    assert measures["mrr@10"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=1e-4)
    assert measures["recall@10"] == 1.0
    assert chance(trial)["mrr@10"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=1e-4)


def test_bm25_finds_words_and_nothing_else() -> None:
    scores = bm25_scores(a_trial())

    assert scores[0].argmax() == 1 and scores[1].argmax() == 3
    assert not scores[2].any()
