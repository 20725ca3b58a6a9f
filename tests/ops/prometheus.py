"""Prometheus and Alertmanager of the machine; rules and queries of ops/observability, and their answers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from ops.observability.overview_panels import OVERVIEW
from ops.observability.slo_panels import SLO

__all__ = [
    "OBSERVABILITY",
    "OF_PROMETHEUS",
    "PANELS",
    "QUERIES",
    "RULES",
    "answered",
    "names_of",
    "needs",
    "rules",
    "unanswered_rules",
]

OBSERVABILITY = Path(__file__).parents[2] / "ops" / "observability"
RULES = tuple(OBSERVABILITY / "prometheus" / name for name in ("recording.yml", "slo.yml", "alerts.yml"))
PANELS = [panel for rows in (OVERVIEW, SLO) for row in rows.values() for panel in row]
QUERIES = [query.expr for panel in PANELS for query in panel.queries]
OF_PROMETHEUS = {"up", "ALERTS"}
"""Metrics that Prometheus makes itself."""

WORDS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where the machine lacks a program of Debian's prometheus or prometheus-alertmanager."""
    reason = f"{program} is not installed (apt-get install prometheus prometheus-alertmanager)"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


def rules() -> list[dict[str, Any]]:
    """All rules, with `record` or `alert`, in the order of the files."""
    groups = [group for path in RULES for group in YAML(typ="safe").load(path)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def names_of(expression: str) -> set[str]:
    """Metrics of an expression: words with the prefix of one, or those of Prometheus itself."""
    without_labels = re.sub(r"\{[^}]*\}|\"[^\"]*\"", "", expression)
    words = set(WORDS.findall(without_labels))
    return {word for word in words if word.startswith(("medkg", "dagster_", "ray_")) or word in OF_PROMETHEUS}


def answered(address: str) -> set[str]:
    """Queries of panels that have a sample now; fails for one that Prometheus refuses."""
    return {expr for expr in QUERIES if _has_sample(address, expr)}


def _has_sample(address: str, expr: str) -> bool:
    expression = expr.replace("$__rate_interval", "10s").replace("$__range", "5m")
    answer = httpx.get(f"{address}/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", (expr, answer)
    return any(sample["value"][1] != "NaN" for sample in answer["data"]["result"])


def unanswered_rules(address: str) -> list[str]:
    """Rules that Prometheus has not evaluated, or not without an error."""
    groups = httpx.get(f"{address}/api/v1/rules").json()["data"]["groups"]
    return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
