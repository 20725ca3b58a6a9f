"""Pictures of dashboards: rates go over enough scrapes, and a picture is written."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import respx

from ops.observability.panels import Panel, Query, rate_by
from ops.observability.plots import draw, scrape_seconds

PANELS = {"row": (Panel("Documents per second", (Query(rate_by("documents_total", "state"), "{{state}}"),)),)}
SERIES = {"metric": {"state": "done"}, "values": [[1.0, "2"], [2.0, "4"]]}


def a_prometheus(mock: respx.Router, address: str, *intervals: str) -> respx.Route:
    """Answers for a Prometheus with these intervals between scrapes; the route of its queries."""
    targets = {"data": {"activeTargets": [{"scrapeInterval": each} for each in intervals]}}
    mock.get(f"{address}/api/v1/targets").mock(httpx.Response(200, json=targets))
    return mock.get(f"{address}/api/v1/query_range").mock(
        httpx.Response(200, json={"data": {"result": [SERIES]}})
    )


@pytest.mark.parametrize(
    ("intervals", "seconds"), [(("5s", "15s"), 15), (("1m30s",), 90), (("500ms",), 0.5), ((), 0)]
)
@respx.mock
def test_the_interval_is_the_longest_of_the_targets(
    respx_mock: respx.Router, intervals: tuple[str, ...], seconds: float
) -> None:
    address = f"http://{'-'.join(intervals) or 'none'}.example.org"
    a_prometheus(respx_mock, address, *intervals)
    assert scrape_seconds(address) == seconds


@pytest.mark.parametrize(("seconds", "rate"), [(120, "20s"), (12_000, "105s")])
@respx.mock
def test_a_rate_goes_over_four_scrapes_or_a_step_and_a_scrape(
    respx_mock: respx.Router, tmp_path: Path, seconds: float, rate: str
) -> None:
    queries = a_prometheus(respx_mock, "http://prometheus.example.org", "5s")
    draw("http://prometheus.example.org", PANELS, tmp_path / "a.png", seconds)
    assert f"documents_total[{rate}]" in queries.calls.last.request.url.params["query"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
