"""Downloads of linked files are complete, within limits, and from public hosts only."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import (
    AddressRefusedError,
    AnswerTooLargeError,
    DagsterResourceUnavailableError,
    MedkgError,
    RequestRejectedError,
    ServiceFailedError,
)
from orchestration.web.client import PoliteWebClient
from tests.orchestration.web.file_server import Answer, FileServer, serving

CONTENT = bytes(range(256)) * 2000

WebOf = Callable[..., PoliteWebClient]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(
        file=Answer(CONTENT),
        broken=Answer(CONTENT, breaks_after=100_000),
        failing=Answer(status=502),
        forbidden=Answer(status=403),
    ) as downloads:
        yield downloads


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "paper"


def fetch(web: PoliteWebClient, url: str, target: Path, most_bytes: int = 1_000_000) -> Any:
    return web.download(url, target, most_bytes=most_bytes, seconds=30)


def error_of(web: PoliteWebClient, url: str, target: Path, most_bytes: int = 1_000_000) -> MedkgError:
    with pytest.raises(MedkgError) as raised:
        fetch(web, url, target, most_bytes)
    assert not target.exists()
    return raised.value


def test_an_interrupted_file_is_continued_where_it_ended(
    server: FileServer, web_of: WebOf, target: Path
) -> None:
    fetched = fetch(web_of([server.host], max_attempts=2), f"{server.url}/broken", target)
    assert (target.read_bytes(), fetched.size) == (CONTENT, len(CONTENT))
    assert server.ranges == ["bytes=100000-"]


def test_the_next_call_continues_an_interrupted_file(server: FileServer, web_of: WebOf, target: Path) -> None:
    web = web_of([server.host], max_attempts=1)
    assert isinstance(error_of(web, f"{server.url}/broken", target), ServiceFailedError)
    fetch(web, f"{server.url}/broken", target)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=100000-"]


def test_a_file_that_changed_since_its_interruption_starts_again(
    server: FileServer, web_of: WebOf, target: Path
) -> None:
    web = web_of([server.host], max_attempts=1)
    error_of(web, f"{server.url}/broken", target)
    server.answers["broken"] = Answer(b"%PDF-another")
    fetch(web, f"{server.url}/broken", target)
    assert target.read_bytes() == b"%PDF-another"


def test_a_file_that_is_too_large_is_not_read_further(
    server: FileServer, web_of: WebOf, target: Path
) -> None:
    error = error_of(web_of([server.host]), f"{server.url}/file", target, most_bytes=100_000)
    assert isinstance(error, AnswerTooLargeError)
    assert list(target.parent.iterdir()) == []


def test_the_kind_of_error_depends_on_the_answer(server: FileServer, web_of: WebOf, target: Path) -> None:
    web = web_of([server.host], max_attempts=2)
    assert isinstance(error_of(web, f"{server.url}/failing", target), ServiceFailedError)
    assert server.requests["failing"] == 2
    for name in ("forbidden", "nothing"):
        assert isinstance(error_of(web, f"{server.url}/{name}", target), RequestRejectedError)
        assert server.requests[name] == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://0x7f000001/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "http://100.64.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[fe80::1]/x",
        "http://[2002:7f00:1::]/x",
        "http://224.0.0.1/x",
        "http://0.0.0.0/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/x",
        "http://",
        "no url",
    ],
)
def test_a_link_that_is_not_of_the_public_web_is_refused(url: str, web_of: WebOf, target: Path) -> None:
    assert isinstance(error_of(web_of(), url, target), AddressRefusedError)


@pytest.mark.parametrize(
    "url", ["http://exa mple/x", "http://\u2100.example/x", "http://[::1/x", "http://x:99999/"]
)
def test_a_garbled_link_is_an_error_that_names_it(url: str, web_of: WebOf, target: Path) -> None:
    error = error_of(web_of(max_attempts=1), url, target)
    assert isinstance(error, AddressRefusedError | DagsterResourceUnavailableError | ServiceFailedError)


def test_a_redirect_is_checked_like_a_link(server: FileServer, web_of: WebOf, target: Path) -> None:
    with serving(hidden=Answer(b"secret")) as private:
        server.answers["hop"] = Answer(status=302, headers={"Location": f"{private.url}/hidden"})
        error = error_of(web_of([server.host]), f"{server.url}/hop", target)
        assert isinstance(error, AddressRefusedError)
        assert not private.requests


def test_endless_redirects_end(server: FileServer, web_of: WebOf, target: Path) -> None:
    server.answers["hop"] = Answer(status=302, headers={"Location": "/hop"})
    assert isinstance(error_of(web_of([server.host]), f"{server.url}/hop", target), AddressRefusedError)


class NameServer:
    """Names that resolve to these addresses, one after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int, **names: str) -> None:
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        self._names = {name.replace("_", "."): iter(addresses.split()) for name, addresses in names.items()}
        self._port = port
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self._names:
            return self._real(host, *rest, **more)
        self.asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(self._names[name]), self._port))]


def test_a_name_is_connected_to_at_its_checked_address(
    server: FileServer, web_of: WebOf, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that changes its answer (DNS rebinding) is queried once; redirects keep the name."""
    port = int(server.host.rpartition(":")[2])
    names = NameServer(monkeypatch, port, papers_example="127.0.0.1 127.0.0.1 192.0.2.1")
    monkeypatch.setattr("orchestration.web.addresses.is_public", lambda address: address == "127.0.0.1")
    server.answers["hop"] = Answer(status=301, headers={"Location": "/file"})
    fetched = fetch(web_of(), f"http://papers.example:{port}/hop", target)
    assert target.read_bytes() == CONTENT
    assert fetched.url == f"http://papers.example:{port}/file"
    assert names.asked == ["papers.example", "papers.example"]
