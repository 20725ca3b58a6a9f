"""Batches hold every item once, in order."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.batching import batched


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_hold_every_item_once_and_all_but_the_last_are_full(items: list[int], size: int) -> None:
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batches)


def test_items_are_read_as_batches_are_taken() -> None:
    numbers = count()
    assert next(batched(numbers, 3)) == [0, 1, 2]
    assert next(numbers) == 3


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        next(batched([1], 0))
