"""GPU health by NVML: the check of a device before a model is loaded, its watch afterwards, its readings.

Input: a profile's needs, or nothing. Output: `Gpu` records with a fault in words or none. `preflight` runs
before a model is loaded, `Watch` while it serves. A reading that a device does not support (ECC, virtual and
partitioned GPUs) is None and no fault. A GPU with a fault is an error; no other device is used instead.
Source: NVIDIA Management Library API reference (device queries, event handling, clocks event reasons), and
NVIDIA's Xid catalogue for the meaning of numbers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, Protocol, TypeVar

from pydantic import Field

from orchestration.errors import GpuUnavailableError
from orchestration.records import Record

__all__ = [
    "DeviceNeeds",
    "Gpu",
    "Watch",
    "check_devices",
    "gpus",
    "handles_of",
    "nvml_session",
    "preflight",
    "read_gpu",
    "visible_gpus",
]

T = TypeVar("T")
GIB: Final = 2**30
LEAST_CAPABILITY: Final = (7, 0)

REASONS: Final = {
    0x0000_0004: "power cap",
    0x0000_0008: "hardware slowdown",
    0x0000_0020: "heat (driver)",
    0x0000_0040: "heat (hardware)",
    0x0000_0080: "power brake",
}
"""Clocks event reasons that slow a busy device, by bit; the others are idleness and settings."""

ALARMING: Final = frozenset({"hardware slowdown", "heat (driver)", "heat (hardware)", "power brake"})
"""Reasons that prevent a model from being loaded; a power cap is normal."""

HARMLESS_XIDS: Final = frozenset({13, 31, 43, 45, 68, 137})
"""Faults of a program, which ends it; the device continues to work."""

ALARMS_FOR_FAULT: Final = 3
"""Consecutive readings with an alarming reason that make a fault, since heat is often temporary."""


class DeviceNeeds(Protocol):
    """The part of a profile that the check of its devices reads."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> Literal["cpu", "cuda"]: ...

    @property
    def min_free_gib(self) -> float:
        """GPU memory that must be free, GiB."""
        ...


class Gpu(Record):
    """One device at one moment."""

    index: int = Field(description="NVML's number, in PCI order.")
    uuid: str = Field(description="Identifies the device across reboots.")
    name: str = Field(description="Product.")
    compute_capability: tuple[int, int] = Field(description="Major and minor.")
    total_gib: float = Field(description="Memory, GiB.")
    free_gib: float = Field(description="Unused memory, GiB.")
    utilisation: int | None = Field(description="Percent of the last period with a kernel running.")
    temperature: int | None = Field(description="Degrees Celsius.")
    slowed_by: tuple[str, ...] = Field(description="Why its clocks are down.")
    ecc_errors: int | None = Field(description="Uncorrected memory errors since the driver was loaded.")
    fault: str | None = Field(default=None, description="Why no model may use it, in words.")


def preflight(profile: DeviceNeeds) -> list[Gpu]:
    """Check every GPU that this process may use for the profile; [] for a profile without one.

    Raises GpuUnavailableError (exit code 99) when none is fit, naming each one's fault.
    """
    if profile.device != "cuda":
        return []
    try:
        devices = [_checked(gpu, profile.min_free_gib) for gpu in visible_gpus()]
    except GpuUnavailableError as error:
        raise GpuUnavailableError(
            f"profile {profile.name} needs an NVIDIA GPU, but {error.message} `--profile cpu` runs small "
            "models without one."
        ) from error
    if all(gpu.fault for gpu in devices):
        faults = "; ".join(f"GPU {gpu.index} {gpu.name}: {gpu.fault}" for gpu in devices)
        raise GpuUnavailableError(
            f"profile {profile.name} has no usable GPU ({faults or 'none is present'}). Free or repair one, "
            "or choose `--profile cpu`."
        )
    return devices


def check_devices(profile: DeviceNeeds) -> list[dict[str, Any]]:
    """Return the GPUs a profile can use, as plain values; [] for cpu. Raises GpuUnavailableError."""
    return [gpu.model_dump() for gpu in preflight(profile)]


def gpus() -> list[dict[str, Any]]:
    """Return the GPUs of this machine, for any profile; [] if NVML finds none."""
    try:
        return [gpu.model_dump() for gpu in visible_gpus()]
    except GpuUnavailableError:
        return []


def visible_gpus() -> list[Gpu]:
    """Return the GPUs that this process may use, as they are now; raises GpuUnavailableError without NVML."""
    with nvml_session() as nvml:
        return [read_gpu(nvml, handle) for handle in handles_of(nvml)]


class Watch:
    """Watches this process's GPUs until it is closed; `fault` is the current fault in words, or None.

    A fault ends when the readings are good again; one from which a device does not recover (a critical Xid, a
    lost device, uncorrected memory errors) is permanent.
    """

    def __init__(
        self,
        seconds: float = 10.0,
        on_fault: Callable[[str], None] | None = None,
        on_readings: Callable[[Sequence[Gpu]], None] | None = None,
    ) -> None:
        """Start the thread, which reads every `seconds` and calls back on each new fault and each reading."""
        self.fault: str | None = None
        self._permanent = False
        self._alarms = 0
        self._seconds = seconds
        self._on_fault = on_fault
        self._on_readings = on_readings
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gpu-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; returns when it has ended."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            with nvml_session() as nvml:
                handles = handles_of(nvml)
                events = _events(nvml, handles)
                while not self._ended.is_set():
                    self._take(_xid(nvml, events, self._ended, self._seconds), permanent=True)
                    self._take_readings([read_gpu(nvml, handle) for handle in handles])
        except GpuUnavailableError as error:  # the device is lost, or the driver is gone
            self._take(error.message, permanent=True)

    def _take_readings(self, gpus: Sequence[Gpu]) -> None:
        if self._on_readings is not None:
            self._on_readings(gpus)
        errors = [f"GPU {gpu.index}: {_ecc_fault(gpu)}" for gpu in gpus if gpu.ecc_errors]
        slowed = [f"GPU {gpu.index}: {_slow_fault(gpu)}" for gpu in gpus if ALARMING & set(gpu.slowed_by)]
        self._alarms = self._alarms + 1 if slowed else 0
        if errors:
            self._take(errors[0], permanent=True)
        elif self._alarms >= ALARMS_FOR_FAULT:
            self._take(slowed[0])
        elif not slowed and not self._permanent:
            self.fault = None

    def _take(self, fault: str | None, *, permanent: bool = False) -> None:
        if fault is None or self._permanent:
            return
        new = fault != self.fault
        self.fault, self._permanent = fault, permanent
        if new and self._on_fault is not None:
            self._on_fault(fault)


