"""GPU health by NVML: is there a device fit for a profile? If not, an error; never another device.

Source: NVIDIA Management Library API reference (nvmlDeviceGetCudaComputeCapability and its neighbours).
"""

from __future__ import annotations

from typing import Any, Final

from gpu_actors.profiles import Profile
from orchestration.errors import GpuUnavailableError

__all__ = ["preflight"]

LEAST_CAPABILITY: Final = (7, 0)
THROTTLED: Final = 0x0000_00E8
"""Hardware slowdown, software and hardware thermal slowdown, power brake (nvmlClocksEventReasons)."""

GIB: Final = 2**30


def preflight(profile: Profile) -> list[dict[str, Any]]:
    """Check every GPU for the profile; returns what was found, [] for a profile without one.

    Raises GpuUnavailableError (exit code 99) when no GPU is fit, naming each one's fault.
    """
    if profile.device != "cuda":
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise GpuUnavailableError(
            f"profile {profile.name} needs an NVIDIA GPU, but NVML says: {error}. Install the driver or run "
            "on a machine with a GPU; `--profile cpu` runs small models without one."
        ) from error
    try:
        found = [_device(pynvml, index, profile) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()
    if not any(device["fault"] is None for device in found):
        faults = "; ".join(f"GPU {device['index']} {device['name']}: {device['fault']}" for device in found)
        raise GpuUnavailableError(
            f"profile {profile.name} has no usable GPU ({faults or 'none is present'}). Free or mend one, or "
            "choose `--profile cpu`."
        )
    return found


def _device(nvml: Any, index: int, profile: Profile) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    capability = tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle))
    free_gib = nvml.nvmlDeviceGetMemoryInfo(handle).free / GIB
    return {
        "index": index,
        "name": nvml.nvmlDeviceGetName(handle),
        "compute_capability": capability,
        "free_gib": round(free_gib, 1),
        "fault": _fault(nvml, handle, capability, free_gib, profile),
    }


def _fault(
    nvml: Any, handle: Any, capability: tuple[int, ...], free_gib: float, profile: Profile
) -> str | None:
    if capability < LEAST_CAPABILITY:
        return f"compute capability {capability[0]}.{capability[1]} is below 7.0"
    if free_gib < profile.min_free_gib:
        return f"{free_gib:.1f} GiB free, {profile.min_free_gib:g} needed"
    if uncorrected := _uncorrected_errors(nvml, handle):
        return f"{uncorrected} uncorrected ECC errors since the driver was loaded"
    if nvml.nvmlDeviceGetCurrentClocksEventReasons(handle) & THROTTLED:
        return "it is throttled (heat or power)"
    return None


def _uncorrected_errors(nvml: Any, handle: Any) -> int:
    """Volatile uncorrected ECC errors; 0 on a device without ECC memory."""
    try:
        count = nvml.nvmlDeviceGetTotalEccErrors(
            handle, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        )
    except nvml.NVMLError_NotSupported:
        return 0
    return int(count)
