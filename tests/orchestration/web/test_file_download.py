"""Files that somebody else's record links to come in whole and within limits, and from public hosts alone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts.downloads import FetchedFile
from orchestration.errors import (
    DocumentTooLargeError,
    DownloadRefusedError,
    MedkgError,
    RateLimitedError,
    RequestRejectedError,
    ServiceError,
)
from orchestration.web.file_download import FileDownload
from tests.orchestration.web.file_server import Answer, FileServer, serving

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def download(tmp_path: Path) -> Iterator[Callable[..., FileDownload]]:
    with ExitStack() as stack:

        def make(*private: str, most_bytes: int = 1_000_000, allowed: tuple[str, ...] = ()) -> FileDownload:
            made = FileDownload(tmp_path / "downloads", most_bytes, 30, "medkg/test", allowed, private)
            return stack.enter_context(made)

        yield make


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(
        file=Answer(CONTENT),
        broken=Answer(CONTENT, breaks_after=100_000),
        away=Answer(status=503, headers={"Retry-After": "7"}),
        failing=Answer(status=502),
        forbidden=Answer(status=403),
    ) as made:
        yield made


def content_of(fetched: FetchedFile) -> bytes:
    return fetched.path.read_bytes()


def error_of(download: FileDownload, url: str) -> MedkgError:
    with pytest.raises(MedkgError) as raised, download.fetch(url):
        pass
    return raised.value


def test_a_file_comes_whole_and_says_where_from(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    with download(server.host).fetch(f"{server.url}/file") as fetched:
        assert content_of(fetched) == CONTENT
        assert (fetched.size, fetched.content_type) == (len(CONTENT), "application/pdf")
    assert not fetched.path.exists()
    assert server.agents == {"medkg/test"}


def test_a_broken_file_is_continued_where_it_broke(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    fetching = download(server.host)
    assert isinstance(error_of(fetching, f"{server.url}/broken"), ServiceError)
    with fetching.fetch(f"{server.url}/broken") as fetched:
        assert content_of(fetched) == CONTENT
    assert server.ranges == ["bytes=100000-"]


def test_a_file_that_changed_since_it_broke_is_fetched_anew(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    fetching = download(server.host)
    error_of(fetching, f"{server.url}/broken")
    server.answers["broken"] = Answer(b"%PDF-another")
    with fetching.fetch(f"{server.url}/broken") as fetched:
        assert content_of(fetched) == b"%PDF-another"


def test_a_file_that_is_too_large_is_broken_off(
    server: FileServer, download: Callable[..., FileDownload], tmp_path: Path
) -> None:
    error = error_of(download(server.host, most_bytes=100_000), f"{server.url}/file")
    assert isinstance(error, DocumentTooLargeError)
    assert not list((tmp_path / "downloads").glob("*.part"))


def test_answers_are_told_apart_by_what_to_do(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    fetching = download(server.host)
    away = error_of(fetching, f"{server.url}/away")
    assert isinstance(away, RateLimitedError) and away.retry_after == 7
    assert isinstance(error_of(fetching, f"{server.url}/failing"), ServiceError)
    assert isinstance(error_of(fetching, f"{server.url}/forbidden"), RequestRejectedError)
    assert isinstance(error_of(fetching, f"{server.url}/nothing"), RequestRejectedError)


def test_nothing_is_sent_to_a_private_address(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    assert isinstance(error_of(download(), f"{server.url}/file"), DownloadRefusedError)
    assert not server.asked


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
        "https://8.8.8.8:22/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/x",
        "http://",
        "no url",
        "http://exa mple/x",
    ],
)
def test_a_link_that_leads_no_place_in_the_web_is_refused(
    url: str, download: Callable[..., FileDownload]
) -> None:
    error = error_of(download(), url)
    assert isinstance(error, DownloadRefusedError) and url in error.message


def test_a_redirect_is_looked_at_like_a_link(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    with serving(hidden=Answer(b"secret")) as private:
        server.answers["hop"] = Answer(status=302, headers={"Location": f"{private.url}/hidden"})
        error = error_of(download(server.host), f"{server.url}/hop")
        assert isinstance(error, DownloadRefusedError) and f"{private.url}/hidden" in error.message
        assert not private.asked


def test_a_redirect_to_an_allowed_place_is_followed(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    server.answers["hop"] = Answer(status=301, headers={"Location": "/file"})
    with download(server.host).fetch(f"{server.url}/hop") as fetched:
        assert fetched.url == f"{server.url}/file"


def test_endless_redirects_end(server: FileServer, download: Callable[..., FileDownload]) -> None:
    server.answers["hop"] = Answer(status=302, headers={"Location": "/hop"})
    assert isinstance(error_of(download(server.host), f"{server.url}/hop"), DownloadRefusedError)


def test_only_allowed_hosts_are_spoken_to_if_some_are_named(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    error = error_of(download(server.host, allowed=("europepmc.org",)), f"{server.url}/file")
    assert isinstance(error, DownloadRefusedError) and "europepmc.org" in error.message


def test_a_name_is_connected_to_at_the_address_that_was_looked_at(
    server: FileServer, download: Callable[..., FileDownload], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers anew each time (DNS rebinding) is asked once."""
    port = int(server.host.rpartition(":")[2])
    answers = iter(["127.0.0.1", "192.0.2.1"])
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "papers.example":
            return real(host, *rest, **more)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with download("papers.example").fetch(f"http://papers.example:{port}/file") as fetched:
        assert content_of(fetched) == CONTENT
    assert asked == ["papers.example"]


def test_one_url_is_not_fetched_twice_at_a_time(
    server: FileServer, download: Callable[..., FileDownload]
) -> None:
    fetching = download(server.host)
    with fetching.fetch(f"{server.url}/file"):
        assert "for another document" in error_of(fetching, f"{server.url}/file").message
