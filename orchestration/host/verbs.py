"""The verbs of a host, each handed to the part that does it.

Input: requests as orchestration.contracts.host.HostService describes them. Output: its records, which hold
vectors and weights as lists, since answers travel as JSON.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from orchestration.contracts import UnavailableConverter
from orchestration.contracts.host import (
    ChildHealth,
    DenseRows,
    HostService,
    HostStatus,
    JobProgress,
    ModelChoice,
    RunState,
    SparseRows,
)
from orchestration.host.plane_slot import PlaneSlot
from orchestration.host.window_runs import HostRuns
from orchestration.records import Float32Matrix, SparseMatrix

__all__ = ["HostVerbs"]


class HostVerbs(HostService):
    """HostService over the parts of a host; every request has its own thread."""

    def __init__(
        self,
        plane: PlaneSlot,
        runs: HostRuns,
        stop: threading.Event,
        dagster_ui: Callable[[], str | None],
        children: Callable[[dict[str, Any]], Sequence[ChildHealth]],
        store_problem: Callable[[], str | None],
        unavailable_converters: Callable[[], Sequence[UnavailableConverter]],
        *,
        keep: bool,
        ui: bool,
    ) -> None:
        self._plane = plane
        self._runs = runs
        self._stop = stop
        self._dagster_ui = dagster_ui
        self._children = children
        self._store_problem = store_problem
        self._unavailable_converters = unavailable_converters
        self._keep = keep
        self._ui = ui

    def status(self, with_health: bool = False) -> HostStatus:
        plane = self._plane.status(with_health)
        return HostStatus(
            pid=os.getpid(),
            kept=self._keep,
            ui=self._ui,
            workers=self._runs.workers.describe(),
            unavailable_converters=tuple(self._unavailable_converters()),
            dagster_ui=self._dagster_ui(),
            children=tuple(self._children(plane["plane_health"])) if with_health else (),
            store_problem=self._store_problem(),
            **plane,
        )

    def stop(self) -> None:
        self._stop.set()

    # --- jobs and runs ------------------------------------------------------------------------------

    def work_on(self, job_id: str) -> JobProgress:
        return self._runs.driver.work_on(job_id)

    def wait_for_news(self, job_id: str, last_news: int, seconds: float) -> JobProgress:
        return self._runs.driver.wait_for_news(job_id, last_news, seconds)

    def stop_job(self, job_id: str) -> None:
        self._runs.driver.stop_job(job_id)

    def launch(self, run_id: str) -> None:
        self._runs.workers.submit(run_id)

    def cancel(self, run_id: str) -> bool:
        return self._runs.cancel(run_id)

    def run_state(self, run_id: str) -> RunState:
        return self._runs.workers.state(run_id)

    # --- models -------------------------------------------------------------------------------------

    def plane_address(self) -> str:
        return self._plane.hot().address

    def embed_texts(self, texts: list[str]) -> DenseRows:
        plane = self._plane.hot()
        return _dense_rows(plane.embed_texts(texts), plane.model_ids["dense"])

    def embed_queries(self, texts: list[str]) -> DenseRows:
        plane = self._plane.hot()
        return _dense_rows(plane.embed_queries(texts), plane.model_ids["dense"])

    def encode_sparse_texts(self, texts: list[str]) -> SparseRows:
        plane = self._plane.hot()
        return _sparse_rows(plane.encode_sparse_texts(texts), plane.model_ids["sparse"])

    def encode_sparse_queries(self, texts: list[str]) -> SparseRows:
        plane = self._plane.hot()
        return _sparse_rows(plane.encode_sparse_queries(texts), plane.model_ids["sparse"])

    def rerank(self, question: str, passages: list[str]) -> list[float]:
        scores: list[float] = self._plane.hot().rerank(question, passages).tolist()
        return scores

    def swap_models(self, models: ModelChoice) -> HostStatus:
        self._plane.swap(models, self._runs.workers.renew, self._runs.workers.wait_until_ended)
        return self.status()


def _dense_rows(vectors: Float32Matrix, model_id: str) -> DenseRows:
    return DenseRows.model_construct(vectors=vectors.tolist(), model_id=model_id)


def _sparse_rows(weights: SparseMatrix, model_id: str) -> SparseRows:
    rows = [tuple(part.tolist() for part in weights.row(number)) for number in range(len(weights))]
    return SparseRows.model_construct(rows=rows, vocabulary=weights.vocabulary, model_id=model_id)
