"""What the run of a window reports to the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestration.contracts.commits import Commit
from orchestration.contracts.jobs import Failure, StageReport
from orchestration.errors import MedkgError
from orchestration.records import StageContext

__all__ = ["OutcomeLedger"]


class OutcomeLedger(Protocol):
    """Outcomes: what the run of a window reports. Documents that another run took are left to that run."""

    def with_due(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Return the contexts with the due branches of each document, as far as its version is known.

        Changes nothing. A document of which another attempt was asked for is due as a whole.
        """
        ...

    def record_versions(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Record the versions that ingest found; returns the contexts that need work, with their due
        branches.

        The others are unchanged since their commit or older than the committed revision and become skipped,
        or belong to another run.
        """
        ...

    def begin(self, window_id: str, stage: str, contexts: Sequence[StageContext]) -> None:
        """Record for the outbox that a stage begins with these documents."""
        ...

    def abandon(
        self, window_id: str, stage: str, contexts: Sequence[StageContext], error: MedkgError
    ) -> None:
        """Record for the outbox that a stage ended without an outcome of any document."""
        ...

    def advance(
        self,
        window_id: str,
        stage: str,
        survivors: Sequence[StageContext],
        failures: Sequence[Failure],
        retries: Mapping[str, int],
        report: StageReport | None = None,
        outputs: Sequence[int] = (),
    ) -> None:
        """Record the outcomes of a stage for a batch: current_stage, dead letters, retries by doc_id.

        With the `report` of the stage, which is kept for the job, and what it made of each survivor, in their
        order. Documents that the window has lost are left alone: another run's document gets no dead letter.
        """
        ...

    def finish(
        self, window_id: str, owner: str, committed: Sequence[Commit], bases: Sequence[Commit] = ()
    ) -> list[Commit]:
        """Commit documents of the window: visibility and status in one transaction; returns the commits
        that these superseded. One of an older revision than the visible one becomes skipped, and is returned
        too, so that its entries are removed.

        `bases`: commits of which new ones keep a part. Documents that `owner` leases no longer are left out.
        Raises LeaseLostError when that is all of them, or when a base is not what is visible any more.
        """
        ...
