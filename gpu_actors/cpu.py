"""What this machine's CPU offers a model: cores, and matrix products in bf16. Imports nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cores", "has_bf16"]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (Linux's flags in /proc/cpuinfo)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
