"""Offsets of messages that a consumer has read, and of those it has done with, by partition.

Comes in: messages as they are read and done with, in any order. Leaves: the offset per partition from which a
successor would have to read: that of the first message which is not done with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["ReadOffsets"]


class ReadMessage(Protocol):
    """A message with its place in the topic."""

    def partition(self) -> int | None: ...

    def offset(self) -> int | None: ...


@dataclass
class _Partition:
    next_offset: int
    """Behind the last message that was read."""
    open_offsets: set[int] = field(default_factory=set)
    committed: int | None = None


class ReadOffsets:
    """Offsets of one consumer's partitions. Not thread-safe."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def read(self, message: ReadMessage) -> None:
        """A message was read."""
        offset = message.offset() or 0
        partition = self._partitions.setdefault(message.partition() or 0, _Partition(offset))
        partition.next_offset = max(partition.next_offset, offset + 1)
        partition.open_offsets.add(offset)

    def done(self, message: ReadMessage) -> None:
        """A message is done with. Nothing for one of a partition that was forgotten."""
        partition = self._partitions.get(message.partition() or 0)
        if partition is not None:
            partition.open_offsets.discard(message.offset() or 0)

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are not this consumer's any more."""
        for number in partitions:
            self._partitions.pop(number, None)

    def to_commit(self) -> dict[int, int]:
        """Return the offset to commit by partition, where it has changed."""
        offsets = {
            number: min(partition.open_offsets, default=partition.next_offset)
            for number, partition in self._partitions.items()
        }
        return {
            number: offset
            for number, offset in offsets.items()
            if offset != self._partitions[number].committed
        }

    def committed(self, offsets: Mapping[int, int]) -> None:
        """These offsets are committed."""
        for number, offset in offsets.items():
            if number in self._partitions:
                self._partitions[number].committed = offset
