"""What a scrape reads: the ledger, the outbox, the host, Dagster's ticks, disks and files.

Comes in: ledger protocols and calls that return the state of other rooms. Leaves: `Sample`s of the
registry's metrics. A part that cannot be read leaves no samples but `medkg_scrape_part_up` 0; it never
hides the others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from orchestration.contracts.host import ChildState, HostStatus
from orchestration.contracts.jobs import JobState
from orchestration.contracts.monitoring import DOCUMENT_STATES, MonitoringLedger
from orchestration.contracts.outbox import OutboxLedger
from orchestration.errors import MedkgError
from orchestration.formats.last_checks import Check, last_check
from orchestration.settings import Settings

__all__ = ["DagsterTicks", "Readings", "Sample", "StoreSizes"]

GIB: Final = 2**30

HOST_KEPT_SECONDS: Final = 5.0
FILES_KEPT_SECONDS: Final = 60.0
"""How long a reading is used again: sizes of folders take a walk over their files."""
MEASURED_SHARE: Final = 20.0
"""Pause between two walks, in times of what the last one took."""

UNFINISHED_JOBS: Final = tuple(
    str(state) for state in JobState if state not in (JobState.DONE, JobState.CANCELLED)
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric, by the labels in the registry's order."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class DagsterTicks:
    """When Dagster's sensors and daemons were last seen, seconds since the epoch, by name."""

    sensors: Mapping[str, float]
    daemons: Mapping[str, float]


class Readings:
    """The parts of a scrape; thread-safe as far as its calls are."""

    def __init__(
        self,
        settings: Settings,
        ledger: MonitoringLedger,
        outbox: OutboxLedger | None,
        host: Callable[[], HostStatus | MedkgError],
        ticks: Callable[[], DagsterTicks] | None,
    ) -> None:
        """`host`: status with health, or why it does not answer; `outbox`, `ticks`: None leaves them out."""
        self._settings = settings
        self._ledger = ledger
        self._outbox = outbox
        self._host = kept(host, HOST_KEPT_SECONDS)
        self._ticks = kept(ticks, HOST_KEPT_SECONDS) if ticks is not None else None
        self._stores = StoreSizes(settings)

    def parts(self) -> Mapping[str, Callable[[], Iterator[Sample]]]:
        """The parts by name; each raises MedkgError or OSError when it cannot be read."""
        parts = {
            "ledger": lambda: ledger_samples(self._ledger, time.time()),
            "host": lambda: host_samples(self._host()),
            "machine": lambda: machine_samples(self._settings, self._stores()),
        }
        if self._outbox is not None:
            outbox = self._outbox
            parts["outbox"] = lambda: outbox_samples(outbox, time.time())
        if self._ticks is not None:
            ticks = self._ticks
            parts["dagster"] = lambda: tick_samples(ticks())
        return parts


def kept(read: Callable[[], Any], seconds: float) -> Callable[[], Any]:
    """A call whose value is used again for some seconds."""
    last: list[tuple[float, Any]] = []

    def reading() -> Any:
        if not last or time.monotonic() - last[0][0] > seconds:
            last[:] = [(time.monotonic(), read())]
        return last[0][1]

    return reading


# --- ledger and outbox ------------------------------------------------------------------------------


def ledger_samples(ledger: MonitoringLedger, now: float) -> Iterator[Sample]:
    """Documents, jobs, leases, dead letters and gates; every state of a known pipeline has a value."""
    reading = ledger.read()
    for pipeline in sorted({name for name, _ in reading.documents}):
        for state in DOCUMENT_STATES:
            count = reading.documents.get((pipeline, state), 0)
            yield Sample("medkg_documents", (pipeline, state), count)
        since = reading.queued_since.get(pipeline, now)
        yield Sample("medkg_queue_oldest_seconds", (pipeline,), max(0.0, now - since))
    for state in UNFINISHED_JOBS:
        yield Sample("medkg_jobs", (state,), reading.jobs.get(state, 0))
    yield Sample("medkg_windows_in_work", (), reading.windows)
    yield Sample("medkg_leases", (), reading.leases)
    yield Sample("medkg_leases_expired", (), reading.expired)
    for (stage, code), count in sorted(reading.dead_letters.items()):
        yield Sample("medkg_dead_letters_waiting", (stage, code), count)
    for gate in reading.gates:
        labels = (gate.pipeline_name, gate.gate)
        yield Sample("medkg_gate_documents", labels, gate.documents)
        yield Sample("medkg_gate_oldest_seconds", labels, max(0.0, now - gate.since))
    for state, count in sorted(reading.pdf_tasks.items()):
        yield Sample("medkg_pdf_tasks", (state,), count)


def outbox_samples(outbox: OutboxLedger, now: float) -> Iterator[Sample]:
    """How full the outbox is, and how far its readers are behind."""
    state = outbox.state()
    yield Sample("medkg_outbox_facts", (), state.facts)
    for reader in state.readers:
        lag = max(0.0, now - reader.oldest_at) if reader.oldest_at is not None else 0.0
        yield Sample("medkg_outbox_behind_facts", (reader.name,), reader.behind)
        yield Sample("medkg_outbox_lag_seconds", (reader.name,), lag)
        yield Sample("medkg_outbox_dropped_total", (reader.name,), reader.dropped)


# --- host and Dagster -------------------------------------------------------------------------------


