"""The projection of a data folder's graph, for commands and for the process that keeps it up to date.

Input: a ledger's feed and a way to reach the graph server. Output: passes, and how far the projection is
behind. Each call has its own event loop; nothing of it is on the path of a document.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
import structlog
from anyio import to_thread
from pydantic import Field

from orchestration.contracts.projection import GraphFeed, GraphProjection, ProjectionState
from orchestration.errors import DagsterResourceUnavailableError, MedkgError
from orchestration.projection.comparison import ProjectionDifference, differences
from orchestration.projection.problems import ProjectionProblems
from orchestration.projection.projector import Call, Observe, Pass, Projector
from orchestration.records import Record

__all__ = ["Projection", "ProjectionStatus"]

WATCH_SECONDS: Final = 2.0
"""Pause between two looks at the ledger."""

AGAIN_SECONDS: Final = 10.0
"""Pause before a tenant whose pass failed is tried again."""

ANSWER_SECONDS: Final = 10.0
"""How long the server may take to say where the projection stands."""

LEASE_SECONDS: Final = 120.0
"""How long a pass waits for another process that projects the same tenant."""

T = TypeVar("T")


class ProjectionStatus(Record):
    """How far a tenant's projection is behind the ledger."""

    server: str = Field(description="The graph server, without passwords.")
    tenant: str = Field(description="The tenant.")
    pending: int | None = Field(
        description="Documents whose newest change is not projected; None: the whole is to be compared."
    )
    projected_at: float | None = Field(description="Last time something was, seconds since the epoch.")
    running: bool = Field(default=False, description="Whether a process projects it now.")


