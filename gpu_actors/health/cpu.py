"""What this machine's CPU offers a model: cores, and products in bf16 and int8. Imports nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cores", "has_fast_bf16", "has_int8"]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices faster than fp32; AVX-512's own bf16 products are not."""
    return _has_any("amx_bf16")


def has_int8() -> bool:
    """Whether this CPU adds products of int8 up without overflow; instructions before VNNI's do not."""
    return _has_any("amx_int8", "avx512_vnni", "avx_vnni")


def _has_any(*wanted: str) -> bool:
    """Whether Linux names any of these flags in /proc/cpuinfo."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return not set(wanted).isdisjoint(flags.split())
