"""What a panel of a dashboard is: a title and queries.

`overview_panels` and `slo_panels` have those of the two dashboards. From them dashboards.py makes Grafana's
JSON, tests run every query, and plots.py draws pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Panel", "Query", "rate_by"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `$__rate_interval` is Grafana's."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a dashboard."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    """Grafana's name of the unit."""
    kind: str = "timeseries"
    description: str = ""
    rare: bool = False
    """Empty while all is well, or on a machine without a GPU."""


def rate_by(name: str, by: str, of: str = "") -> str:
    """The sum of a counter's rate by these labels; `of` selects series."""
    return f"sum by ({by}) (rate({name}{of}[$__rate_interval]))"
