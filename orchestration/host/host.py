"""The host of a data folder: keeps the plane and the window workers hot, and answers commands.

Comes in: requests over the local service (jobs to work on, runs to launch or cancel, queries to embed).
Leaves: window runs on warm workers. There is one host a data folder; it lives with `medkg run`, or, under
`medkg up`, until `medkg down`, and then keeps the Dagster UI and daemon as its children. Ray is started in
the main thread, so that the kernel ends Ray's processes with the host.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from orchestration.assembly import Assembly
from orchestration.contracts import JobState, Submission
from orchestration.dagster.instance import open_instance, prune_runs, settle_abandoned_runs
from orchestration.dagster.names import (
    HOST_STOPPED_TAG,
    dagster_names,
    first_op_config,
    window_of,
    window_tags,
)
from orchestration.dagster.run_errors import run_error
from orchestration.dagster.workers.window_workers import FinishedRun, NewRun, RunState, WindowWorkers
from orchestration.dagster.workers.worker_process import SourceWatch, WorkerCommand
from orchestration.errors import MedkgError, PlaneUnavailableError, UsageError
from orchestration.host.compaction import Compaction
from orchestration.host.environment import (
    RAY_SOCKET,
    child_environment,
    guard_ray,
    private_folder,
)
from orchestration.host.job_driver import JobDriver
from orchestration.host.services import DagsterServices
from orchestration.jobs.host_client import HOST_SERVICE, HostStatus
from orchestration.logging import configure_logging
from orchestration.processes.child_process import is_alive
from orchestration.processes.fork_server import ForkServer, ForkServers
from orchestration.processes.local_service import LocalService
from orchestration.runs.artifacts import prune_artifacts, prune_landed
from orchestration.settings import Settings, load_settings, send_no_usage_reports

if TYPE_CHECKING:
    from gpu_actors.plane import RayPlane

TICK_SECONDS: Final = 2.0

FORKED_MODULES: Final = (
    "orchestration.dagster.workers.window_worker",
    "orchestration.dagster.definitions",
    "gpu_actors.pools.pool",
)
"""What the host's children import; window workers use the last one to attach to the plane."""


