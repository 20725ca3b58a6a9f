"""A result as two pictures: documents a second of every contender, and latency percentiles of every load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestration.errors import ConfigurationError

__all__ = ["draw"]

LOADS: Final = {
    "handoff": ("at_80_percent",),
    "search": ("at_rest", "under_ingest"),
    "arrivals": ("at_60_percent",),
}
PERCENTILES: Final = ("p50_ms", "p95_ms", "p99_ms")


def draw(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """PNG files in the folder; raises ConfigurationError without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ConfigurationError(
            "plots need matplotlib, which is not installed. `pip install 'medkg[bench]'` brings it."
        ) from error
    mpl.use("Agg")
    pictures = {"throughput": _throughput(result["cases"]), "latency": _latencies(result["cases"])}
    return [
        _bars(folder / f"{name}.png", bars, unit, result)
        for (name, bars), unit in zip(pictures.items(), ("documents a second", "milliseconds"), strict=True)
        if bars
    ]


def _throughput(cases: Mapping[str, Any]) -> dict[str, float]:
    bars = {}
    for case, figures in cases.items():
        rates = figures.get("docs_per_second")
        if isinstance(rates, Mapping):
            bars.update({f"{case}: {name}": rate for name, rate in rates.items()})
    for name, figures in cases.get("launch", {}).items():
        bars[f"launch: {name}"] = figures["docs_per_second"]
    return bars


def _latencies(cases: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{case}: {load.replace('_', ' ')}, {name[:-3]}": cases[case][load][name]
        for case, loads in LOADS.items()
        if case in cases
        for load in loads
        for name in PERCENTILES
    }


def _bars(path: Path, bars: Mapping[str, float], unit: str, result: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.4 * len(bars) + 1.4), layout="constrained")
    drawn = axes.barh(list(bars), list(bars.values()), color="#3b6ea5")
    axes.bar_label(drawn, fmt="{:,.4g}", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    machine = result["hardware"]
    where = ", ".join(machine["gpus"]) or f"{machine['cores']} cores"
    axes.set_title(
        f"{path.stem}, profile {result['profile']}, {where}, {result['measured_at'][:10]}", loc="left"
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
