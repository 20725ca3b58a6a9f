"""What holds for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import structlog

from orchestration.settings import send_no_usage_reports

send_no_usage_reports()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules of whole runs take minutes: they begin first, so that no process is left alone with one."""
    items.sort(key=lambda item: item.path.parent.name != "orchestration")


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for that test alone."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def exact_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are loaded in this test's process compute in fp32."""
    monkeypatch.setattr("gpu_actors.precision.has_fast_bf16", lambda: False)
    monkeypatch.setattr("gpu_actors.precision.has_int8", lambda: False)
