"""Pictures of the dashboards without Grafana: every panel's queries on a Prometheus, drawn with matplotlib.

`python -m ops.observability.plots http://127.0.0.1:9090 FOLDER [SECONDS]` writes one picture per dashboard.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import httpx

from ops.observability.overview_panels import OVERVIEW
from ops.observability.panels import Panel, Query
from ops.observability.slo_panels import SLO

__all__ = ["draw", "scrape_seconds"]

POINTS: Final = 120
COLUMNS: Final = 3
LEGENDS: Final = 8
"""Series of a panel that are named."""
TITLE_WIDTH: Final = 70
SCRAPES: Final = 4
"""Scrapes that a rate goes over at least."""
DURATION: Final = re.compile(r"([0-9.]+)(ms|s|m|h)")
UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def draw(address: str, rows: Mapping[str, Sequence[Panel]], path: Path, seconds: float) -> None:
    """Draw all panels of a dashboard over the last `seconds` into one picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    panels = [panel for of_row in rows.values() for panel in of_row]
    lines = math.ceil(len(panels) / COLUMNS)
    figure, axes = pyplot.subplots(lines, COLUMNS, figsize=(18, 3.2 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for panel, axis in zip(panels, axes.flat, strict=False):
        _draw(axis, panel, address, seconds)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)


def _draw(axis: Any, panel: Panel, address: str, seconds: float) -> None:
    series = [each for query in panel.queries for each in _series(address, query, seconds)]
    for number, (name, moments, values) in enumerate(series):
        axis.plot(moments, values, label=name if number < LEGENDS else None, marker=".", markersize=3)
    axis.set_title(fill(f"{panel.title} [{panel.unit}]", TITLE_WIDTH), fontsize=9)
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=7)
    if series:
        axis.legend(fontsize=6, loc="best")
    else:
        axis.text(0.5, 0.5, "no data", ha="center", va="center", transform=axis.transAxes)


def _series(address: str, query: Query, seconds: float) -> list[tuple[str, list[float], list[float]]]:
    """Name, seconds before now and values of each series of a query."""
    end = time.time()
    step = max(1.0, seconds / POINTS)
    between = scrape_seconds(address)
    rate_interval = math.ceil(max(step + between, SCRAPES * between))  # as Grafana has it
    expression = query.expr.replace("$__rate_interval", f"{rate_interval}s")
    expression = expression.replace("$__range", f"{int(seconds)}s")
    parameters: dict[str, str | float] = {
        "query": expression,
        "start": end - seconds,
        "end": end,
        "step": step,
    }
    answer = httpx.get(f"{address}/api/v1/query_range", params=parameters).raise_for_status().json()
    return [
        (
            _legend(query.legend, result["metric"]),
            [moment - end for moment, _ in result["values"]],
            [float(value) for _, value in result["values"]],
        )
        for result in answer["data"]["result"]
    ]


@cache
def scrape_seconds(address: str) -> float:
    """Seconds between two scrapes of a Prometheus, the longest of its targets; raises HTTPStatusError."""
    answer = httpx.get(f"{address}/api/v1/targets", params={"state": "active"}).raise_for_status().json()
    intervals = [target["scrapeInterval"] for target in answer["data"]["activeTargets"]]
    return max(
        (sum(float(number) * UNITS[unit] for number, unit in DURATION.findall(each)) for each in intervals),
        default=0.0,
    )


def _legend(template: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)


def main(arguments: Sequence[str]) -> int:
    """Draw both dashboards."""
    address, folder, *rest = arguments
    seconds = float(rest[0]) if rest else 900.0
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, rows in (("overview", OVERVIEW), ("slo", SLO)):
        draw(address, rows, Path(folder) / f"{name}.png", seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
