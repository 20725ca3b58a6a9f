"""All metrics of medkg: name, type, labels with bounded values, unit. Nothing else makes a metric.

Comes in: nothing. Leaves: `METRICS`, from which the exposition, docs/guides/metrics.md and the checks of
dashboards and rules are made. Names that begin with `dagster_` are fixed by the specification. A label never
has an id of a document, job, run or tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["LABELS", "METRICS", "MOST_SERIES", "OTHER", "RAY_METRICS", "Metric", "Source"]

Source: TypeAlias = Literal["facts", "ledger", "host", "dagster", "machine", "scrape"]

OTHER: Final = "other"
"""Value of a label for everything beyond MOST_SERIES."""

MOST_SERIES: Final = 500
"""Label combinations that one metric of the facts may have."""

SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
LONG_SECONDS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 86_400.0, 7 * 86_400.0)
SHORT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    """As Prometheus stores it, without `_bucket`, `_sum` and `_count` of a histogram."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    source: Source = "facts"
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its series in Prometheus."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


LABELS: Final[Mapping[str, str]] = {
    "check": "`backup` or `verify`",
    "code": "codes of errors.py",
    "daemon": "Dagster's daemons",
    "disk": "`data` or `temporary`",
    "gate": "gates of the topologies",
    "gpu": "NVML's number",
    "kind": "kinds of facts",
    "leg": "legs of the search, `rerank`, `identifiers`, and `total`",
    "outcome": "`committed`, `failed`, `skipped`, `handed-back`, `deleted`; "
    "of a stage `passed`, `reused`, `failed`",
    "part": "parts of a scrape",
    "pipeline": "topologies",
    "pool": "pools of the plane",
    "process": "child processes of the host",
    "profile": "profile of the plane",
    "reader": "sinks of the relay",
    "reason": "of a retry: code of errors.py; of a GPU: why its clocks are down",
    "resource": "names that `medkg status` shows",
    "sensor": "sensors of the code location",
    "stage": "stages of the topologies; of a breaker `pipeline/stage`, or `web`",
    "state": "states of documents, jobs, PDF tasks, breakers or replicas",
    "status": "of a job `succeeded`, `partial`, `failed`, `stalled`, `cancelled`; "
    "of a stage `success`, `partial`, `failed`",
    "store": "`ledger`, `search`, `documents`, `vectors`, `objects`, `dagster`, `logs`",
    "version": "version of medkg",
}
"""Closed sets that labels take their values from."""