class HostProcess:
    """Plane, workers, driver and the verbs that reach them."""

    def __init__(
        self, settings: Settings, fork_servers: ForkServers, sources: SourceWatch, *, kept: bool, ui: bool
    ) -> None:
        """`sources`: the watched code, of which `fork_servers` are copies."""
        self._settings = settings
        self._fork_servers = fork_servers
        self._sources = sources
        self._kept = kept
        self._ui = ui
        self._assembly = Assembly(settings)
        self._log = structlog.get_logger(__name__)
        self._stop = threading.Event()
        self._leftovers_due = threading.Event()
        self._vectors_changed = threading.Event()
        self._plane_error: MedkgError | None = None
        self._plane: RayPlane | None = None
        self._ray_folder: Path | None = None
        self._dagster: DagsterServices | None = None
        self._swapping = threading.Lock()
        self._instance = open_instance(settings)
        self._workers = WindowWorkers(
            self._instance,
            WorkerCommand(
                settings.dagster_home,
                environment=child_environment(settings),
                log_dir=settings.logs_dir,
            ),
            settings.window_workers,
            self._run_ended,
            sources,
            fork_servers,
        )
        self._driver = JobDriver(
            self._assembly.ledger,
            self._assembly.submissions,
            self._launch_window,
            self._workers.cancel,
            settings.window_workers,
        )
        self._compaction = Compaction(
            self._assembly.ledger.commits.tenants,
            lambda: self._assembly.stores.vectors,
            child_environment(settings),
            settings.logs_dir / "compaction.log",
        )
        self._conversions = self._assembly.pdf_conversions()
        self._service = LocalService(HOST_SERVICE, settings.data_dir, self._verbs())

    def serve(self) -> None:
        """Be the host until told to stop; main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._service.claim()
        try:
            settle_abandoned_runs(self._instance)
            self._workers.start()
            self._conversions.start()
            self._service.start()
            if self._kept:
                self._dagster = DagsterServices(
                    self._settings, self._sources, self._fork_servers, with_ui=self._ui
                )
                self._dagster.start()
            self._start_plane()
            self._housekeeping()
            while not self._stop.wait(TICK_SECONDS):
                self._tick()
        finally:
            self._close()

    def _tick(self) -> None:
        """What time alone makes due; a store that cannot be written now is logged and met again later."""
        try:
            self._assembly.ledger.windows.reclaim(is_alive)
            if self._leftovers_due.is_set():
                self._leftovers_due.clear()
                self._assembly.index.recover(is_alive)
            self._assembly.gate_sweeps.sweep()
            self._driver.tick()
            if self._vectors_changed.is_set():
                self._vectors_changed.clear()
                self._compaction.look()
            self._compaction.tick()
            if self._dagster is not None:
                self._dagster.tick()
        except MedkgError as error:
            self._log.warning("housekeeping", code=error.code, message=error.message)

    def _start_plane(self) -> None:
        try:
            self._ray_folder = private_folder(self._settings, "ray", RAY_SOCKET)
            self._plane = self._assembly.start_plane(self._ray_folder, dashboard=self._ui)
        except MedkgError as error:
            self._plane_error = error
            self._log.error("plane failed", code=error.code, message=error.message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the host lives on and tells it
            self._plane_error = PlaneUnavailableError(f"it failed with {type(error).__name__}: {error}")
            self._log.exception("plane failed")

    def _housekeeping(self) -> None:
        """Clean what a crashed writer left and what has expired, beside the work."""
        self._assembly.index.recover(is_alive)
        try:
            prune_artifacts(self._assembly.objects, self._settings.artifact_days)
            self._assembly.gate_payloads.prune(self._assembly.ledger.gates.needed_payloads)
            prune_landed(self._assembly.objects, self._settings.artifact_days)
            prune_runs(self._instance, self._settings.artifact_days)
        except MedkgError as error:  # the next host does it
            self._log.warning("not pruned", code=error.code, message=error.message)
        self._vectors_changed.set()

    def _close(self) -> None:
        self._conversions.close()
        self._compaction.close()
        if self._dagster is not None:
            self._dagster.terminate()
        self._mark_stopped_runs()
        self._workers.close()
        self._hand_back_all()
        if self._dagster is not None:
            self._dagster.close()
        self._fork_servers.close()
        self._assembly.close()
        if self._ray_folder is not None:
            shutil.rmtree(self._ray_folder, ignore_errors=True)
        self._service.close()

    def _mark_stopped_runs(self) -> None:
        """Say of each run that we are about to cancel that its job is to go on with the next host."""
        for run_id in (*self._workers.running(), *self._workers.queued()):
            try:
                if self._instance.has_run(run_id):
                    self._instance.add_run_tags(run_id, {HOST_STOPPED_TAG: "true"})
            except Exception:  # noqa: BLE001 - e.g. disk full; we must close all the same
                self._log.exception("stopped_run_not_marked", run_id=run_id)

    def _hand_back_all(self) -> None:
        """Queue again what the ended workers held, so that nothing is called running that is not."""
        try:
            self._assembly.ledger.windows.reclaim(is_alive)
        except MedkgError as error:  # the next command does it
            self._log.warning("documents not handed back", code=error.code, message=error.message)

    # --- models -------------------------------------------------------------------------------------

    def _swap_models(self, **models: str | int | None) -> HostStatus:
        """Load these models beside the present ones, switch, and end those when their last run has ended.

        Raises what keeps them from loading; then nothing has changed.
        """
        self._hot_plane()
        if not self._swapping.acquire(blocking=False):
            raise UsageError("models are being swapped already; `medkg status` shows the plane's models.")
        try:
            settings = self._settings.model_copy(update=models)
            self._plane, end_former = self._assembly.swap_models(settings)
        except BaseException:
            self._swapping.release()
            raise
        self._settings = settings
        for name, value in models.items():  # what new workers inherit
            os.environ.pop(f"MEDKG_{name.upper()}", None)
            if value is not None:
                os.environ[f"MEDKG_{name.upper()}"] = str(value)
        former_runs = self._workers.renew()
        threading.Thread(
            target=self._drain, args=(former_runs, end_former), name="drain", daemon=True
        ).start()
        return self._status()

    def _drain(self, former_runs: Collection[str], end_former: Callable[[], None]) -> None:
        try:
            self._workers.wait_until_ended(former_runs)
            end_former()
        finally:
            self._swapping.release()

    # --- runs ---------------------------------------------------------------------------------------

    def _cancel_run(self, run_id: str) -> bool:
        """Terminate a run for a user, who wants its job to stop; False if the run is not here.

        The job stops before the run does, so that no other window takes up what the run hands back.
        """
        run = self._instance.get_run_by_id(run_id)
        window_id = window_of(run.tags) if run is not None else None
        if window_id is not None and self._workers.state(run_id) is not RunState.ABSENT:
            job_id = self._assembly.ledger.windows.job_of(window_id)
            if job_id is not None:
                self._assembly.ledger.jobs.set_state(job_id, JobState.CANCELLED)
        return self._workers.cancel(run_id)

    def _launch_window(self, submission: Submission, window_id: str) -> None:
        job_name, first_op = dagster_names(
            self._assembly.topology_of(submission.pipeline_name, submission.pipeline_version),
            self._assembly.ledger.windows.phase_of(window_id),
        )
        self._workers.submit(
            window_id,
            NewRun(
                job_name=job_name,
                tags=window_tags(window_id, submission.job_id),
                run_config=first_op_config(first_op, window_id),
            ),
        )

    def _run_ended(self, run: FinishedRun) -> None:
        """Hand back what an attended window did not finish; the others are the sensors' to hand back."""
        self._vectors_changed.set()
        if run.status == "SUCCESS":
            self._driver.window_ended(run.run_id, None, cancelled=False)
            return
        self._leftovers_due.set()
        error = run_error(self._instance, run)
        if self._driver.drives(run.run_id):
            self._assembly.ledger.windows.release(run.run_id, error.message)
            self._driver.window_ended(run.run_id, error, cancelled=run.status == "CANCELED")

    # --- verbs --------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Callable[..., Any]]:
        return {
            "status": lambda with_health=False: self._status(with_health).model_dump(),
            "work_on": lambda job_id: self._driver.work_on(job_id).model_dump(),
            "wait_for_news": lambda job_id, seen, seconds: self._driver.wait_for_news(
                job_id, seen, seconds
            ).model_dump(),
            "stop_job": self._driver.stop_job,
            "plane_address": lambda: self._hot_plane().address,
            "embed_texts": lambda texts: self._embedded(self._hot_plane(), "embed_texts", texts),
            "embed_queries": lambda texts: self._embedded(self._hot_plane(), "embed_queries", texts),
            "expand_texts": lambda texts: self._encoded_sparse(
                self._hot_plane(), "encode_sparse_texts", texts
            ),
            "expand_queries": lambda texts: self._encoded_sparse(
                self._hot_plane(), "encode_sparse_queries", texts
            ),
            "rerank": lambda question, passages: self._hot_plane().rerank(question, passages).tolist(),
            "swap_models": lambda **models: self._swap_models(**models).model_dump(),
            "stop": self._stop.set,
            "launch": self._workers.submit,
            "cancel": self._cancel_run,
            "run_state": lambda run_id: str(self._workers.state(run_id)),
        }

    def _status(self, with_health: bool = False) -> HostStatus:
        failed = self._plane_error
        plane = self._plane
        return HostStatus(
            pid=os.getpid(),
            kept=self._kept,
            ui=self._ui,
            profile=self._settings.profile,
            models=dict(plane.model_ids) if plane else {},
            rerank_model=plane.reranker.model_id if plane and plane.reranker else None,
            plane="failed" if failed else "ready" if plane else "starting",
            swapping=self._swapping.locked(),
            plane_error=failed.message if failed else None,
            plane_health=plane.health() if plane and with_health else {},
            workers=self._workers.describe(),
            ray_dashboard=plane.dashboard if plane else None,
            dagster_ui=self._dagster.address() if self._dagster is not None else None,
        )

    def _hot_plane(self) -> RayPlane:
        if self._plane_error is not None:
            raise self._plane_error
        if self._plane is None:
            raise PlaneUnavailableError("the plane is still loading its models; `medkg status` shows it.")
        return self._plane

    def _embedded(self, plane: RayPlane, method: str, texts: list[str]) -> dict[str, Any]:
        return {"vectors": getattr(plane, method)(texts).tolist(), "model_id": plane.model_ids["dense"]}

    def _encoded_sparse(self, plane: RayPlane, method: str, texts: list[str]) -> dict[str, Any]:
        weights = getattr(plane, method)(texts)
        rows = [[part.tolist() for part in weights.row(number)] for number in range(len(weights))]
        return {"rows": rows, "vocabulary": weights.vocabulary, "model_id": plane.model_ids["sparse"]}


