"""The web client: requests that it repeats or refuses, limits, and downloads that it continues."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import respx

from orchestration.contracts.web import Validators, WebAnswer
from orchestration.errors import (
    AddressRefusedError,
    AnswerTooLargeError,
    DagsterResourceUnavailableError,
    RequestRejectedError,
    ServiceError,
    ServiceFailedError,
    StoreUnwritableError,
    UnexpectedAnswerError,
)
from orchestration.web import addresses
from orchestration.web.client import PoliteWebClient
from tests.orchestration.resilience.fake_sleep import FakeSleep
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import Parameters, Reply, replaying

URL = "https://registry.example/studies"


@respx.mock
def test_an_answer_is_complete_and_the_request_names_its_client(web: PoliteWebClient) -> None:
    route = respx.get(URL, params={"query": "EGFR"}).respond(json={"studies": []}, headers={"ETag": '"1"'})
    answer = web.get(URL, {"query": "EGFR"})
    assert answer.json() == {"studies": []}
    assert answer.validators == Validators('"1"', None)
    assert route.calls.last.request.headers["User-Agent"] == "medkg/test (mailto:ann@example.org)"


@respx.mock
def test_server_errors_interrupted_and_silent_answers_are_repeated(web: PoliteWebClient) -> None:
    respx.get(URL).mock(
        side_effect=[
            httpx.Response(500),
            httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
            httpx.ReadTimeout("slow"),
            httpx.Response(200, text="study"),
        ]
    )
    assert web.get(URL).content == b"study"


@respx.mock
def test_a_service_that_always_fails_is_a_permanent_error_that_names_the_attempts(
    web_of: Callable[..., PoliteWebClient],
) -> None:
    route = respx.get(URL).respond(500, text="out of cheese")
    with pytest.raises(ServiceFailedError, match=r"out of cheese.*last of 3 attempts"):
        web_of(max_attempts=3).get(URL)
    assert route.call_count == 3


@respx.mock
def test_retry_after_is_obeyed_by_seconds_and_by_date(web: PoliteWebClient, sleep: FakeSleep) -> None:
    respx.get(URL).mock(
        side_effect=[
            httpx.Response(429, headers={"Retry-After": "17"}),
            httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
            httpx.Response(200),
        ]
    )
    web.get(URL)
    assert sleep.slept[0] == 17
    assert sleep.slept[1] < 17


@respx.mock
def test_a_host_that_does_not_answer_or_asks_for_a_long_wait_is_unavailable(web: PoliteWebClient) -> None:
    respx.get(URL).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(DagsterResourceUnavailableError, match="does not answer"):
        web.get(URL)
    respx.get(URL).respond(429, headers={"Retry-After": "3600"})
    with pytest.raises(DagsterResourceUnavailableError, match="3600"):
        web.get(URL)


@respx.mock
def test_a_host_that_throttles_every_attempt_is_unavailable_not_a_failed_document(
    web_of: Callable[..., PoliteWebClient],
) -> None:
    respx.get(URL).respond(429)
    with pytest.raises(DagsterResourceUnavailableError, match="3 attempts"):
        web_of(max_attempts=3).get(URL)


@respx.mock
def test_a_refusal_is_final_and_has_its_status(web: PoliteWebClient) -> None:
    route = respx.get(URL).respond(400, text="Unknown area")
    with pytest.raises(RequestRejectedError, match="Unknown area") as caught:
        web.get(URL)
    assert caught.value.status == 400
    assert route.call_count == 1


@respx.mock
def test_errors_do_not_contain_parameters_which_may_be_keys(web: PoliteWebClient) -> None:
    respx.get(URL).respond(400)
    with pytest.raises(RequestRejectedError) as caught:
        web.get(URL, {"api_key": "s3cret"})
    assert "s3cret" not in caught.value.message


@respx.mock
def test_an_unchanged_answer_is_not_sent_again(web: PoliteWebClient) -> None:
    respx.get(URL, headers={"If-None-Match": '"1"'}).respond(304)
    answer = web.get(URL, validators=Validators('"1"'))
    assert answer.unchanged
    assert answer.content == b""


@respx.mock
def test_too_many_bytes_are_refused_also_when_they_are_compressed(web: PoliteWebClient) -> None:
    packed = gzip.compress(bytes(10_000_000))
    respx.get(URL).respond(content=packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(AnswerTooLargeError, match="1,000,000"):
        web.get(URL, most_bytes=1_000_000)


@respx.mock
def test_the_error_of_a_check_decides_whether_the_request_is_repeated(web: PoliteWebClient) -> None:
    def whole(answer: WebAnswer) -> None:
        if answer.content != b"{}":
            raise ServiceError("cut off")

    def refuse(_: WebAnswer) -> None:
        raise UnexpectedAnswerError("other shape")

    respx.get(URL).mock(side_effect=[httpx.Response(200, text="{"), httpx.Response(200, text="{}")])
    assert web.get(URL, check=whole).json() == {}
    respx.get(URL).respond(text="{}")
    with pytest.raises(UnexpectedAnswerError):
        web.get(URL, check=refuse)


def test_only_http_urls_are_requested(web: PoliteWebClient, tmp_path: Path) -> None:
    for url in ("file:///etc/passwd", "ftp://example.org/a", "//example.org", "nonsense"):
        with pytest.raises(AddressRefusedError, match="http"):
            web.get(url)
        with pytest.raises(AddressRefusedError, match="http"):
            web.download(url, tmp_path / "a", most_bytes=10, seconds=1)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0.0.0.0", "localhost"],
)
def test_private_addresses_are_not_connected_to(web: PoliteWebClient, tmp_path: Path, address: str) -> None:
    with pytest.raises(AddressRefusedError, match="MEDKG_PRIVATE_HOSTS"):
        web.download(f"http://{address}:9/a.pdf", tmp_path / "a.pdf", most_bytes=10, seconds=1)


@respx.mock
def test_each_redirect_is_checked(web: PoliteWebClient, tmp_path: Path) -> None:
    respx.get("https://a.example/1").respond(302, headers={"Location": "https://evil.example/2"})
    followed = respx.get("https://evil.example/2").respond(text="pdf")

    def admit(url: str) -> None:
        if "evil" in url:
            raise AddressRefusedError(f"{url}: not allowed")

    with pytest.raises(AddressRefusedError, match="evil"):
        web.download(
            "https://a.example/1",
            tmp_path / "a",
            most_bytes=10,
            seconds=1,
            admit=admit,
            public_only=False,
        )
    assert not followed.called


@respx.mock
def test_redirects_in_a_loop_end(web: PoliteWebClient) -> None:
    respx.get(URL).respond(302, headers={"Location": URL})
    with pytest.raises(AddressRefusedError, match="redirects"):
        web.get(URL)


@respx.mock
def test_an_interrupted_download_is_continued_where_it_ended(
    web_of: Callable[..., PoliteWebClient], tmp_path: Path
) -> None:
    path = tmp_path / "a.pdf"
    respx.get(URL).mock(side_effect=[truncated(b"12345", {"ETag": '"v1"'})])
    with pytest.raises(ServiceFailedError):
        web_of(max_attempts=1).download(URL, path, most_bytes=100, seconds=5, public_only=False)
    assert not path.exists()
    respx.clear()
    rest = respx.get(URL, headers={"Range": "bytes=5-", "If-Range": '"v1"'}).respond(
        206, content=b"6789", headers={"Content-Range": "bytes 5-8/9", "ETag": '"v1"'}
    )
    done = web_of().download(URL, path, most_bytes=100, seconds=5, public_only=False)
    assert rest.called
    assert path.read_bytes() == b"123456789"
    assert (done.size, done.sha256) == (9, hashlib.sha256(b"123456789").hexdigest())
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


@respx.mock
def test_a_download_of_a_changed_file_starts_again(web: PoliteWebClient, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    respx.get(URL).mock(
        side_effect=[
            truncated(b"old o", {"ETag": '"v1"'}),
            httpx.Response(200, content=b"new", headers={"ETag": '"v2"'}),
        ]
    )
    assert web.download(URL, path, most_bytes=100, seconds=5, public_only=False).size == 3
    assert path.read_bytes() == b"new"


@respx.mock
def test_a_download_over_its_limit_leaves_nothing(web: PoliteWebClient, tmp_path: Path) -> None:
    respx.get(URL).respond(content=bytes(1000))
    with pytest.raises(AnswerTooLargeError):
        web.download(URL, tmp_path / "a.pdf", most_bytes=999, seconds=5, public_only=False)
    assert list(tmp_path.iterdir()) == []


def truncated(start: bytes, headers: dict[str, str]) -> httpx.Response:
    """An answer whose connection ends before its body does."""

    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield start
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    return httpx.Response(200, headers=headers, stream=Breaking())


def test_requests_of_two_processes_share_the_rate_of_their_host(tmp_path: Path) -> None:
    with (
        replaying(lambda path, _: Reply(b"{}")) as server,
        assembled(tmp_path, rate=100) as first,
        assembled(tmp_path, rate=100) as second,  # of the same data folder
        ThreadPoolExecutor(8) as threads,
    ):
        started_at = time.time()
        clients = [first.web, second.web]
        for request in [threads.submit(clients[number % 2].get, server.url) for number in range(40)]:
            request.result()
        assert len(server.received) == 40
        (slot,) = first.settings.rate_limits_dir.iterdir()
        assert float(slot.read_text()) >= started_at + 40 / 100, "each request took its own slot"


def test_a_public_host_is_connected_to_at_its_checked_address_under_its_own_name(
    web: PoliteWebClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked_hosts: list[str] = []

    async def address_of(host: str, port: int) -> str:
        checked_hosts.append(host)
        return "127.0.0.1"

    def journal(path: str, _: Parameters) -> Reply:
        moved = Reply(b"", 302, headers={"Location": "/files/1.pdf"})  # relative to the name, not the address
        return moved if path == "/1.pdf" else Reply(b"%PDF-", media_type="application/pdf")

    monkeypatch.setattr(addresses, "_public_address", address_of)
    with replaying(journal) as server:
        port = server.host.partition(":")[2]
        url = f"http://journal.example:{port}/1.pdf"
        done = web.download(url, tmp_path / "1.pdf", most_bytes=100, seconds=5)
    assert checked_hosts == ["journal.example", "journal.example"]
    assert done.url == f"http://journal.example:{port}/files/1.pdf"
    assert done.headers["content-type"] == "application/pdf"


def test_an_unwritable_folder_is_unavailable_not_a_failed_document(
    web_of: Callable[..., PoliteWebClient], tmp_path: Path
) -> None:
    with replaying(lambda path, _: Reply(b"%PDF-")) as server, pytest.raises(StoreUnwritableError):
        web_of().download(
            server.url, Path("/proc/no-such/1.pdf"), most_bytes=100, seconds=5, public_only=False
        )