class Projection:
    """The projection of one ledger to one graph server."""

    def __init__(
        self,
        feed: GraphFeed,
        open_target: Callable[[], GraphProjection],
        open_call: Callable[[], Call],
        format_version: int,
        owner: str,
        is_alive: Callable[[str], bool],
        problems: ProjectionProblems,
    ) -> None:
        """`open_target`, `open_call`: the server, and the policy of calls to it, for a new event loop.

        `problems`: where `watch` notes why it does not project a tenant.
        """
        self._feed = feed
        self._open_target = open_target
        self._open_call = open_call
        self._format = format_version
        self._owner = owner
        self._is_alive = is_alive
        self._problems = problems
        self._log = structlog.get_logger(__name__)

    def ask(self) -> str:
        """Version and edition of the server, which must answer soon; changes nothing."""

        async def work(target: GraphProjection) -> str:
            return await _soon(target, target.ask)

        return self._run(work)

    def status(self, tenant_id: str) -> ProjectionStatus:
        """How far the tenant's projection is behind; raises the error of a server that does not answer."""

        async def work(target: GraphProjection) -> tuple[str, ProjectionState | None]:
            return target.name, await _soon(target, lambda: target.state(tenant_id))

        server, state = self._run(work)
        if state is None:
            return ProjectionStatus(server=server, tenant=tenant_id, pending=None, projected_at=None)
        watermark = state.watermark
        is_ours = state.ledger == self._feed.identity() and not state.clearing
        return ProjectionStatus(
            server=server,
            tenant=tenant_id,
            pending=self._feed.pending(tenant_id, watermark) if is_ours and watermark is not None else None,
            projected_at=state.projected_at,
            running=state.holder is not None,
        )

    def problem(self, tenant_id: str) -> MedkgError | None:
        """Why the process that follows the ledger does not project the tenant; None without such."""
        return self._problems.of(tenant_id)

    def project(self, tenant_id: str, *, rebuild: bool = False, observe: Observe = lambda _: None) -> Pass:
        """Bring a tenant's projection up to date; waits for another process that does so.

        Raises DagsterResourceUnavailableError if that one takes longer than LEASE_SECONDS.
        """

        return self._when_free(
            tenant_id, observe, lambda projector: projector.catch_up(tenant_id, rebuild=rebuild)
        )

    def differences(self, tenant_id: str) -> list[ProjectionDifference]:
        """Where a tenant's projection differs from the ledger, but for what is not projected yet."""
        return self._run(lambda target: differences(self._feed, target, tenant_id))

    def repair(self, tenant_id: str) -> Pass:
        """Write again what differs; waits as `project` does."""
        return self._when_free(tenant_id, lambda _: None, lambda projector: projector.repair(tenant_id))

    def _when_free(
        self, tenant_id: str, observe: Observe, action: Callable[[Projector], Awaitable[Pass | None]]
    ) -> Pass:
        async def work(target: GraphProjection) -> Pass:
            projector = self._projector(target, observe)
            give_up_at = time.monotonic() + LEASE_SECONDS
            while (done := await action(projector)) is None:
                if time.monotonic() > give_up_at:
                    raise DagsterResourceUnavailableError(
                        f"another process projects the graph of tenant {tenant_id} to {target.name} and has "
                        f"not ended in {LEASE_SECONDS:g} s. `medkg graph project --status` shows how far it "
                        "is."
                    )
                await anyio.sleep(WATCH_SECONDS)
            return done

        return self._run(work)

    def watch(self) -> None:
        """Project every change of every tenant, until the process ends."""
        self._run(lambda target: self._watch(self._projector(target)))

    async def _watch(self, projector: Projector) -> None:
        done: dict[str, int] = {}
        retry_at: dict[str, float] = {}
        problems: dict[str, MedkgError] = {}
        self._problems.note(problems)
        while True:  # no-retry-loop: a clock
            for tenant_id, newest in (await self._newest()).items():
                is_due = done.get(tenant_id) != newest and time.monotonic() >= retry_at.get(tenant_id, 0)
                if not is_due:
                    continue
                try:
                    if await projector.catch_up(tenant_id) is not None:
                        done[tenant_id] = newest
                    if problems.pop(tenant_id, None) is not None:
                        self._problems.note(problems)
                except MedkgError as error:
                    retry_at[tenant_id] = time.monotonic() + AGAIN_SECONDS
                    self._note(problems, tenant_id, error)
            await anyio.sleep(WATCH_SECONDS)

    def _note(self, problems: dict[str, MedkgError], tenant_id: str, error: MedkgError) -> None:
        known = problems.get(tenant_id)
        if known is None or (known.code, known.message) != (error.code, error.message):
            problems[tenant_id] = error
            self._problems.note(problems)
        if known is None or known.code != error.code:
            self._log.warning("not projected", tenant=tenant_id, code=error.code, message=error.message)

    async def _newest(self) -> dict[str, int]:
        """The newest change by tenant; none while the ledger cannot be read."""
        try:
            return await to_thread.run_sync(self._feed.newest)
        except MedkgError as error:
            self._log.warning("not projected", code=error.code, message=error.message)
            await anyio.sleep(AGAIN_SECONDS)
            return {}

    def _projector(self, target: GraphProjection, observe: Observe = lambda _: None) -> Projector:
        return Projector(
            self._feed, target, self._format, self._open_call(), self._owner, self._is_alive, observe
        )

    def _run(self, work: Callable[[GraphProjection], Awaitable[T]]) -> T:
        async def run() -> T:
            target = self._open_target()
            try:
                return await work(target)
            finally:
                with anyio.CancelScope(shield=True):
                    await target.close()

        return anyio.run(run)


async def _soon(target: GraphProjection, action: Callable[[], Awaitable[T]]) -> T:
    """The answer of the server; raises DagsterResourceUnavailableError after ANSWER_SECONDS."""
    with anyio.move_on_after(ANSWER_SECONDS):
        return await action()
    raise DagsterResourceUnavailableError(
        f"{target.name} has not answered in {ANSWER_SECONDS:g} s. Check the server and MEDKG_NEO4J_URL."
    )
