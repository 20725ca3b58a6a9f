"""StageRunner: runs a stage under its policy and isolation, and records its outcome in the ledger.

Comes in: a stage of a topology and a window's items. Leaves: the items that survived with their results,
and a report. Failures become dead letters in the same transaction that moves the survivors on; the
window's lease is renewed while the stage works. An unavailable service raises: the run then fails and its
documents are handed back, with nothing spent. Behind an optional step they go on without its result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, Final, Protocol

import psutil
import structlog
from structlog.contextvars import bound_contextvars

from orchestration.contracts import Failure, GpuUse, Outcome, OutcomeLedger, Plane, StageReport, WindowLedger
from orchestration.contracts.jobs import STAGE_COUNTS
from orchestration.errors import LeaseLostError, MedkgError, StageContractError, UnavailableError
from orchestration.records import EmbeddingBatch, GraphWriteReceipt, StageContext
from orchestration.runs.artifacts import VALUE_TYPES, WindowBatch, is_value
from orchestration.runs.dropped_counts import DroppedCounts
from orchestration.topology.graph import StageNode
from orchestration.tracing import span

__all__ = ["BatchResult", "StageCaller", "StageRunner"]

Items = Sequence[tuple[StageContext, Any]]
Reused = Sequence[tuple[StageContext, Outcome[Any]]]
Refine = Callable[[list[tuple[StageContext, Any]]], list[tuple[StageContext, Any]]]

MODELS: Final = ("dense", "sparse", "tag")
"""The plane's components whose CPU seconds are a model's."""

RENEWALS_PER_LEASE: Final = 4
"""Renewals within the length of a lease; several may be missed on a busy machine."""


class BatchResult(Protocol):
    """Result of a guarded call: one outcome and number of attempts per item, in the same order."""

    @property
    def outcomes(self) -> Sequence[Outcome[Any]]: ...
    @property
    def attempts(self) -> Sequence[int]: ...


class StageCaller(Protocol):
    """Calls a stage under its policy and isolation; assembly puts it together."""

    def call(self, node: StageNode, items: Items) -> BatchResult:
        """Raises UnavailableError when a service stayed unavailable; other errors are outcomes of items."""
        ...


class Resources(Protocol):
    """What stages compute with."""

    def models(self, node: StageNode) -> dict[str, str]:
        """Ids of the models that shape the outputs of a stage."""
        ...

    def gpus(self, node: StageNode, since: float) -> tuple[GpuUse, ...]:
        """Use of the GPUs that a stage computes on since a moment, seconds since the epoch."""
        ...


class StageRunner:
    """Runs stages of windows; used by one thread at a time."""

    def __init__(
        self,
        windows: WindowLedger,
        outcomes: OutcomeLedger,
        caller: StageCaller,
        plane: Plane,
        owner: str,
        lease_seconds: float,
        dropped: DroppedCounts,
        resources: Resources,
    ) -> None:
        """`dropped`: what extract stages of this process note there."""
        self._windows = windows
        self._outcomes = outcomes
        self._caller = caller
        self._plane = plane
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._dropped = dropped
        self._resources = resources
        self._log = structlog.get_logger(__name__)

    def run(
        self,
        node: StageNode,
        window_id: str,
        job_id: str,
        items: Items,
        refine: Refine | None = None,
        reused: Reused = (),
    ) -> tuple[WindowBatch, StageReport]:
        """Run one stage over the items; `refine` may drop or complete survivors before they are recorded.

        `reused`: documents with the result of an earlier run of this stage; they come behind the others.
        """
        ids = {"medkg.stage": node.name, "medkg.pipeline": node.pipeline, "medkg.window": window_id}
        with (
            span(f"stage {node.name}", {**ids, "medkg.job": job_id}) as stage,
            bound_contextvars(window=window_id, job=job_id, stage=node.name),
        ):
            batch, report = self._run(node, window_id, job_id, items, refine, reused)
            stage.set(_counts(report))
            return batch, report

    def _run(
        self,
        node: StageNode,
        window_id: str,
        job_id: str,
        items: Items,
        refine: Refine | None,
        reused: Reused,
    ) -> tuple[WindowBatch, StageReport]:
        started_at, clock = time.time(), time.perf_counter()
        cost = _Cost(self._plane)
        self._dropped.take()  # of a stage that was interrupted
        self._outcomes.begin(window_id, node.name, [ctx for ctx, *_ in (*items, *reused)])
        with self._abandoned(node, window_id, items):
            outcomes, attempts = self._called(node, window_id, items)
        everything = [*items, *((ctx, None) for ctx, _ in reused)]
        outcomes += [outcome for _, outcome in reused]
        attempts += [0] * len(reused)
        passed = _survivors(node, everything, outcomes)
        survivors = refine(passed) if refine else passed
        failures = _failures(node, everything, outcomes, attempts)
        retries = {
            ctx.doc_id: tried - 1 for (ctx, _), tried in zip(everything, attempts, strict=True) if tried > 1
        }
        cpu_seconds, model_cpu_seconds = cost.spent()
        report = StageReport(
            job_id=job_id,
            window_id=window_id,
            stage=node.name,
            documents_in=len(everything),
            documents_out=len(survivors),
            reused=len({ctx.key for ctx, _ in reused} & {ctx.key for ctx, _ in survivors}),
            failed=sum(failure.fatal for failure in failures),
            retried=sum(retries.values()),
            items_out=sum(_size(value) for _, value in survivors),
            mentions=sum(_graph_size(value)[0] for _, value in survivors),
            claims=sum(_graph_size(value)[1] for _, value in survivors),
            dropped=self._dropped.take(),
            attempts=max(attempts, default=1),
            models=self._resources.models(node) if items else {},
            gpus=self._resources.gpus(node, started_at) if items else (),
            started_at=started_at,
            seconds=time.perf_counter() - clock,
            cpu_seconds=cpu_seconds,
            model_cpu_seconds=model_cpu_seconds,
        )
        sizes = [_size(value) for _, value in survivors]
        contexts = [ctx for ctx, _ in survivors]
        self._outcomes.advance(window_id, node.name, contexts, failures, retries, report, sizes)
        self._log_stage(report, failures)
        return WindowBatch(window_id, job_id, node.gives, tuple(survivors)), report

    @contextmanager
    def _abandoned(self, node: StageNode, window_id: str, items: Items) -> Iterator[None]:
        """Record that a stage ended without outcomes where its call raises."""
        try:
            yield
        except MedkgError as error:
            try:
                self._outcomes.abandon(window_id, node.name, [ctx for ctx, _ in items], error)
            except MedkgError as another:
                self._log.warning("end of the stage not recorded", code=another.code, message=another.message)
            raise

    def _called(self, node: StageNode, window_id: str, items: Items) -> tuple[list[Outcome[Any]], list[int]]:
        """Outcome and attempts of each item; raises UnavailableError when a service stayed unavailable.

        What keeps an optional step from being called at all is the outcome of each item.
        """
        if not items:
            return [], []
        with self._lease(window_id):
            try:
                result = self._caller.call(node, items)
            except MedkgError as error:
                if not node.optional:
                    raise
                return [error] * len(items), [0] * len(items)
        outcomes = [_checked(node, ctx, out) for (ctx, _), out in zip(items, result.outcomes, strict=True)]
        for outcome in outcomes:
            if isinstance(outcome, UnavailableError) and not node.optional:
                raise outcome
        return outcomes, list(result.attempts)

    def nothing(self, node: StageNode, window_id: str, job_id: str) -> tuple[WindowBatch, StageReport]:
        """Return the result for a window whose documents are all finished or lost to other runs."""
        report = StageReport(
            job_id=job_id,
            window_id=window_id,
            stage=node.name,
            documents_in=0,
            documents_out=0,
            failed=0,
            retried=0,
            items_out=0,
            started_at=time.time(),
            seconds=0,
            cpu_seconds=0,
        )
        return WindowBatch(window_id, job_id, node.gives, ()), report

    @contextmanager
    def _lease(self, window_id: str) -> Iterator[None]:
        """Renew the lease of the window while a stage runs; raises if another owner took it."""
        done = Event()
        lost: list[LeaseLostError] = []

        def renew() -> None:
            while not done.wait(self._lease_seconds / RENEWALS_PER_LEASE):  # no-retry-loop: a clock
                try:
                    self._windows.renew(window_id, self._owner)
                except LeaseLostError as error:
                    lost.append(error)
                    return
                except UnavailableError as error:  # the next renewal may come through
                    self._log.warning("lease not renewed", window=window_id, message=error.message)

        renewal = Thread(target=renew, name="lease", daemon=True)
        renewal.start()
        try:
            yield
        finally:
            done.set()
            renewal.join()
        if lost:
            raise lost[0]

    def _log_stage(self, report: StageReport, failures: Sequence[Failure]) -> None:
        ids = {"job_id": "job", "window_id": "window"}
        fields = {ids.get(name, name): value for name, value in report.model_dump().items()}
        self._log.info("stage", **fields)
        for failure in failures:
            self._log.info(
                "dead letter",
                tenant=failure.ctx.tenant_id,
                job=failure.ctx.job_id,
                document=failure.ctx.doc_id,
                correlation=failure.ctx.correlation_id,
                stage=failure.stage,
                code=failure.code,
            )


class _Cost:
    """CPU seconds of this process, its children and the plane since it was made."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._process = psutil.Process()
        self._own_before = self._own()
        self._plane_before = dict(plane.use().cpu_seconds)

    def spent(self) -> tuple[float, float]:
        """(all CPU seconds, those of them in the plane's models)."""
        after = self._plane.use().cpu_seconds
        by_component = {name: seconds - self._plane_before.get(name, 0.0) for name, seconds in after.items()}
        total = self._own() - self._own_before + sum(by_component.values())
        return max(0.0, total), max(0.0, sum(by_component.get(leg, 0.0) for leg in MODELS))

    def _own(self) -> float:
        times = self._process.cpu_times()
        seconds = times.user + times.system + times.children_user + times.children_system
        for child in self._process.children(recursive=True):
            try:
                of_child = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds += of_child.user + of_child.system
        return float(seconds)


