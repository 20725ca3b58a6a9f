"""The fault table: each fault injected into a run through Dagster, and what became of the documents.

For each fault a new data folder is kept by `medkg up`, a run is started, and when it has committed its first
documents the fault strikes. A run that ends unfinished is started again, as its user would. lost: documents
that ended neither committed nor failed. doubled: chunks in the stores, and claims that readers see, beyond
those of the undisturbed run. orphans: documents that the graph holds and no commit names.
recovery: seconds from the fault to the next commit; seconds_more: what the whole run took longer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestration.assembly import Assembly
from orchestration.errors import StageFailedError
from orchestration.settings import Settings

from ..bench import Bench
from ..data.texts import as_files
from ..load.command_line import CommandLine

WINDOW: Final = 25
PATIENCE: Final = 300.0

Status = Mapping[str, Any]
Strike = Callable[[Status], None]


def measure(bench: Bench) -> dict[str, Any]:
    """A row for each fault, and one undisturbed, with which they are compared."""
    bench.close()
    corpus = as_files(bench.folder / "faults-corpus", bench.texts)
    strikes: dict[str, Strike | None] = {"undisturbed": None, **FAULTS}
    if bench.profile.engine == "vllm":
        strikes["vllm_server_killed"] = _kill_vllm
    rows = {name: _row(bench, corpus, name, strike) for name, strike in strikes.items()}
    for row in rows.values():
        row["doubled"] = sum(abs(row[name] - rows["undisturbed"][name]) for name in ("chunks", "claims"))
        row["seconds_more"] = round(row["seconds"] - rows["undisturbed"]["seconds"], 1)
    sums = {name: sum(abs(row[name]) for row in rows.values()) for name in ("lost", "doubled", "orphans")}
    return {**rows, **sums}


def _row(bench: Bench, corpus: Path, name: str, strike: Strike | None) -> dict[str, Any]:
    folder = CommandLine(bench, f"fault-{name}")
    settings = folder.settings
    with folder.kept():
        run = _Run(folder.command("run", "auto", "--path", str(corpus), "--window", str(WINDOW), "--json"))
        started = time.monotonic()
        recovery = None
        if strike is not None:
            _more_than(0, settings, run)
            host = folder.answer("status")["host"]
            struck = time.monotonic()
            strike(host)
            _more_than(_documents(settings).get("committed", 0), settings, run)
            recovery = round(time.monotonic() - struck, 1)
        run.finish()
        seconds = round(time.monotonic() - started, 1)
        return _account(folder, len(bench.texts)) | {
            "recovery_seconds": recovery,
            "seconds": seconds,
            "started_again": run.started - 1,
        }


class _Run:
    """The command that a user repeats until it has done its work."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self.started = 0
        self._start()

    def _start(self) -> None:
        self.started += 1
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def go_on(self) -> None:
        """Start it again if it has ended with documents pending."""
        if self._process.poll() not in (None, 0, 1):
            self._start()

    def finish(self) -> None:
        """Return when it has ended with every document committed or failed."""
        while self._process.wait(PATIENCE) not in (0, 1):
            self._start()


def _account(folder: CommandLine, documents: int) -> dict[str, Any]:
    """What the ledger and the stores hold at the end."""
    settings = folder.settings
    counts = _documents(settings)
    ended = counts.get("committed", 0) + counts.get("failed", 0)
    assembly = Assembly(settings)
    held = sum(holding.chunk_count for holding in assembly.stores.search.holdings(settings.tenant))
    graph = assembly.ledger.graph.counts(settings.tenant)
    in_graph = len(list(assembly.ledger.graph.holdings(settings.tenant)))
    assembly.close()
    return {
        "in": documents,
        "committed": counts.get("committed", 0),
        "failed": counts.get("failed", 0),
        "lost": documents - ended,
        "chunks": held,
        "claims": graph.claims,
        "orphans": in_graph - graph.documents,
        "consistent": folder.answer("verify")["consistent"],
    }


def _documents(settings: Settings) -> Mapping[str, int]:
    assembly = Assembly(settings)
    try:
        return assembly.ledger.documents.status_counts(settings.tenant)
    finally:
        assembly.close()


def _more_than(committed: int, settings: Settings, run: _Run) -> int:
    """Committed documents once there are more than that; the run is started again if it ends before."""

    def now() -> int:
        run.go_on()
        return _documents(settings).get("committed", 0)

    if committed == _total(settings):
        raise StageFailedError("the run was over before the fault struck; raise --limit.")
    waiting = Retrying(
        retry=retry_if_result(lambda count: count <= committed),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(PATIENCE),
    )
    count: int = waiting(now)
    return count


def _total(settings: Settings) -> int:
    return sum(_documents(settings).values()) or -1


# --- faults -----------------------------------------------------------------------------------------


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _kill_replica(pool: str) -> Strike:
    return lambda host: _kill(host["plane_health"][pool][0]["pid"])


def _kill_vllm(host: Status) -> None:
    """The server with all its processes, as a crash of its engine would leave it."""
    for child in psutil.Process(host["plane_health"]["embedders"][0]["pid"]).children(recursive=True):
        child.kill()


def _kill_worker(host: Status) -> None:
    busy = [worker["pid"] for worker in host["workers"] if worker["run"] is not None]
    _kill((busy or [host["workers"][0]["pid"]])[0])


def _kill_stage_processes(host: Status) -> None:
    """The processes in which isolated stages run, those of every worker."""
    for worker in host["workers"]:
        for child in psutil.Process(worker["pid"]).children(recursive=True):
            child.kill()


def _kill_host(host: Status) -> None:
    """With it go its workers, Ray and the models."""
    _kill(host["pid"])


FAULTS: Final[Mapping[str, Strike]] = {
    "embedder_killed": _kill_replica("embedders"),
    "expander_killed": _kill_replica("expanders"),
    "chunker_killed": _kill_replica("chunkers"),
    "extractor_killed": _kill_replica("extractors"),
    "window_worker_killed": _kill_worker,
    "stage_processes_killed": _kill_stage_processes,
    "host_killed": _kill_host,
}
