"""Batches: items that are written, sent or computed so many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["batched"]

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Iterate over lists of `size` items in order, the last one shorter; items are read when a list is taken.

    itertools.batched of Python 3.12, with lists. Raises ValueError for a size under 1.
    """
    if size < 1:
        raise ValueError(f"a batch has at least one item, not {size}")
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
