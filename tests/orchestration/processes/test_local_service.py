"""A service answers the processes of its user, passes errors on as they are, and its death is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import (
    ConfigurationError,
    GpuUnavailableError,
    HostUnavailableError,
    MedkgError,
    RateLimitedError,
    UsageError,
)
from orchestration.processes.endpoint import endpoint_path, read_endpoint
from orchestration.processes.local_service import LocalClient, LocalService
from tests.present import present
from tests.waiting import PATIENCE


def echo(**arguments: Any) -> Any:
    return arguments


def no_such_job() -> None:
    raise UsageError("There is no job 'x'.")


def slow_down() -> None:
    raise RateLimitedError("Too fast.", retry_after=2.5)


def no_gpu() -> None:
    raise GpuUnavailableError("No GPU.")


def defect() -> None:
    raise ZeroDivisionError("division by zero")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    verbs = {
        "echo": echo,
        "no_such_job": no_such_job,
        "slow_down": slow_down,
        "no_gpu": no_gpu,
        "defect": defect,
    }
    with LocalService("host", tmp_path, verbs) as served:
        yield served


@pytest.fixture
def client(service: LocalService) -> LocalClient:
    return LocalClient(service.data_dir, "host")


def a_served_process(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that serves `pid`, and `hang`, which never answers; it has said that it is ready."""
    code = (
        "import os, sys, signal, threading; from pathlib import Path\n"
        "from orchestration.processes.local_service import LocalService\n"
        "verbs = {'pid': os.getpid, 'hang': lambda: threading.Event().wait(), 'die': lambda: os._exit(1)}\n"
        "LocalService('host', Path(sys.argv[1]), verbs).start()\n"
        "print('ready', flush=True); signal.pause()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = a_served_process(tmp_path)
    yield process
    process.kill()
    process.wait()
    LocalService("host", tmp_path, {}).start().close()  # clears away what the killed one left


def test_json_values_arrive_and_come_back_as_they_are(client: LocalClient) -> None:
    values: dict[str, Any] = {
        "text": "Größe ≥ 5 µm",
        "number": 1.5,
        "nothing": None,
        "many": [1, {"two": [3]}],
    }
    assert client.call("echo", **values) == values


def test_a_megabyte_goes_through(client: LocalClient) -> None:
    assert client.call("echo", text="x" * 3_000_000) == {"text": "x" * 3_000_000}


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("no_such_job", UsageError), ("slow_down", RateLimitedError), ("no_gpu", GpuUnavailableError)],
)
def test_an_error_is_raised_again_as_its_own_class(client: LocalClient, verb: str, kind: type) -> None:
    with pytest.raises(MedkgError) as raised:
        client.call(verb)
    assert type(raised.value) is kind
    assert raised.value.message == str(raised.value)
    if isinstance(raised.value, RateLimitedError):
        assert raised.value.retry_after == 2.5


def test_a_defect_of_the_service_names_verb_and_cause_and_the_service_goes_on(client: LocalClient) -> None:
    with pytest.raises(HostUnavailableError, match=r"'defect' with ZeroDivisionError: division by zero"):
        client.call("defect")
    assert client.call("echo") == {}


def test_an_unknown_verb_is_answered_with_those_there_are(client: LocalClient) -> None:
    with pytest.raises(HostUnavailableError, match="defect, echo"):
        client.call("launch")


def test_many_threads_are_answered_each_with_its_own(client: LocalClient) -> None:
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda number: client.call("echo", number=number), range(300)))
    assert [answer["number"] for answer in answers] == list(range(300))


def test_a_folder_without_a_server_is_an_error_that_names_the_folder_and_the_next_step(
    tmp_path: Path,
) -> None:
    with pytest.raises(HostUnavailableError, match="medkg up") as raised:
        LocalClient(tmp_path, "host").call("echo")
    assert str(tmp_path) in raised.value.message


def test_the_endpoint_is_readable_by_its_user_only(service: LocalService) -> None:
    path = endpoint_path(service.data_dir, "host")
    assert path.stat().st_mode & 0o777 == 0o600
    socket_path = Path(json.loads(path.read_text())["address"])
    assert socket_path.parent.stat().st_mode & 0o777 == 0o700


def test_a_request_with_another_token_is_refused(service: LocalService, client: LocalClient) -> None:
    path = endpoint_path(service.data_dir, "host")
    path.write_text(json.dumps({**json.loads(path.read_text()), "token": "guess"}))
    with pytest.raises(HostUnavailableError, match="refused"):
        client.call("echo")


def test_a_deep_data_folder_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    with LocalService("host", deep, {"echo": echo}):
        assert LocalClient(deep, "host").call("echo", a=1) == {"a": 1}


def test_a_second_server_of_a_data_folder_is_refused_and_the_first_goes_on(
    service: LocalService, client: LocalClient
) -> None:
    second = LocalService("host", service.data_dir, {})
    with pytest.raises(ConfigurationError, match="medkg down"):
        second.start()
    second.close()
    assert client.call("echo") == {}


def test_after_close_no_process_serves_and_another_may(tmp_path: Path) -> None:
    first = LocalService("host", tmp_path, {"echo": echo}).start()
    address = Path(present(read_endpoint(tmp_path, "host")).address)
    first.close()
    assert not LocalClient(tmp_path, "host").is_served()
    assert not address.parent.exists()
    with LocalService("host", tmp_path, {"echo": echo}):
        assert LocalClient(tmp_path, "host").call("echo") == {}


def test_a_killed_server_is_noticed_and_replaced(
    tmp_path: Path, other_process: subprocess.Popen[str]
) -> None:
    client = LocalClient(tmp_path, "host")
    assert client.call("pid") == other_process.pid
    leftover = Path(json.loads(endpoint_path(tmp_path, "host").read_text())["address"])
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert not client.is_served()
    with pytest.raises(HostUnavailableError, match="medkg up"):
        client.call("pid")
    with LocalService("host", tmp_path, {"pid": os.getpid}):
        assert client.call("pid") == os.getpid()
        assert not leftover.exists()


def test_a_server_that_dies_while_it_answers_is_distinguished_from_one_that_refuses(
    tmp_path: Path, other_process: subprocess.Popen[str]
) -> None:
    with pytest.raises(HostUnavailableError, match="ended while it answered 'die'"):
        LocalClient(tmp_path, "host").call("die")


def test_a_server_that_does_not_answer_in_time_is_reported_with_its_log(
    tmp_path: Path, other_process: subprocess.Popen[str]
) -> None:
    client = LocalClient(tmp_path, "host")
    with pytest.raises(HostUnavailableError, match=r"did not answer 'hang' in 0\.2 s"):
        client.call("hang", timeout=0.2)
    assert client.call("pid") == other_process.pid, "others are answered meanwhile"


def test_a_stopped_server_does_not_hold_the_client(
    tmp_path: Path, other_process: subprocess.Popen[str]
) -> None:
    other_process.send_signal(signal.SIGSTOP)
    with pytest.raises(HostUnavailableError, match="did not answer"):
        LocalClient(tmp_path, "host").call("pid", timeout=0.2)
    other_process.send_signal(signal.SIGCONT)
    assert LocalClient(tmp_path, "host").call("pid") == other_process.pid


def test_closing_ends_the_accepting_thread(tmp_path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    service = LocalService("probe", tmp_path, {}).start()
    accepting = next(thread for thread in threading.enumerate() if thread.name not in before)
    service.close()
    accepting.join(timeout=PATIENCE)
    assert not accepting.is_alive()
