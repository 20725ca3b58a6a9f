"""Panels of the dashboard Medical_KG_SLO, by row: what each shows, by which queries."""

from __future__ import annotations

from typing import Final

from ops.observability.panels import Panel, Query

__all__ = ["SLO"]

SLO: Final[dict[str, tuple[Panel, ...]]] = {
    "Availability: 99.9 % in 30 days": (
        Panel(
            "Error budget left",
            (Query("min(medkg:error_budget:left_30d)", "left"),),
            "percentunit",
            kind="stat",
            description="Of 43 minutes in 30 days without a host that answers and a plane that is ready.",
        ),
        Panel(
            "Availability",
            (
                Query("1 - max(medkg:unavailable:ratio_1h)", "1 hour"),
                Query("1 - max(medkg:unavailable:ratio_1d)", "1 day"),
                Query("1 - max(medkg:unavailable:ratio_30d)", "30 days"),
            ),
            "percentunit",
            kind="stat",
        ),
        Panel(
            "Burn rate",
            (
                Query("max(medkg:burn_rate:1h)", "1 hour (alert above 14.4)"),
                Query("max(medkg:burn_rate:6h)", "6 hours (alert above 6)"),
            ),
            description="1: the budget lasts exactly 30 days.",
        ),
        Panel("Available now", (Query("min(medkg:available)", "available"),), kind="timeseries"),
    ),
    "Stages and documents": (
        Panel(
            "P95 of stages as a share of their objectives",
            (Query("medkg:stage_duration_seconds:p95 / on (stage) medkg:stage_slo_seconds", "{{stage}}"),),
            "percentunit",
        ),
        Panel(
            "Failed documents, share of 30 minutes",
            (Query("medkg:documents_failed:ratio_increase30m", "{{pipeline}}"),),
            "percentunit",
        ),
        Panel(
            "Failed or stalled jobs, share of 5 minutes",
            (Query("medkg:jobs_failed:ratio_increase5m", "{{pipeline}}"),),
            "percentunit",
        ),
        Panel(
            "Alerts that fire",
            (Query('sum by (alertname, severity) (ALERTS{alertstate="firing"})', "{{alertname}}"),),
            kind="table",
            rare=True,
        ),
    ),
}