# --- reading ----------------------------------------------------------------------------------------


@contextmanager
def nvml_session() -> Iterator[Any]:
    """NVML, initialised; its errors as GpuUnavailableError."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise GpuUnavailableError(
            f"NVML reports: {error}. Install NVIDIA's driver, or run on a machine with a GPU."
        ) from error
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise GpuUnavailableError(f"NVML reports: {error}. The GPU or its driver has a fault.") from error
    finally:
        pynvml.nvmlShutdown()


def handles_of(nvml: Any) -> list[Any]:
    """Devices of CUDA_VISIBLE_DEVICES (numbers, or UUIDs of GPUs and MIG devices), else all."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return [_named(nvml, name.strip()) for name in chosen.split(",") if name.strip()]


def _named(nvml: Any, name: str) -> Any:
    """The device of one name in CUDA_VISIBLE_DEVICES; raises GpuUnavailableError when there is none."""
    try:
        if name.isdigit():
            return nvml.nvmlDeviceGetHandleByIndex(int(name))
        return nvml.nvmlDeviceGetHandleByUUID(name)
    except (nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument) as error:
        raise GpuUnavailableError(
            f"CUDA_VISIBLE_DEVICES names {name!r}, and NVML knows no such GPU ({error}). Set it to numbers "
            "or whole UUIDs from `nvidia-smi -L`, or unset it."
        ) from error


def read_gpu(nvml: Any, handle: Any) -> Gpu:
    """One device as it is now."""
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    reasons = _supported(nvml, nvml.nvmlDeviceGetCurrentClocksEventReasons, handle) or 0
    rates = _supported(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    return Gpu(
        index=nvml.nvmlDeviceGetIndex(handle),
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        compute_capability=tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle)),
        total_gib=round(memory.total / GIB, 1),
        free_gib=round(memory.free / GIB, 1),
        utilisation=rates.gpu if rates is not None else None,
        temperature=_supported(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        slowed_by=tuple(reason for bit, reason in REASONS.items() if reasons & bit),
        ecc_errors=_supported(
            nvml,
            nvml.nvmlDeviceGetTotalEccErrors,
            handle,
            nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            nvml.NVML_VOLATILE_ECC,
        ),
    )


def _supported(nvml: Any, query: Callable[..., T], *arguments: Any) -> T | None:
    """The result of a query; None if the device does not support or permit it."""
    try:
        return query(*arguments)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission, nvml.NVMLError_FunctionNotFound):
        return None


def _events(nvml: Any, handles: Sequence[Any]) -> Any:
    """An event set of critical Xid errors; None if no device supports them."""
    events = nvml.nvmlEventSetCreate()

    def register(handle: Any) -> bool:
        nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, events)
        return True

    registered = [_supported(nvml, register, handle) for handle in handles]
    return events if any(registered) else None


def _xid(nvml: Any, events: Any, ended: threading.Event, seconds: float) -> str | None:
    """Wait `seconds`, or until a critical Xid error; returns it in words, or None."""
    if events is None:
        ended.wait(seconds)
        return None
    try:
        event = nvml.nvmlEventSetWait_v2(events, int(seconds * 1000))
    except nvml.NVMLError_Timeout:
        return None
    if event.eventData in HARMLESS_XIDS:
        return None
    index = nvml.nvmlDeviceGetIndex(event.device)
    return f"GPU {index}: Xid {event.eventData}, see `dmesg` and NVIDIA's Xid catalogue; it may need a reset"


# --- checking ---------------------------------------------------------------------------------------


def _checked(gpu: Gpu, min_free_gib: float) -> Gpu:
    return gpu.model_copy(update={"fault": _fault(gpu, min_free_gib)})


def _fault(gpu: Gpu, min_free_gib: float) -> str | None:
    """Why no model may be loaded on it."""
    if gpu.compute_capability < LEAST_CAPABILITY:
        return f"compute capability {'.'.join(map(str, gpu.compute_capability))} is below 7.0"
    if gpu.free_gib < min_free_gib:
        return f"{gpu.free_gib:.1f} GiB free, {min_free_gib:g} needed"
    if gpu.ecc_errors:
        return _ecc_fault(gpu)
    if ALARMING & set(gpu.slowed_by):
        return _slow_fault(gpu)
    return None


def _ecc_fault(gpu: Gpu) -> str:
    return f"{gpu.ecc_errors} uncorrected ECC errors since the driver was loaded"


def _slow_fault(gpu: Gpu) -> str:
    at = f" at {gpu.temperature} °C" if gpu.temperature is not None else ""
    return f"it is slowed down by {' and '.join(sorted(ALARMING & set(gpu.slowed_by)))}{at}"
