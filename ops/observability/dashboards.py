"""Writes Grafana's dashboards from their panels; with --check exit code 1 when a file is not what they say.

`python -m ops.observability.dashboards [--check]`; `make reference` writes them, `make lint` checks them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ops.observability.overview_panels import OVERVIEW
from ops.observability.panels import Panel
from ops.observability.slo_panels import SLO

__all__ = ["dashboard", "files"]

FOLDER: Final = Path(__file__).parent / "grafana"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def files() -> dict[Path, str]:
    """The content of each dashboard's file."""
    dashboards = {
        "Medical_KG_Dagster_Overview": dashboard("medkg-overview", "Medical KG: Dagster overview", OVERVIEW),
        "Medical_KG_SLO": dashboard("medkg-slo", "Medical KG: objectives", SLO),
    }
    return {
        FOLDER / f"{name}.json": json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in dashboards.items()
    }


def dashboard(uid: str, title: str, rows: Mapping[str, Sequence[Panel]]) -> dict[str, Any]:
    """Grafana's JSON (the classic model, schema 39) of a dashboard whose rows are these."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["medkg"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": _placed(rows),
    }


def _placed(rows: Mapping[str, Sequence[Panel]]) -> list[dict[str, Any]]:
    """Rows and panels on the grid of 24 columns, three panels side by side."""
    placed: list[dict[str, Any]] = []
    top = 0
    for row, panels in rows.items():
        at = {"h": 1, "w": WIDTH * COLUMNS, "x": 0, "y": top}
        placed.append({"id": len(placed) + 1, "type": "row", "title": row, "gridPos": at, "panels": []})
        top += 1
        for number, panel in enumerate(panels):
            line, column = divmod(number, COLUMNS)
            place = {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": top + line * HEIGHT}
            placed.append(_panel(panel, len(placed) + 1, place))
        top += -(-len(panels) // COLUMNS) * HEIGHT
    return placed


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    instant = panel.kind != "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if not instant else {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "exemplar": not instant,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them."""
    old = [path for path, text in files().items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in old:
            sys.stderr.write(f"{path} is not what its panels say; run `make reference`.\n")
        return 1 if old else 0
    for path in old:
        path.write_text(files()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
