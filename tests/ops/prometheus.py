"""Prometheus and Alertmanager of the machine, and rules read from ops/observability."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

__all__ = ["OBSERVABILITY", "RULES", "needs", "rules"]

OBSERVABILITY = Path(__file__).parents[2] / "ops" / "observability"
RULES = tuple(OBSERVABILITY / "prometheus" / name for name in ("recording.yml", "slo.yml", "alerts.yml"))


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where the machine lacks a program of Debian's prometheus or prometheus-alertmanager."""
    reason = f"{program} is not installed (apt-get install prometheus prometheus-alertmanager)"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


def rules() -> list[dict[str, Any]]:
    """All rules, with `record` or `alert`, in the order of the files."""
    groups = [group for path in RULES for group in YAML(typ="safe").load(path)["groups"]]
    return [rule for group in groups for rule in group["rules"]]
