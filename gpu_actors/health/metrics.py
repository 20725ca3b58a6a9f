"""The plane's metrics in Ray: queues, batches, waits, compute and GPUs, by pool.

Input: single observations, from clients and replicas. Output: Prometheus metrics `ray_medkg_...` at every
node's metrics port, which the Ray dashboard's own Prometheus and Grafana settings already scrape.
Source: https://docs.ray.io/en/latest/ray-observability/user-guides/add-app-metrics.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ray.util.metrics import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from gpu_actors.health.gpu import Gpu

__all__ = ["in_flight", "micro_batch", "readings"]

SECONDS: Final = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
TOKENS: Final = [128.0 * 2**power for power in range(12)]

POOL: Final = ("pool",)
DEVICE: Final = ("pool", "gpu")

_IN_FLIGHT = Gauge("medkg_in_flight", "Micro-batches sent and not answered, by client.", POOL)
_MICRO_BATCHES = Counter("medkg_micro_batches", "Micro-batches computed.", POOL)
_TOKENS = Counter("medkg_tokens", "Tokens computed, padding not included.", POOL)
_BATCH_TOKENS = Histogram("medkg_batch_tokens", "Tokens of a micro-batch.", TOKENS, POOL)
_WAIT = Histogram("medkg_wait_seconds", "From the sending of a micro-batch to its start.", SECONDS, POOL)
_COMPUTE = Histogram("medkg_compute_seconds", "From the start of a micro-batch to its end.", SECONDS, POOL)
_GPU_BUSY = Gauge("medkg_gpu_utilisation", "Percent of time in which a kernel ran.", DEVICE)
_GPU_FREE = Gauge("medkg_gpu_free_gib", "Free memory, GiB.", DEVICE)
_GPU_HEAT = Gauge("medkg_gpu_temperature", "Degrees Celsius.", DEVICE)
_GPU_ERRORS = Gauge("medkg_gpu_ecc_errors", "Uncorrected memory errors since the driver was loaded.", DEVICE)


def in_flight(pool: str, count: int) -> None:
    """Set the number of micro-batches that this client has at a pool: its queue."""
    _IN_FLIGHT.set(count, tags={"pool": pool})


def micro_batch(pool: str, tokens: int, wait_seconds: float, compute_seconds: float) -> None:
    """Count a micro-batch that a replica has computed."""
    tags = {"pool": pool}
    _MICRO_BATCHES.inc(1, tags=tags)
    _TOKENS.inc(max(1, tokens), tags=tags)
    _BATCH_TOKENS.observe(tokens, tags=tags)
    _WAIT.observe(max(0.0, wait_seconds), tags=tags)  # clocks of two nodes may differ
    _COMPUTE.observe(compute_seconds, tags=tags)


def readings(pool: str, gpus: Sequence[Gpu]) -> None:
    """Set the readings of a replica's devices; those that a device does not support are left out."""
    for gpu in gpus:
        tags = {"pool": pool, "gpu": str(gpu.index)}
        for gauge, value in (
            (_GPU_BUSY, gpu.utilisation),
            (_GPU_FREE, gpu.free_gib),
            (_GPU_HEAT, gpu.temperature),
            (_GPU_ERRORS, gpu.ecc_errors),
        ):
            if value is not None:
                gauge.set(value, tags=tags)
