"""A window's run links to its trace and its log lines."""

from __future__ import annotations

import pytest

from orchestration.dagster.links import run_links
from orchestration.errors import ConfigurationError
from orchestration.settings import load_settings
from orchestration.tracing import continued

A_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_links_name_trace_window_and_job() -> None:
    settings = load_settings(
        trace_url_template="http://jaeger:16686/trace/{trace_id}",
        log_url_template="http://grafana/explore?window={window}&job={job}",
    )
    with continued(A_PARENT):
        links = run_links(settings, "w1", "j1")
    assert {name: link.value for name, link in links.items()} == {
        "trace": "http://jaeger:16686/trace/0af7651916cd43dd8448eb211c80319c",
        "logs": "http://grafana/explore?window=w1&job=j1",
    }


def test_without_a_trace_there_is_no_link_to_one() -> None:
    settings = load_settings(trace_url_template="http://jaeger:16686/trace/{trace_id}")
    assert run_links(settings, "w1", "j1") == {}


def test_a_template_without_its_place_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="MEDKG_TRACE_URL_TEMPLATE"):
        load_settings(trace_url_template="http://jaeger:16686/")
