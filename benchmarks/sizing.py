"""GPUs, cores and disk for a number of documents, from a result of `medkg bench`; and how far to trust it.

python -m benchmarks.sizing RESULT.json [--documents N] [--days D]

The model: a document costs its device the seconds of both legs (`dense` and `sparse`, on the plane), and the
cores what the launch spent outside the models. On a CPU both fall on the same cores. The model's rate is put
beside the measured one of the same result's launch; what it predicts for more machines is this much in doubt.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from orchestration.errors import UsageError

from .compare import read_result

__all__ = ["Cost", "Need", "cost_of", "needed"]

BUSY: Final = 0.8
"""Share of the time that machines do this work."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a document costs, in seconds of one device and of one core, and the rate that follows."""

    device_seconds: float
    core_seconds: float
    model_rate: float
    measured_rate: float

    @property
    def model_to_measured(self) -> float:
        """1.0: the model foretold the launch exactly."""
        return self.model_rate / self.measured_rate


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes; `devices` are GPUs, or machines like the measured one without."""

    devices: int
    cores: int
    device_hours: float
    disk_terabytes: float


def cost_of(result: Mapping[str, Any]) -> Cost:
    """From the cases dense, sparse and launch; raises UsageError naming those that are missing."""
    cases = result["cases"]
    missing = [name for name in ("dense", "sparse", "launch") if name not in cases]
    if missing:
        raise UsageError(f"the result lacks {', '.join(missing)}; run `medkg bench dense sparse launch`.")
    device_seconds = sum(1 / cases[leg]["docs_per_second"]["plane"] for leg in ("dense", "sparse"))
    hot = cases["launch"]["hot"]
    outside = sum(hot["cpu_seconds_by_stage"].values()) - hot["model_cpu_seconds"]
    core_seconds = outside / hot["documents"]["committed"]
    cores = result["hardware"]["cores"]
    if result["hardware"]["gpus"]:
        rate = min(1 / device_seconds, cores / core_seconds)
    else:
        rate = 1 / (device_seconds + core_seconds / cores)
    return Cost(device_seconds, core_seconds, rate, hot["docs_per_second"])


def needed(result: Mapping[str, Any], documents: float, days: float) -> Need:
    """Devices, cores for everything but the models, and disk, for so many documents in so many days."""
    cost = cost_of(result)
    seconds = days * 86_400 * BUSY
    return Need(
        devices=math.ceil(documents * cost.device_seconds / seconds),
        cores=math.ceil(documents * cost.core_seconds / seconds),
        device_hours=documents * cost.device_seconds / 3600,
        disk_terabytes=documents * result["cases"]["launch"]["hot"]["disk_bytes_per_document"] / 1e12,
    )


def main() -> None:
    """Print the cost of a document and what so many documents need."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing")
    parser.add_argument("result", type=Path)
    parser.add_argument("--documents", type=float, default=100e6)
    parser.add_argument("--days", type=float, default=7.0)
    options = parser.parse_args()
    result = read_result(options.result)
    cost = cost_of(result)
    parts = {**asdict(cost), "model_to_measured": cost.model_to_measured}
    parts |= asdict(needed(result, options.documents, options.days))
    for name, value in parts.items():
        sys.stdout.write(f"{name:20} {value:,.4g}\n")


if __name__ == "__main__":
    main()
