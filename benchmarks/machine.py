"""What was measured on: processor, memory, GPUs, load and versions."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from gpu_actors.plane import gpus

__all__ = ["hardware", "versions"]

PACKAGES: Final = (
    "medkg",
    "torch",
    "vllm",
    "ray",
    "dagster",
    "sentence-transformers",
    "haystack-ai",
    "numpy",
    "faiss-cpu",
)


def hardware() -> dict[str, Any]:
    """Processor, cores, memory, GPUs, and how busy the machine was before."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [f"{gpu['name']}, {gpu['total_gib']:g} GiB" for gpu in gpus()],
        "load_before": round(psutil.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter, those that are installed."""
    versions_by_package = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions_by_package[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions_by_package


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
