"""A command's host: `up` beside the host of a run, and a lost host that is replaced or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts.host import HOST_SERVICE, HostStatus, JobProgress
from orchestration.errors import HostUnavailableError
from orchestration.jobs.host_client import Host
from orchestration.processes.local_service import LocalService
from orchestration.settings import Settings, load_settings


@contextmanager
def a_host(settings: Settings, *, stays: bool) -> Iterator[None]:
    """A host that takes any job."""
    status = HostStatus(pid=7, kept=stays, profile="cpu", plane="ready").model_dump(mode="json")
    verbs: dict[str, Any] = {
        "status": lambda with_health: status,
        "work_on": lambda job_id: JobProgress(working=True).model_dump(mode="json"),
    }
    with LocalService(HOST_SERVICE, settings.data_dir, verbs):
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def host(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A command's host that counts the hosts it begins, and starts none."""

    def count(host: Host) -> None:
        host.__dict__["started"] = host.__dict__.get("started", 0) + 1

    monkeypatch.setattr(Host, "_spawn", count)
    return Host(settings, lambda note: None)


def test_up_beside_the_host_of_a_run_reports_that_it_will_end(host: Host, settings: Settings) -> None:
    with (
        a_host(settings, stays=False),
        pytest.raises(HostUnavailableError, match=r"the host 7 of .* ends with it\. Run `medkg up` again"),
    ):
        host.start_detached()


def test_up_beside_the_host_of_up_starts_no_other(host: Host, settings: Settings) -> None:
    with a_host(settings, stays=True):
        host.start_detached()
    assert "started" not in vars(host)


@pytest.mark.parametrize("stays", [False, True])
def test_a_lost_host_is_replaced_if_it_was_another_command_s(
    host: Host, settings: Settings, stays: bool
) -> None:
    with a_host(settings, stays=stays):
        host.begin()
        assert host.work_on("job").working
    assert host.replace_lost() is not stays
    assert vars(host).get("started", 0) == int(not stays)
