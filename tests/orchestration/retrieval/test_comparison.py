"""Comparisons: figures that can be worked out by hand or follow from what a test means."""

from __future__ import annotations

import pytest

from orchestration.retrieval.comparison import Comparison, compared


def comparison(of_a: list[float], of_b: list[float]) -> Comparison:
    result = compared("a", "b", "ndcg@10", of_a, of_b)
    assert result is not None
    return result


def test_what_is_better_on_every_question_is_better_for_certain() -> None:
    result = comparison([0.6] * 40, [0.5] * 40)
    assert (result.difference, result.low, result.high) == (0.1, 0.1, 0.1)
    assert result.p < 0.001


def test_alike_on_every_question_is_no_difference() -> None:
    assert comparison([0.5, 1.0], [0.5, 1.0]) == Comparison("a", "b", "ndcg@10", 0.0, 0.0, 0.0, 1.0)


def test_gains_that_losses_undo_are_within_chance() -> None:
    result = comparison([1.0, 0.0] * 20, [0.0, 1.0] * 20)
    assert result.difference == 0.0
    assert result.low < 0 < result.high
    assert result.p > 0.9


def test_of_few_questions_every_change_of_signs_is_tried() -> None:
    assert comparison([1.0] * 5, [0.0] * 5).p == pytest.approx(2 / 2**5)


def test_the_same_questions_give_the_same_figures_and_the_other_way_round_their_negative() -> None:
    of_a, of_b = [((7 * n) % 11) / 10 for n in range(60)], [((5 * n) % 11) / 10 for n in range(60)]
    first, again, swapped = comparison(of_a, of_b), comparison(of_a, of_b), comparison(of_b, of_a)
    assert first == again
    assert (swapped.difference, swapped.low, swapped.high) == pytest.approx(
        (-first.difference, -first.high, -first.low)
    )
    assert swapped.p == pytest.approx(first.p, abs=0.02)


def test_fewer_than_two_questions_compare_nothing() -> None:
    assert compared("a", "b", "ndcg@10", [1.0], [0.0]) is None
    assert compared("a", "b", "ndcg@10", [], []) is None