def main() -> None:
    """Entry point of the host's process."""
    parser = argparse.ArgumentParser(description="The host of a medkg data folder; started by medkg.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--keep", action="store_true", help="also run Dagster's daemon and code server")
    parser.add_argument("--ui", action="store_true", help="also run the Dagster UI and the Ray dashboard")
    options = parser.parse_args()
    settings = load_settings(data_dir=options.data_dir, profile=options.profile)
    configure_logging(settings.log_level)
    send_no_usage_reports()
    guard_ray(settings)
    os.environ.update(child_environment(settings))
    sources = SourceWatch([*Assembly(settings).watched_folders(), settings.schedules_folder])
    fork_servers = _fork_servers(settings, sources)
    HostProcess(settings, fork_servers, sources, kept=options.keep, ui=options.ui).serve()


def _fork_servers(settings: Settings, sources: SourceWatch) -> ForkServers:
    """Fork servers with what the host's children import; the first is a fork of this process."""
    mark = sources.mark()
    for module in FORKED_MODULES:
        importlib.import_module(module)
    return ForkServers(
        lambda: ForkServer.started(
            FORKED_MODULES, child_environment(settings), settings.logs_dir / "fork-server.log"
        ),
        ForkServer.forked(),
        mark,
    )


if __name__ == "__main__":
    main()