FROM_FACTS: Final = (
    Metric(
        "dagster_job_duration_seconds",
        "histogram",
        "Seconds from the opening of a job to its end, or until it stalled.",
        ("pipeline", "status"),
        buckets=LONG_SECONDS,
    ),
    Metric(
        "dagster_stage_duration_seconds",
        "histogram",
        "Wall seconds of a stage for the documents of one window.",
        ("stage", "status"),
        buckets=SECONDS,
    ),
    Metric(
        "dagster_retry_attempts_total",
        "counter",
        "Failed attempts that others followed.",
        ("stage", "reason"),
    ),
    Metric(
        "dagster_circuit_breaker_state",
        "gauge",
        "Circuit breakers of the stage that are in this state, as last reported.",
        ("stage", "state"),
    ),
    Metric(
        "dagster_rate_limit_wait_seconds",
        "histogram",
        "Seconds that a call was held back by a rate limit.",
        ("stage",),
        buckets=SECONDS,
    ),
    Metric("medkg_facts_total", "counter", "Facts of the ledger that were counted.", ("kind",)),
    Metric(
        "medkg_documents_queued_total",
        "counter",
        "Documents that were queued for a window.",
        ("pipeline",),
    ),
    Metric(
        "medkg_documents_finished_total", "counter", "Documents by their outcome.", ("pipeline", "outcome")
    ),
    Metric("medkg_chunks_committed_total", "counter", "Chunks of committed documents.", ("pipeline",)),
    Metric("medkg_mentions_committed_total", "counter", "Mentions of committed documents.", ("pipeline",)),
    Metric("medkg_claims_committed_total", "counter", "Claims of committed documents.", ("pipeline",)),
    Metric("medkg_dead_letters_total", "counter", "Dead letters that were written.", ("stage", "code")),
    Metric("medkg_dead_letters_replayed_total", "counter", "Documents of replayed dead letters."),
    Metric(
        "medkg_stage_documents_total",
        "counter",
        "Documents that a stage passed on, reused or failed.",
        ("stage", "outcome"),
    ),
    Metric("medkg_stage_cpu_seconds_total", "counter", "CPU seconds of a stage.", ("stage",)),
    Metric(
        "medkg_stage_abandoned_total",
        "counter",
        "Batches for which a stage ended without an outcome.",
        ("stage", "code"),
    ),
    Metric("medkg_windows_claimed_total", "counter", "Windows that were claimed for a run.", ("pipeline",)),
    Metric(
        "medkg_gate_wait_seconds",
        "histogram",
        "Seconds that a document waited at a gate until it opened.",
        ("pipeline", "gate"),
        buckets=LONG_SECONDS,
    ),
    Metric("medkg_service_waits_total", "counter", "Waits for an unavailable service.", ("stage", "code")),
    Metric(
        "medkg_search_seconds", "histogram", "Seconds of a search, by leg.", ("leg",), buckets=SHORT_SECONDS
    ),
    Metric("medkg_search_degraded_total", "counter", "Searches without a leg.", ("leg",)),
    Metric(
        "medkg_resource_available",
        "gauge",
        "1 if a process, model, GPU, server or disk can be used, as last reported.",
        ("resource",),
    ),
)

FROM_LEDGER: Final = (
    Metric("medkg_documents", "gauge", "Documents by state.", ("pipeline", "state"), "ledger"),
    Metric("medkg_jobs", "gauge", "Unfinished jobs by state.", ("state",), "ledger"),
    Metric(
        "medkg_queue_oldest_seconds",
        "gauge",
        "Age of the document that has been queued longest.",
        ("pipeline",),
        "ledger",
    ),
    Metric("medkg_windows_in_work", "gauge", "Windows with leased or reserved documents.", (), "ledger"),
    Metric("medkg_leases", "gauge", "Documents that are leased or reserved.", (), "ledger"),
    Metric("medkg_leases_expired", "gauge", "Of these, documents whose lease has ended.", (), "ledger"),
    Metric(
        "medkg_dead_letters_waiting",
        "gauge",
        "Dead letters that were not replayed.",
        ("stage", "code"),
        "ledger",
    ),
    Metric("medkg_gate_documents", "gauge", "Documents that wait at a gate.", ("pipeline", "gate"), "ledger"),
    Metric(
        "medkg_gate_oldest_seconds",
        "gauge",
        "Seconds that the longest-waiting document has waited at the gate.",
        ("pipeline", "gate"),
        "ledger",
    ),
    Metric("medkg_pdf_tasks", "gauge", "Conversions of PDFs by state.", ("state",), "ledger"),
    Metric("medkg_outbox_facts", "gauge", "Facts that the outbox holds.", (), "ledger"),
    Metric("medkg_outbox_behind_facts", "gauge", "Facts that a reader has not had.", ("reader",), "ledger"),
    Metric(
        "medkg_outbox_lag_seconds",
        "gauge",
        "Age of the oldest fact that a reader has not had; 0: none.",
        ("reader",),
        "ledger",
    ),
    Metric(
        "medkg_outbox_dropped_total",
        "counter",
        "Facts that were removed before a reader had them.",
        ("reader",),
        "ledger",
    ),
)

