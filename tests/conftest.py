"""What holds for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

from orchestration.settings import send_no_usage_reports
from tests.exhaustive import EXHAUSTIVE

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

SHARE_A_PROCESS: Final = {
    "tests/orchestration/end_to_end/one_host": "one host",
    "tests/gpu_actors/test_plane.py": "one plane",
    "tests/gpu_actors/test_plane_deaths.py": "one plane",
    "tests/gpu_actors/test_swap.py": "one plane",
    "tests/gpu_actors/pools": "one plane",
    "tests/gpu_actors/vllm": "one plane",
}
"""Files and folders that share a host or a plane, which only one process should start."""

LONGEST_FIRST: Final = (
    "tests/orchestration/end_to_end/one_host",
    "tests/gpu_actors/vllm",
    "tests/gpu_actors/pools",
    "tests/gpu_actors/test_",
    "tests/orchestration/end_to_end",
    "tests/orchestration/haystack/test_haystack_document_store.py",
    "tests/orchestration/dagster/workers",
    "tests/orchestration/operations/test_reembedding.py",
    "tests/orchestration/stores",
    "tests/gpu_actors",
    "tests/orchestration/dagster",
    "tests/orchestration/host",
    "tests/orchestration/ledger",
)
"""Files and folders of tests that take long, the longest first, so that all processes end together."""

send_no_usage_reports()
settings.register_profile(
    "no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("no clock")  # a slow machine fails no property
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"exhaustive forms: {'yes' if EXHAUSTIVE else 'no (make test-exhaustive)'}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; those that share a process stay together."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    ranks = (rank for rank, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(ranks, len(LONGEST_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Files go to processes as with `--dist loadfile`, those of a folder that shares a host together."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByHost(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            file = PurePath(str(super()._split_scope(nodeid)))
            places = (file, *file.parents)
            shared = (SHARE_A_PROCESS.get(place.as_posix()) for place in places)
            return next(filter(None, shared), file.as_posix())

    return ByHost(config, log)


@pytest.fixture(autouse=True)
def separate_logging() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for that test alone."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def exact_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are loaded in this test's process compute in fp32."""
    monkeypatch.setattr("gpu_actors.encoders.precision.has_fast_bf16", lambda: False)
    monkeypatch.setattr("gpu_actors.encoders.precision.has_int8", lambda: False)
