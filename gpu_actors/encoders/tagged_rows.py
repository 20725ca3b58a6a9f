"""What a tagger returns for a micro-batch, as it travels from its process: arrays, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_actors.encoders.tag_decoding import MentionRows

__all__ = ["TaggedRow", "TaggedRows"]

TaggedRow = tuple[MentionRows, npt.NDArray[np.float16]]
"""The mentions of one row, and its tokens' states, float16 [tokens, width]."""


@dataclass(frozen=True, slots=True)
class TaggedRows:
    """Mentions, and states of all tokens end to end."""

    mentions: MentionRows
    states: npt.NDArray[np.float16]
    """float16 [sum(lengths), width]."""

    def split(self, lengths: Sequence[int]) -> Iterator[TaggedRow]:
        """Yield each row's mentions and states, the states copied: what arrived is memory of Ray's store."""
        ends = np.cumsum(lengths)
        rows = self.mentions.places[:, 0]
        for row, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            own = rows == row
            yield (
                MentionRows(self.mentions.places[own], self.mentions.confidences[own]),
                self.states[end - length : end].copy(),
            )
