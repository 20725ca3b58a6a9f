"""Panels of the dashboard Medical_KG_Dagster_Overview, by row: what each shows, by which queries."""

from __future__ import annotations

from typing import Final

from ops.observability.panels import Panel, Query, rate_by

__all__ = ["OVERVIEW"]

OVERVIEW: Final[dict[str, tuple[Panel, ...]]] = {
    "Throughput": (
        Panel(
            "Documents per second by pipeline",
            (
                Query(
                    rate_by("medkg_documents_finished_total", "pipeline, outcome"),
                    "{{pipeline}} {{outcome}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Chunks, mentions and claims per second",
            tuple(
                Query(f"sum(rate(medkg_{what}_committed_total[$__rate_interval]))", what)
                for what in ("chunks", "mentions", "claims")
            ),
            "ops",
        ),
        Panel(
            "Documents queued and windows claimed per second",
            (
                Query(rate_by("medkg_documents_queued_total", "pipeline"), "{{pipeline}} queued"),
                Query(rate_by("medkg_windows_claimed_total", "pipeline"), "{{pipeline}} windows"),
            ),
            "ops",
        ),
        Panel(
            "Jobs that ended, by status",
            (
                Query(
                    "sum by (pipeline, status) (increase(dagster_job_duration_seconds_count[$__range]))",
                    "{{pipeline}} {{status}}",
                ),
            ),
            kind="stat",
        ),
        Panel(
            "Duration of jobs, P95",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, pipeline)"
                    " (increase(dagster_job_duration_seconds_bucket[$__range])))",
                    "{{pipeline}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Facts counted per second",
            (Query(rate_by("medkg_facts_total", "kind"), "{{kind}}"),),
            "ops",
        ),
    ),
    "Stages": (
        *(
            Panel(
                f"Duration of stages, P{percent}",
                (
                    Query(
                        f"histogram_quantile(0.{percent}, sum by (le, stage)"
                        " (increase(dagster_stage_duration_seconds_bucket[$__range])))",
                        "{{stage}}",
                    ),
                ),
                "s",
                description="Seconds for one window.",
            )
            for percent in (50, 95, 99)
        ),
        Panel(
            "Documents per second by stage",
            (Query(rate_by("medkg_stage_documents_total", "stage, outcome"), "{{stage}} {{outcome}}"),),
            "ops",
        ),
        Panel(
            "CPU seconds per second by stage",
            (Query(rate_by("medkg_stage_cpu_seconds_total", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Retries by stage",
            (Query(rate_by("dagster_retry_attempts_total", "stage, reason"), "{{stage}} {{reason}}"),),
            "ops",
            rare=True,
        ),
        Panel(
            "Circuit breakers that are not closed",
            (
                Query(
                    'sum by (stage, state) (dagster_circuit_breaker_state{state!="closed"})',
                    "{{stage}} {{state}}",
                ),
            ),
            rare=True,
        ),
        Panel(
            "Waits: rate limits (seconds per second), unavailable services and abandoned batches",
            (
                Query(rate_by("dagster_rate_limit_wait_seconds_sum", "stage"), "{{stage}} rate limit"),
                Query(rate_by("medkg_service_waits_total", "stage, code"), "{{stage}} {{code}}"),
                Query(rate_by("medkg_stage_abandoned_total", "stage, code"), "{{stage}} abandoned {{code}}"),
            ),
            rare=True,
        ),
    ),
    "Ledger": (
        Panel(
            "Documents by state",
            (Query("sum by (pipeline, state) (medkg_documents)", "{{pipeline}} {{state}}"),),
        ),
        Panel(
            "Unfinished jobs",
            (Query("sum by (state) (medkg_jobs)", "{{state}}"),),
        ),
        Panel(
            "Age of the queue",
            (Query("max by (pipeline) (medkg_queue_oldest_seconds)", "{{pipeline}}"),),
            "s",
        ),
        Panel(
            "Windows in work, leases",
            (
                Query("sum(medkg_windows_in_work)", "windows"),
                Query("sum(medkg_leases)", "documents leased"),
                Query("sum(medkg_leases_expired)", "lease ended"),
            ),
        ),
        Panel(
            "Dead letters that wait",
            (Query("sum by (stage, code) (medkg_dead_letters_waiting)", "{{stage}} {{code}}"),),
            kind="table",
        ),
        Panel(
            "Dead letters written and replayed",
            (
                Query("sum by (stage, code) (medkg_dead_letters_total)", "{{stage}} {{code}}"),
                Query("sum(medkg_dead_letters_replayed_total) or vector(0)", "replayed"),
            ),
        ),
        Panel(
            "Documents at gates and conversions of PDFs",
            (
                Query("sum by (pipeline, gate) (medkg_gate_documents)", "{{pipeline}} {{gate}}"),
                Query("sum by (state) (medkg_pdf_tasks)", "conversions {{state}}"),
            ),
            rare=True,
        ),
        Panel(
            "Waiting at gates: longest now, P95 of those that passed",
            (
                Query("max by (pipeline, gate) (medkg_gate_oldest_seconds)", "{{gate}} now"),
                Query(
                    "histogram_quantile(0.95, sum by (le, gate)"
                    " (increase(medkg_gate_wait_seconds_bucket[$__range])))",
                    "{{gate}} P95",
                ),
            ),
            "s",
            rare=True,
        ),
        Panel(
            "Outbox: facts that readers have not had",
            (
                Query("max by (reader) (medkg_outbox_behind_facts)", "{{reader}}"),
                Query("max(medkg_outbox_facts)", "in the outbox"),
            ),
        ),
        Panel(
            "Outbox: age of what readers have not had",
            (Query("max by (reader) (medkg_outbox_lag_seconds)", "{{reader}}"),),
            "s",
        ),
        Panel(
            "Outbox: facts dropped before a reader had them",
            (Query("sum by (reader) (medkg_outbox_dropped_total)", "{{reader}}"),),
        ),
    ),
    "Processes": (
        Panel(
            "Sensors: seconds since the last tick",
            (Query("time() - max by (sensor) (medkg_sensor_last_tick_timestamp_seconds)", "{{sensor}}"),),
            "s",
        ),
        Panel(
            "Daemons: seconds since the last heartbeat",
            (Query("time() - max by (daemon) (medkg_daemon_heartbeat_timestamp_seconds)", "{{daemon}}"),),
            "s",
        ),
        Panel(
            "Host, plane and child processes that run",
            (
                Query("min(medkg_host_up)", "host"),
                Query("min by (profile) (medkg_plane_ready)", "plane {{profile}}"),
                Query("min by (process) (medkg_process_up)", "{{process}}"),
            ),
            kind="stat",
        ),
        Panel(
            "Restarts of child processes",
            (Query("sum by (process) (medkg_process_restarts_total)", "{{process}}"),),
        ),
        Panel(
            "Window workers",
            (Query("sum by (state) (medkg_window_workers)", "{{state}}"),),
        ),
        Panel(
            "Resources that cannot be used",
            (Query("min by (resource) (medkg_resource_available) == 0", "{{resource}}"),),
            rare=True,
        ),
    ),
    "Plane and GPU": (
        Panel(
            "Replicas",
            (Query("sum by (pool, state) (medkg_replicas)", "{{pool}} {{state}}"),),
        ),
        Panel(
            "Queues: micro-batches in flight",
            (Query("sum by (pool) (ray_medkg_in_flight)", "{{pool}}"),),
        ),
        Panel(
            "Micro-batches and tokens per second",
            (
                Query(rate_by("ray_medkg_micro_batches_total", "pool"), "{{pool}} micro-batches"),
                Query(rate_by("ray_medkg_tokens_total", "pool"), "{{pool}} tokens"),
            ),
            "ops",
        ),
        Panel(
            "Micro-batches: P95 of wait and of computing",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, pool)"
                    " (increase(ray_medkg_wait_seconds_bucket[$__range])))",
                    "{{pool}} wait",
                ),
                Query(
                    "histogram_quantile(0.95, sum by (le, pool)"
                    " (increase(ray_medkg_compute_seconds_bucket[$__range])))",
                    "{{pool}} compute",
                ),
            ),
            "s",
        ),
        Panel(
            "Tokens of a micro-batch, median",
            (
                Query(
                    "histogram_quantile(0.5, sum by (le, pool)"
                    " (increase(ray_medkg_batch_tokens_bucket[$__range])))",
                    "{{pool}}",
                ),
            ),
        ),
        Panel(
            "GPU utilisation",
            (Query("max by (gpu) (medkg_gpu_utilisation_percent)", "GPU {{gpu}}"),),
            "percent",
            rare=True,
        ),
        Panel(
            "GPU memory",
            (
                Query("max by (gpu) (medkg_gpu_memory_used_bytes)", "GPU {{gpu}} used"),
                Query("max by (gpu) (medkg_gpu_memory_bytes)", "GPU {{gpu}}"),
            ),
            "bytes",
            rare=True,
        ),
        Panel(
            "GPU temperature",
            (Query("max by (gpu) (medkg_gpu_temperature_celsius)", "GPU {{gpu}}"),),
            "celsius",
            rare=True,
        ),
        Panel(
            "GPU faults: slowed, memory errors, fault of a replica",
            (
                Query("max by (gpu, reason) (medkg_gpu_slowed)", "GPU {{gpu}} {{reason}}"),
                Query("max by (gpu) (medkg_gpu_ecc_errors)", "GPU {{gpu}} memory errors"),
                Query("max by (pool) (medkg_gpu_fault)", "{{pool}} fault"),
            ),
            rare=True,
        ),
    ),
    "Search and machine": (
        Panel(
            "Latency of searches, P95 by leg",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, leg)"
                    " (increase(medkg_search_seconds_bucket[$__range])))",
                    "{{leg}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Searches per second, and without a leg",
            (
                Query('sum(rate(medkg_search_seconds_count{leg="total"}[$__rate_interval]))', "searches"),
                Query(
                    "sum by (leg) (rate(medkg_search_degraded_total[$__rate_interval]))", "without {{leg}}"
                ),
            ),
            "ops",
        ),
        Panel(
            "Size of stores",
            (Query("max by (store) (medkg_store_bytes)", "{{store}}"),),
            "bytes",
        ),
        Panel(
            "Free space",
            (Query("min by (disk) (medkg_disk_free_bytes / medkg_disk_size_bytes)", "{{disk}}"),),
            "percentunit",
        ),
        Panel(
            "Since the last backup and the last verification without differences",
            (Query("time() - max by (check) (medkg_last_success_timestamp_seconds)", "{{check}}"),),
            "s",
            kind="stat",
        ),
        Panel(
            "Differences between stores that the last verification left",
            (Query("max(medkg_verify_differences)", "differences"),),
            kind="stat",
        ),
        Panel(
            "Cost of a scrape",
            (Query("max by (part) (medkg_scrape_part_seconds)", "{{part}}"),),
            "s",
        ),
        Panel(
            "Parts of the scrape that can be read",
            (Query("min by (part) (medkg_scrape_part_up)", "{{part}}"),),
            kind="stat",
        ),
        Panel("Version", (Query("max by (version) (medkg_build_info)", "{{version}}"),), kind="stat"),
    ),
}