def host_samples(status: HostStatus | MedkgError) -> Iterator[Sample]:
    """Processes, workers, replicas and GPUs; of a host that does not answer, that alone."""
    if isinstance(status, MedkgError):
        yield Sample("medkg_host_up", (), 0)
        return
    yield Sample("medkg_host_up", (), 1)
    yield Sample("medkg_plane_ready", (status.profile,), status.plane == "ready")
    for child in status.children:
        yield Sample("medkg_process_up", (child.name,), child.state is ChildState.RUNNING)
        yield Sample("medkg_process_restarts_total", (child.name,), child.restarts)
    busy = sum(worker.get("run") is not None for worker in status.workers)
    yield Sample("medkg_window_workers", ("busy",), busy)
    yield Sample("medkg_window_workers", ("idle",), len(status.workers) - busy)
    pools = {pool: rows for pool, rows in status.plane_health.items() if isinstance(rows, Sequence)}
    for pool, replicas in sorted(pools.items()):
        faulty = sum(bool(replica.get("fault")) for replica in replicas)
        yield Sample("medkg_replicas", (pool, "healthy"), len(replicas) - faulty)
        yield Sample("medkg_replicas", (pool, "faulty"), faulty)
    yield from gpu_samples(pools)


def gpu_samples(pools: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Sample]:
    """Readings of each device, once, without unsupported ones, and the faults that replicas report."""
    devices: dict[str, Mapping[str, Any]] = {}
    for pool, replicas in sorted(pools.items()):
        with_devices = [replica for replica in replicas if replica.get("devices")]
        devices |= {str(device["index"]): device for each in with_devices for device in each["devices"]}
        if with_devices:
            yield Sample("medkg_gpu_fault", (pool,), any(replica.get("fault") for replica in with_devices))
    for gpu, device in sorted(devices.items()):
        used = (device["total_gib"] - device["free_gib"]) * GIB
        yield Sample("medkg_gpu_memory_bytes", (gpu,), device["total_gib"] * GIB)
        yield Sample("medkg_gpu_memory_used_bytes", (gpu,), used)
        for name, key in (
            ("medkg_gpu_utilisation_percent", "utilisation"),
            ("medkg_gpu_temperature_celsius", "temperature"),
            ("medkg_gpu_ecc_errors", "ecc_errors"),
        ):
            if device.get(key) is not None:
                yield Sample(name, (gpu,), device[key])
        for reason in device.get("slowed_by", ()):
            yield Sample("medkg_gpu_slowed", (gpu, reason), 1)


def tick_samples(ticks: DagsterTicks) -> Iterator[Sample]:
    """Last ticks of sensors and heartbeats of daemons."""
    for sensor, moment in sorted(ticks.sensors.items()):
        yield Sample("medkg_sensor_last_tick_timestamp_seconds", (sensor,), moment)
    for daemon, moment in sorted(ticks.daemons.items()):
        yield Sample("medkg_daemon_heartbeat_timestamp_seconds", (daemon,), moment)


# --- machine ----------------------------------------------------------------------------------------


def machine_samples(settings: Settings, stores: Mapping[str, int]) -> Iterator[Sample]:
    """Disks, sizes of stores, and the last backup and verification."""
    for disk, path in (("data", settings.data_dir), ("temporary", Path(tempfile.gettempdir()))):
        usage = shutil.disk_usage(path)
        yield Sample("medkg_disk_free_bytes", (disk,), usage.free)
        yield Sample("medkg_disk_size_bytes", (disk,), usage.total)
    for store, size in stores.items():
        yield Sample("medkg_store_bytes", (store,), size)
    checks: tuple[Check, ...] = ("backup", "verify")
    for check in checks:
        noted = last_check(settings.data_dir, check)
        if noted is not None and noted.succeeded_at is not None:
            yield Sample("medkg_last_success_timestamp_seconds", (check,), noted.succeeded_at)
        if noted is not None and check == "verify":
            yield Sample("medkg_verify_differences", (), noted.differences)


class StoreSizes:
    """Bytes of the stores of a data folder, measured again in a thread; no scrape waits for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sizes: Mapping[str, int] = {}
        self._due_at = 0.0
        self._guard = threading.Lock()

    def __call__(self) -> Mapping[str, int]:
        """As measured last; empty before that."""
        with self._guard:
            if time.monotonic() >= self._due_at:
                self._due_at = float("inf")
                threading.Thread(target=self._measure, name="store-sizes", daemon=True).start()
            return self._sizes

    def _measure(self) -> None:
        started = time.monotonic()
        try:
            sizes = _store_sizes(self._settings)
        except OSError as error:
            structlog.get_logger(__name__).warning("stores not measured", reason=str(error))
            sizes = {}
        took = time.monotonic() - started
        with self._guard:
            self._sizes = sizes
            self._due_at = time.monotonic() + max(FILES_KEPT_SECONDS, took * MEASURED_SHARE)


def _store_sizes(settings: Settings) -> dict[str, int]:
    """Bytes of the files of each store that lies in the data folder."""
    data = settings.data_dir
    paths = {
        "ledger": sorted(data.glob("ledger.sqlite*")),
        "search": [settings.search_dir],
        "documents": sorted(data.glob("documents.sqlite*")),
        "vectors": [settings.vectors_dir],
        "objects": [data / "objects"],
        "dagster": [settings.dagster_home],
        "logs": [settings.logs_dir],
    }
    return {name: sum(map(_size, of_store)) for name, of_store in paths.items()}


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; files that go meanwhile count nothing."""
    total = path.stat().st_size if path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total