FROM_HOST: Final = (
    Metric("medkg_host_up", "gauge", "1 if the data folder's host answers.", (), "host"),
    Metric("medkg_plane_ready", "gauge", "1 if the plane has loaded its models.", ("profile",), "host"),
    Metric("medkg_process_up", "gauge", "1 if a child process of the host runs.", ("process",), "host"),
    Metric(
        "medkg_process_restarts_total",
        "counter",
        "How often a child process ended by itself since the host started.",
        ("process",),
        "host",
    ),
    Metric("medkg_window_workers", "gauge", "Window workers, `busy` or `idle`.", ("state",), "host"),
    Metric(
        "medkg_replicas", "gauge", "Replicas of a pool, `healthy` or `faulty`.", ("pool", "state"), "host"
    ),
    Metric("medkg_gpu_utilisation_percent", "gauge", "Time with a kernel running.", ("gpu",), "host"),
    Metric("medkg_gpu_memory_used_bytes", "gauge", "Memory in use.", ("gpu",), "host"),
    Metric("medkg_gpu_memory_bytes", "gauge", "Memory of the device.", ("gpu",), "host"),
    Metric("medkg_gpu_temperature_celsius", "gauge", "Temperature.", ("gpu",), "host"),
    Metric(
        "medkg_gpu_slowed", "gauge", "1 for each reason why its clocks are down.", ("gpu", "reason"), "host"
    ),
    Metric(
        "medkg_gpu_ecc_errors",
        "gauge",
        "Uncorrected memory errors since the driver was loaded.",
        ("gpu",),
        "host",
    ),
    Metric("medkg_gpu_fault", "gauge", "1 if a replica reports that the GPU has a fault.", ("pool",), "host"),
)

FROM_DAGSTER: Final = (
    Metric(
        "medkg_sensor_last_tick_timestamp_seconds",
        "gauge",
        "When a sensor ticked last.",
        ("sensor",),
        "dagster",
    ),
    Metric(
        "medkg_daemon_heartbeat_timestamp_seconds",
        "gauge",
        "Last heartbeat of one of Dagster's daemons.",
        ("daemon",),
        "dagster",
    ),
)

FROM_MACHINE: Final = (
    Metric("medkg_disk_free_bytes", "gauge", "Free space of the disk.", ("disk",), "machine"),
    Metric("medkg_disk_size_bytes", "gauge", "Size of the disk.", ("disk",), "machine"),
    Metric("medkg_store_bytes", "gauge", "Size of a store's files.", ("store",), "machine"),
    Metric(
        "medkg_last_success_timestamp_seconds",
        "gauge",
        "When a backup or a verification without differences ended last.",
        ("check",),
        "machine",
    ),
    Metric(
        "medkg_verify_differences",
        "gauge",
        "Differences of stores that the last verification left.",
        (),
        "machine",
    ),
)

FROM_SCRAPE: Final = (
    Metric("medkg_build_info", "gauge", "1, with the version.", ("version",), "scrape"),
    Metric(
        "medkg_scrape_part_up", "gauge", "1 if this part of the scrape could be read.", ("part",), "scrape"
    ),
    Metric("medkg_scrape_part_seconds", "gauge", "Seconds that reading this part took.", ("part",), "scrape"),
)

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (*FROM_FACTS, *FROM_LEDGER, *FROM_HOST, *FROM_DAGSTER, *FROM_MACHINE, *FROM_SCRAPE)
}
"""By name, in the order of the documentation."""

RAY_METRICS: Final = (
    "ray_medkg_in_flight",
    "ray_medkg_micro_batches_total",
    "ray_medkg_tokens_total",
    "ray_medkg_batch_tokens_bucket",
    "ray_medkg_wait_seconds_bucket",
    "ray_medkg_compute_seconds_bucket",
    "ray_medkg_gpu_utilisation",
    "ray_medkg_gpu_free_gib",
    "ray_medkg_gpu_temperature",
    "ray_medkg_gpu_ecc_errors",
)
"""Series of the plane (gpu_actors/health/metrics.py), which Ray serves on its own addresses."""
