"""Micro-batches: everything once, within the budget, longest first; the budget shrinks and grows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_actors.batches.micro_batches import MicroBatches
from gpu_actors.batches.token_budget import GROW_AFTER, LEAST_BUDGET, TokenBudget

LENGTHS = st.lists(st.integers(1, 600), min_size=1, max_size=80)


def rows_of(lengths: list[int]) -> list[np.ndarray]:
    return [np.full(length, number, dtype=np.int32) for number, length in enumerate(lengths)]


@given(LENGTHS, st.integers(512, 8192), st.integers(1, 4))
def test_every_row_is_given_out_once_whole_and_within_the_budget(
    lengths: list[int], budget: int, lanes: int
) -> None:
    batches = list(MicroBatches(rows_of(lengths), TokenBudget(budget), lanes))

    assert sorted(position for batch in batches for position in batch.positions) == list(range(len(lengths)))
    assert all(batch.cost <= budget or len(batch.positions) == 1 for batch in batches)
    for batch in batches:
        assert batch.lengths == tuple(lengths[position] for position in batch.positions)
        assert batch.token_ids.tolist() == [p for p in batch.positions for _ in range(lengths[p])]


@given(LENGTHS)
def test_rows_come_longest_first(lengths: list[int]) -> None:
    given_out = [
        length for batch in MicroBatches(rows_of(lengths), TokenBudget(2048)) for length in batch.lengths
    ]

    assert given_out == sorted(lengths, reverse=True)


def test_a_budget_that_shrank_holds_for_what_was_not_yet_given_out() -> None:
    budget = TokenBudget(4096)
    batches = MicroBatches(rows_of([100] * 400), budget)
    first = next(batches)
    budget.ran_out(first.cost)

    assert next(batches).cost <= 2048


def test_halves_come_next_and_hold_the_same_rows() -> None:
    batches = MicroBatches(rows_of([10] * 300), TokenBudget(1000))
    first = next(batches)
    batches.halve(first)

    halves = [next(batches), next(batches)]

    assert halves[0].positions + halves[1].positions == first.positions


def test_a_budget_grows_back_after_a_quiet_time_but_not_beyond_its_start() -> None:
    budget = TokenBudget(4096)
    budget.ran_out(4096)
    budget.ran_out(2048)
    assert budget.tokens == 1024

    for _ in range(GROW_AFTER * 5):
        budget.went_well()

    assert budget.tokens == 4096


def test_a_budget_never_falls_below_the_least() -> None:
    budget = TokenBudget(1024)
    for _ in range(20):
        budget.ran_out(600)

    assert budget.tokens == LEAST_BUDGET
