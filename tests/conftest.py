"""What holds for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import pytest
import structlog

from orchestration.settings import send_no_usage_reports

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

SHARE_A_HOST: Final = ("tests/demo", "tests/gpu_actors")
"""Folders whose files have one host or plane for all of them, which only one process should start."""

send_no_usage_reports()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules of whole runs take minutes: they begin first, so that no process is left alone with one."""
    items.sort(key=lambda item: item.path.parent.name != "end_to_end")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Files go to processes as with `--dist loadfile`, those of a folder that shares a host together."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByHost(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            folders = {folder.as_posix() for folder in PurePath(file).parents}
            return next((folder for folder in SHARE_A_HOST if folder in folders), file)

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
