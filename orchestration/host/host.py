"""The host of a data folder: keeps the plane and the window workers hot, and answers commands.

Input: requests over the local service (jobs to work on, runs to launch or cancel, queries to embed). Output:
window runs on warm workers. There is one host per data folder; it ends with `medkg run`, or, under `medkg
up`, with `medkg down`, and then keeps Dagster's processes as well. Ray is started in the main thread, so that
the kernel ends Ray's processes with the host.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import structlog

from orchestration.assembly import Assembly
from orchestration.contracts.host import ALREADY_SERVED, HOST_SERVICE, HostService
from orchestration.dagster.workers.worker_process import SourceWatch
from orchestration.errors import ConfigurationError
from orchestration.host.children import Children
from orchestration.host.command_process import projection_process, relay_process
from orchestration.host.environment import child_environment, write_ray_token
from orchestration.host.housekeeping import Housekeeping
from orchestration.host.plane_slot import PlaneSlot
from orchestration.host.resource_watch import ResourceWatch
from orchestration.host.services import DagsterServices
from orchestration.host.verbs import HostVerbs
from orchestration.host.window_runs import HostRuns
from orchestration.jobs.host_client import guard_ray
from orchestration.known_secrets import known_secrets
from orchestration.logging import configure_logging
from orchestration.processes.fork_server import ForkServer, ForkServers
from orchestration.processes.local_service import LocalService
from orchestration.processes.memory import limit_arenas
from orchestration.processes.typed_service import verbs_of
from orchestration.settings import Settings, load_settings, send_no_usage_reports
from orchestration.tracing import configure_tracing, flush, tracing_problem, wants_traces

TICK_SECONDS: Final = 2.0

FORKED_MODULES: Final = (
    "orchestration.dagster.workers.window_worker",
    "orchestration.dagster.definitions",
    "gpu_actors.pools.pool",
)
"""Modules that the host's children import; window workers attach to the plane with the last one."""


class HostProcess:
    """The parts of a host: started in order, ticked, and closed in order."""

    def __init__(
        self,
        settings: Settings,
        fork_servers: ForkServers,
        sources: SourceWatch,
        service: LocalService | None = None,
        *,
        keep: bool,
        ui: bool,
    ) -> None:
        """`sources`: the code that `fork_servers` have imported; `keep`: with Dagster's processes.

        `service`: without verbs, which has claimed the data folder.
        """
        self._stop = threading.Event()
        self._log = structlog.get_logger(__name__)
        self._fork_servers = fork_servers
        self._ui = ui
        self._assembly = Assembly(settings)
        self._runs = HostRuns(self._assembly, settings, sources, fork_servers, self._run_ended)
        self._housekeeping = Housekeeping(self._assembly, settings, self._tick_parts, self._runs.prune)
        self._conversions = self._assembly.pdf_conversions()
        self._dagster = DagsterServices(settings, sources, fork_servers, with_ui=ui) if keep else None
        commands = (projection_process(settings) if keep else None, relay_process(settings))
        self._commands = [command for command in commands if command is not None]
        self.plane = PlaneSlot(self._assembly, settings)
        self.verbs = HostVerbs(
            self.plane,
            self._runs,
            self._stop,
            self._dagster_ui,
            Children(fork_servers, self._runs.workers, self._dagster, self._commands).health,
            lambda: self._housekeeping.problem,
            self._conversions.unavailable,
            keep=keep,
            ui=ui,
        )
        self._resources = ResourceWatch(
            lambda: self.verbs.status(with_health=True),
            self._assembly.ledger.outbox,
        )
        self._service = service or LocalService(HOST_SERVICE, settings.data_dir, {})
        self._service.verbs.update(verbs_of(HostService, self.verbs))  # type: ignore[type-abstract]

    def serve(self) -> None:
        """Be the host until it is asked to stop; main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._service.claim()
        try:
            self._runs.start()
            self._conversions.start()
            self._service.start()
            if self._dagster is not None:
                self._dagster.start()
            for command in self._commands:
                command.start()
            self.plane.start(dashboard=self._ui)
            self._housekeeping.clean()
            self._resources.start()
            while not self._stop.wait(TICK_SECONDS):
                if not self._service.has_folder():
                    self._log.error(
                        "ending: the data folder was moved or removed", path=str(self._service.data_dir)
                    )
                    return
                self._housekeeping.tick()
        finally:
            self.close()

    def _run_ended(self, succeeded: bool) -> None:
        self._housekeeping.run_ended(succeeded)

    def _tick_parts(self) -> None:
        self._runs.workers.tick()
        if self._dagster is not None:
            self._dagster.tick()
        for command in self._commands:
            command.tick()
        self._runs.driver.tick()  # last: it needs the ledger, the others do not

    def close(self) -> None:
        """End all parts; returns when their processes are gone and their documents are queued again."""
        self._resources.close()
        self._conversions.close()
        self._housekeeping.close()
        if self._dagster is not None:
            self._dagster.terminate()
        self._runs.close()
        for command in self._commands:
            command.close()  # behind the runs: what they wrote last is published too
        if self._dagster is not None:
            self._dagster.close()
        self._fork_servers.close()
        self._assembly.close()
        self.plane.remove_folder()
        self._service.close()

    def _dagster_ui(self) -> str | None:
        return self._dagster.address() if self._dagster is not None else None


def main() -> None:
    """Entry point of the host's process."""
    parser = argparse.ArgumentParser(description="The host of a medkg data folder; started by medkg.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--keep", action="store_true", help="also run Dagster's daemon and code server")
    parser.add_argument("--ui", action="store_true", help="also run the Dagster UI and the Ray dashboard")
    options = parser.parse_args()
    limit_arenas()
    settings = load_settings(data_dir=options.data_dir, profile=options.profile)
    configure_logging(settings.log_level, secrets=known_secrets(settings), process="host")
    send_no_usage_reports()
    guard_ray(settings)
    os.environ.update(child_environment(settings))
    sources = SourceWatch([*Assembly(settings).watched_folders(), settings.schedules_folder])
    fork_servers = _fork_servers(settings, sources)
    configure_tracing("host")  # behind the fork of a process without threads
    service = LocalService(HOST_SERVICE, settings.data_dir, {})
    try:
        service.claim()  # before anything in the folder is changed
    except ConfigurationError as error:
        structlog.get_logger(__name__).warning("not the host", code=error.code, message=error.message)
        sys.exit(ALREADY_SERVED)
    write_ray_token(settings)
    try:
        HostProcess(settings, fork_servers, sources, service, keep=options.keep, ui=options.ui).serve()
    finally:
        flush()


def _fork_servers(settings: Settings, sources: SourceWatch) -> ForkServers:
    """Fork servers with what the host's children import; the first is a fork of this process."""
    mark = sources.mark()
    modules = [*FORKED_MODULES]
    if wants_traces() and tracing_problem() is None:
        modules.append("orchestration.tracing.export")
    for module in modules:
        importlib.import_module(module)
    return ForkServers(
        lambda: ForkServer.started(
            modules, child_environment(settings), settings.logs_dir / "fork-server.log"
        ),
        ForkServer.forked(),
        mark,
    )


if __name__ == "__main__":
    main()
