"""What an extractor may also offer, so that its parts are measured apart: on mentions or questions of gold.

Input: documents with mentions whose kinds and concepts are right, or with questions. Output: the claims
between the mentions, or answers. Both are optional: what an extractor does not offer is not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from orchestration.contracts.stages import Outcome
from orchestration.records import Claim, Document, Entity, Span

__all__ = ["EffectAnswer", "EffectQuestion", "EffectReader", "MentionRelator"]


@runtime_checkable
class MentionRelator(Protocol):
    """Finds claims between mentions that are given.

    Guarantees: as BatchExtractor's; every claim joins two of the given mentions. Raises UnavailableError
    while a service is unavailable, and then nothing was done. Thread-safe.
    """

    def relate(self, items: Sequence[tuple[Document, Sequence[Entity]]]) -> Sequence[Outcome[list[Claim]]]:
        """The claims of each document, between its mentions alone; one outcome per document, in order."""
        ...


class EffectQuestion(NamedTuple):
    """What did the intervention do to the outcome, against the comparator?"""

    intervention: str
    comparator: str
    outcome: str


class EffectAnswer(NamedTuple):
    """What the document says to a question, and where."""

    direction: str
    """increased, decreased or unchanged."""
    evidence: tuple[Span, ...]


@runtime_checkable
class EffectReader(Protocol):
    """Answers questions about effects.

    Guarantees: as BatchExtractor's; an answer's evidence stands in the document. Raises UnavailableError
    while a service is unavailable, and then nothing was done. Thread-safe.
    """

    def answer(
        self, items: Sequence[tuple[Document, Sequence[EffectQuestion]]]
    ) -> Sequence[Outcome[list[EffectAnswer | None]]]:
        """An answer per question, None where the document has none; one outcome per document, in order."""
        ...
