"""The outbox of the ledger as its readers see it, and what they publish to.

Readers are named (`kafka`, `file`, `metrics`), each with its own place, so that one that is behind keeps
no other back. Facts are read in the order of positions, which is the order of their commits: every reader
sees every retained fact at least once, and two facts about one document in the order in which they happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from pydantic import Field

from orchestration.contracts.facts import Fact, FactBody
from orchestration.records import Record

__all__ = ["FactSink", "Observation", "OutboxLedger", "OutboxReader", "OutboxState", "ReadFrom"]


class Observation(NamedTuple):
    """A fact of a process, not of a transaction; '' for what it is not about."""

    body: FactBody
    happened_at: float
    tenant_id: str = ""
    job_id: str = ""
    pipeline_name: str = ""
    doc_ids: tuple[tuple[str, str], ...] = ()
    """(source, doc_id) of the documents."""


class ReadFrom(NamedTuple):
    """Where a reader goes on."""

    position: int
    """Of the last fact that it has done with; 0: none."""
    state: str
    """What it keeps beside its place, changed together with it; '' at first."""


class OutboxReader(Record):
    """Where one reader is."""

    name: str = Field(description="Reader.")
    position: int = Field(ge=0, description="Of the last fact that it has done with.")
    behind: int = Field(ge=0, description="Facts that it has not had.")
    oldest_at: float | None = Field(description="When the first of them happened; None: nothing is left.")
    dropped: int = Field(ge=0, description="Facts removed before it had them.")
    owner: str | None = Field(description="Process that reads for it now.")
    problem: str | None = Field(description="Why it does not come on, as its process noted.")


class OutboxState(Record):
    """The outbox as a whole."""

    facts: int = Field(ge=0, description="Retained facts.")
    oldest_at: float | None = Field(description="When the first of them happened.")
    readers: tuple[OutboxReader, ...] = Field(description="By name.")


class OutboxLedger(Protocol):
    """Facts for readers. Every call is one transaction; durable when it returns."""

    def note(self, observations: Sequence[Observation]) -> None:
        """Add observed facts."""
        ...

    def read(self, after: int, limit: int) -> Sequence[Fact]:
        """Up to `limit` facts behind a position, in order; newly committed ones get their positions."""
        ...

    def recent(self, kinds: Collection[str], since: float, limit: int) -> Sequence[Fact]:
        """Up to `limit` facts of these kinds since a moment, the newest first; of the last 100,000."""
        ...

    def lease(
        self, reader: str, owner: str, is_alive: Callable[[str], bool] = lambda _: True
    ) -> ReadFrom | None:
        """Take a reader for `owner` for a while; None when another one that is alive has it.

        A new reader starts at 0.
        """
        ...

    def advance(self, reader: str, owner: str, position: int, state: str = "") -> None:
        """Record that it has done with facts up to `position`, and extend its lease.

        Raises LeaseLostError when another owner has taken it.
        """
        ...

    def release(self, reader: str, owner: str, problem: str | None = None) -> None:
        """Give a reader back; `problem` says why it did not come on. Nothing if another owner has it."""
        ...

    def note_problem(self, reader: str, owner: str, problem: str | None) -> None:
        """Say why it does not come on, and extend its lease. Nothing if another owner has it."""
        ...

    def rewind(self, reader: str, position: int) -> None:
        """Let a reader have everything behind a position again. Raises UsageError for an unknown one."""
        ...

    def forget(self, reader: str) -> None:
        """Remove a reader that is not used any more. Raises UsageError for an unknown one."""
        ...

    def position_at(self, moment: float) -> int:
        """Position of the last retained fact that happened before a moment; 0: none."""
        ...

    def state(self) -> OutboxState:
        """How full it is, and where its readers are."""
        ...

    def prune(self, before: float, most: int, readers: Sequence[str]) -> Mapping[str, int]:
        """Remove facts that are older than `before` and that all these readers have had.

        More than `most` facts are not kept: the oldest go, also those that a reader has not had. This is
        counted for the reader, and an OutboxDropped says so. Returns the number of dropped facts by reader.
        """
        ...


class FactSink(Protocol):
    """Where a reader of the relay publishes to. Used by one thread.

    Guarantees. Delivery: at least once, in the order of the facts. Idempotence: facts that come again make
    the same messages, with the same ids. Durability: what `publish` returned for is kept by the receiver.
    """

    name: str
    """Of the reader."""

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Publish facts in order and return the new state; durable at the sink when it returns.

        Raises UnavailableError (nothing, or a part, was published: the same facts come again) or
        PermanentError (the sink's configuration is wrong).
        """
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