def _counts(report: StageReport) -> dict[str, int]:
    """Attributes of a stage's span."""
    return {f"medkg.{name}": getattr(report, name) for name in STAGE_COUNTS}


def _checked(node: StageNode, ctx: StageContext, outcome: Outcome[Any]) -> Outcome[Any]:
    """Return the outcome, or a StageContractError when its type is not that of the contract."""
    if isinstance(outcome, MedkgError) or is_value(node.gives, outcome):
        return outcome
    return StageContractError(
        f"{ctx.doc_id}: stage {node.name} ({node.stage_type}) gave {type(outcome).__name__}, but its "
        f"contract is {VALUE_TYPES[node.gives]}. Fix the stage; medkg/testing checks it."
    )


def _survivors(
    node: StageNode, items: Items, outcomes: Sequence[Outcome[Any]]
) -> list[tuple[StageContext, Any]]:
    """Items that go on: the successful ones and, behind an optional stage that keeps the type, its input."""
    survivors = []
    for (ctx, value), outcome in zip(items, outcomes, strict=True):
        if not isinstance(outcome, MedkgError):
            survivors.append((ctx, outcome))
        elif node.optional and node.takes == node.gives:
            survivors.append((ctx, value))
    return survivors


def _failures(
    node: StageNode, items: Items, outcomes: Sequence[Outcome[Any]], attempts: Sequence[int]
) -> list[Failure]:
    return [
        Failure(
            ctx=ctx,
            stage=node.name,
            code=outcome.code,
            message=outcome.message,
            attempts=tried,
            fatal=not node.optional,
        )
        for (ctx, _), outcome, tried in zip(items, outcomes, attempts, strict=True)
        if isinstance(outcome, MedkgError)
    ]


def _size(value: Any) -> int:
    """Chunks in a value, or its mentions and claims; else 1."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, EmbeddingBatch):
        return len(value.chunks)
    if isinstance(value, tuple | GraphWriteReceipt):
        return sum(_graph_size(value))
    return int(getattr(value, "chunk_count", 1))


def _graph_size(value: Any) -> tuple[int, int]:
    """Mentions and claims in a value."""
    if isinstance(value, GraphWriteReceipt):
        return value.entity_count, value.claim_count
    if isinstance(value, tuple):
        mentions, claims = value
        return len(mentions), len(claims)
    return 0, 0
