"""How busy the GPUs of this machine were since a moment, from the samples that the driver keeps.

Comes in: a moment. Leaves: `GpuUse` records; none where NVML is missing. Nothing runs in between: the driver
samples by itself, several times per second, and keeps the last ones, about 15 seconds of them on data-centre
GPUs. For a longer time the figures are those of its end. Source: NVIDIA Management Library API reference,
nvmlDeviceGetSamples.
"""

from __future__ import annotations

from typing import Any

from gpu_actors.health.gpu import Gpu, handles_of, nvml_session, read_gpu
from orchestration.contracts import GpuUse
from orchestration.errors import GpuUnavailableError

__all__ = ["gpu_use"]

MICROSECONDS = 1_000_000


def gpu_use(since: float) -> list[GpuUse]:
    """Return the use of each visible GPU since `since`, seconds since the epoch; [] if NVML finds none.

    A device without samples (a partition, an old driver) has the driver's last reading; one without that is
    left out.
    """
    try:
        with nvml_session() as nvml:
            used = [_use(nvml, handle, read_gpu(nvml, handle), since) for handle in handles_of(nvml)]
    except GpuUnavailableError:
        return []
    return [each for each in used if each is not None]


def _use(nvml: Any, handle: Any, gpu: Gpu, since: float) -> GpuUse | None:
    percents = _samples(nvml, handle, since)
    if not percents and gpu.utilisation is not None:
        percents = [gpu.utilisation]
    if not percents:
        return None
    return GpuUse(
        index=gpu.index,
        uuid=gpu.uuid,
        name=gpu.name,
        mean_percent=round(sum(percents) / len(percents), 1),
        peak_percent=max(percents),
        used_gib=round(max(0.0, gpu.total_gib - gpu.free_gib), 1),
    )


def _samples(nvml: Any, handle: Any, since: float) -> list[int]:
    """Utilisation in percent of each period since then; [] where the device has no samples."""
    try:
        _, samples = nvml.nvmlDeviceGetSamples(
            handle, nvml.NVML_GPU_UTILIZATION_SAMPLES, int(since * MICROSECONDS)
        )
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_NotFound, nvml.NVMLError_FunctionNotFound):
        return []
    return [int(sample.sampleValue.uiVal) for sample in samples]
