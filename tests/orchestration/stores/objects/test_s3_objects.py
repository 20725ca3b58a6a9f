"""Objects on a real S3 server pass the suite; what is wrong with server, bucket or user is named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from medkg.testing.object_store_suite import ObjectStoreSuite, data, keys
from orchestration.contracts.objects import ObjectStore
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    ExitCode,
    MedkgError,
    RequestRejectedError,
    StoreUnwritableError,
)
from orchestration.stores.objects.opening import open_objects

USES: list[Callable[[ObjectStore], object]] = [
    lambda store: store.put("a", b"1"),
    lambda store: store.create("a", b"1"),
    lambda store: store.get("a"),
    lambda store: list(store.list("a")),
    lambda store: store.folders("a"),
    lambda store: store.delete(["a"]),
]
every_use = pytest.mark.parametrize("use", USES, ids=["put", "create", "get", "list", "folders", "delete"])


@pytest.fixture
def reopen(s3_url: str) -> Callable[[], ObjectStore]:
    return lambda: open_objects(s3_url)


@pytest.fixture
def store(reopen: Callable[[], ObjectStore]) -> ObjectStore:
    return reopen()


@pytest.mark.needs_service("s3")
class TestS3Objects(ObjectStoreSuite):
    pass


@pytest.mark.needs_service("s3")
def test_a_large_object_comes_back_whole(store: ObjectStore) -> None:
    content = bytes(70 * 2**20)
    store.put("large", content)
    assert data(store, "large") == content


@pytest.mark.needs_service("s3")
def test_two_prefixes_of_a_bucket_are_two_stores(s3_url: str) -> None:
    first, other = open_objects(f"{s3_url}/one"), open_objects(f"{s3_url}/other")
    first.put("a/b", b"1")
    assert other.get("a/b") is None
    assert keys(other, "a") == []
    assert data(open_objects(s3_url), "one/a/b") == b"1"


@pytest.mark.needs_service("s3")
@every_use
def test_a_bucket_that_is_not_there_is_named_with_its_setting(
    s3_url: str, use: Callable[[ObjectStore], object]
) -> None:
    with pytest.raises(ConfigurationError, match=r"s3://no-such-bucket/p: .*MEDKG_OBJECTS_URL"):
        use(open_objects("s3://no-such-bucket/p"))


@pytest.mark.needs_service("s3")
@every_use
@pytest.mark.parametrize("wrong", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_a_user_that_the_server_does_not_know_is_reported_without_the_secret(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, wrong: str, use: Callable[[ObjectStore], object]
) -> None:
    monkeypatch.setenv(wrong, "not-to-be-printed")
    with pytest.raises(ConfigurationError, match=wrong) as raised:
        use(open_objects(s3_url))
    assert "not-to-be-printed" not in str(raised.value)


def test_half_of_a_pair_of_credentials_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        open_objects("s3://bucket/p")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")


@every_use
def test_a_server_that_is_unavailable_is_one_to_wait_for(
    credentials: None, monkeypatch: pytest.MonkeyPatch, use: Callable[[ObjectStore], object]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(DagsterResourceUnavailableError, match=r"s3://bucket/p: .*start it") as raised:
        use(open_objects("s3://bucket/p"))
    assert raised.value.exit_code == ExitCode.UNAVAILABLE


@contextmanager
def a_server_that_answers(status: int, code: str) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the requests it had."""
    requests: list[str] = []
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>So.</Message></Error>'.encode()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            requests.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", DagsterResourceUnavailableError),
        (503, "SlowDown", DagsterResourceUnavailableError),
        (429, "TooManyRequests", DagsterResourceUnavailableError),
        (400, "RequestTimeout", DagsterResourceUnavailableError),
        (507, "XMinioStorageFull", StoreUnwritableError),
        (403, "QuotaExceeded", StoreUnwritableError),
        (403, "AccessDenied", ConfigurationError),
        (400, "AuthorizationHeaderMalformed", ConfigurationError),
        (404, "NoSuchBucket", ConfigurationError),
        (501, "NotImplemented", ConfigurationError),
        (400, "EntityTooLarge", RequestRejectedError),
    ],
)
def test_each_refusal_is_the_error_it_means_and_is_not_repeated(
    credentials: None, monkeypatch: pytest.MonkeyPatch, status: int, code: str, kind: type[MedkgError]
) -> None:
    with a_server_that_answers(status, code) as (address, requests):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_objects("s3://bucket/p")
        for use in USES:
            requests.clear()
            with pytest.raises(kind, match=code):
                use(store)
            assert len(requests) == 1
