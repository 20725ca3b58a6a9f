"""The page docs/reference/metrics.md: all metrics of the registry, and the values of their labels.

Comes in: orchestration/metrics/names.py. Leaves: lines of Markdown, which ops/reference.py writes.
"""

from __future__ import annotations

from typing import Final

from orchestration.metrics.names import LABELS, METRICS, RAY_METRICS

__all__ = ["INTRODUCTION", "metrics_tables"]

INTRODUCTION: Final = """
    What `/metrics` of a data folder has, once MEDKG_METRICS_PORT is set: [metrics](../guides/metrics.md). The
    column `read from`: facts are counted exactly, also over kill -9; all else is read when it is scraped.
    """
READ_FROM: Final = {
    "facts": "facts of the ledger",
    "ledger": "ledger",
    "host": "host",
    "dagster": "Dagster's storage",
    "machine": "disks and files",
    "scrape": "the scrape",
}


def metrics_tables() -> list[str]:
    """Metrics in the order of the registry, then labels, then series of the plane."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {READ_FROM[metric.source]} | {metric.help} |"
        for metric in METRICS.values()
    ]
    return [
        "| metric | type | labels | read from | meaning |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "## Labels",
        "",
        "| label | values |",
        "| --- | --- |",
        *(f"| `{label}` | {values} |" for label, values in LABELS.items()),
        "",
        "## Of the plane, at Ray's addresses",
        "",
        *(f"- `{name}`" for name in RAY_METRICS),
        "",
    ]
