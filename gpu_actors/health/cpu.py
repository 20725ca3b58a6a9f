"""The CPU of this machine: cores, and fast products in bf16 and int8. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cores", "has_fast_bf16", "has_int8"]


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_fast_bf16() -> bool:
    """Return whether this CPU multiplies bf16 matrices faster than fp32; with AVX-512 alone it does not."""
    return _has_any("amx_bf16")


def has_int8() -> bool:
    """Return whether this CPU sums products of int8 without overflow; only VNNI and AMX do."""
    return _has_any("amx_int8", "avx512_vnni", "avx_vnni")


def _has_any(*wanted: str) -> bool:
    """Whether Linux names any of these flags in /proc/cpuinfo."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return not set(wanted).isdisjoint(flags.split())
