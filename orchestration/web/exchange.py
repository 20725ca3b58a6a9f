"""One attempt of a request: sends it, follows redirects, reads the answer within its limit.

Comes in: a request and the destination of its body. Leaves: a complete answer, or an error whose kind decides
about another attempt. Runs in the event loop of the client.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from orchestration.contracts.web import Admit, DownloadedFile, Params, WebAnswer
from orchestration.errors import AddressRefusedError, AnswerTooLargeError, ServiceError, StoreUnwritableError
from orchestration.shown_addresses import shown
from orchestration.web.answers import check_status, connection_error

__all__ = ["WebRequest", "download_to", "read_answer"]

MOST_REDIRECTS: Final = 5
_ERROR_BYTES: Final = 2_000
_STRONG: Final = '"'


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request."""

    url: str
    method: str = "GET"
    params: Params | None = None
    form: Params | None = None
    body: Mapping[str, Any] | None = None
    """Sent as JSON; None: no JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    admit: Admit | None = None
    timeout: float | None = None
    """Most seconds without data; None where the attempt as a whole has a time-out."""


@asynccontextmanager
async def answered(client: httpx.AsyncClient, request: WebRequest) -> AsyncIterator[httpx.Response]:
    """The answer behind all redirects, its body unread; raises connection errors as medkg errors."""
    url = request.url
    try:
        following: httpx.Request | None = client.build_request(
            request.method,
            request.url,
            params={name: str(value) for name, value in request.params.items()} if request.params else None,
            data={name: str(value) for name, value in request.form.items()} if request.form else None,
            json=request.body,
            headers=dict(request.headers),
            timeout=request.timeout,
        )
        for _ in range(MOST_REDIRECTS + 1):
            assert following is not None
            url = str(following.url)
            if request.admit is not None:
                request.admit(url)
            response = await client.send(following, stream=True)
            following = response.next_request
            if following is None:
                break
            await response.aclose()
        else:
            raise AddressRefusedError(f"{request.url}: more than {MOST_REDIRECTS} redirects. Check the URL.")
        try:
            yield response
        finally:
            await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise connection_error(url, error) from error


async def read_answer(client: httpx.AsyncClient, request: WebRequest, most_bytes: int) -> WebAnswer:
    """Read the whole answer into memory."""
    async with answered(client, request) as response:
        url = _plain_url(request)
        await _check(url, response)
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > most_bytes:
                raise _too_large(url, most_bytes)
        return WebAnswer(url, response.status_code, _headers(response), bytes(content))


async def download_to(
    client: httpx.AsyncClient, request: WebRequest, path: Path, most_bytes: int
) -> DownloadedFile:
    """Write the whole body to the file `path`; continues the part of an interrupted attempt."""
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".etag")
    partial = _partial(part, tag)
    async with answered(client, _continuing(request, partial)) as response:
        if response.status_code == 416:  # the part is not of the server's file
            _discard(part, tag)
            raise ServiceError(f"{request.url}: changed during the download. It is requested again.")
        await _check(request.url, response)
        continued = response.status_code == 206 and partial is not None and _starts_at(response, partial[0])
        await _write(response, part, tag, most_bytes, request.url, continued=continued)
        url, headers = str(response.url), _headers(response)
    digest, size = await anyio.to_thread.run_sync(_hashed, part)
    part.replace(path)
    tag.unlink(missing_ok=True)
    return DownloadedFile(url, path, size, digest, headers)


# --- parts -----------------------------------------------------------------------------------------


async def _check(url: str, response: httpx.Response) -> None:
    if response.is_success or response.status_code == 304:
        return
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= _ERROR_BYTES:
            break
    check_status(url, response.status_code, _headers(response), bytes(body[:_ERROR_BYTES]))
    raise AddressRefusedError(
        f"{shown(url)}: HTTP {response.status_code}, a redirect without a target. Check the URL."
    )


def _plain_url(request: WebRequest) -> str:
    """The URL without its parameters, which may contain a key."""
    return request.url.partition("?")[0]


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _too_large(url: str, most_bytes: int) -> AnswerTooLargeError:
    return AnswerTooLargeError(
        f"{shown(url)}: the answer has more than {most_bytes:,} bytes, the limit of its kind. It is "
        "discarded."
    )


def _partial(part: Path, tag: Path) -> tuple[int, str] | None:
    """Number of bytes of an interrupted attempt, and their validator."""
    try:
        return part.stat().st_size, tag.read_text()
    except FileNotFoundError:
        return None


def _continuing(request: WebRequest, partial: tuple[int, str] | None) -> WebRequest:
    headers = {**request.headers, "Accept-Encoding": "identity"}
    if partial is not None and partial[0] > 0:
        headers |= {"Range": f"bytes={partial[0]}-", "If-Range": partial[1]}
    return WebRequest(
        request.url, headers=headers, params=request.params, admit=request.admit, timeout=request.timeout
    )


def _starts_at(response: httpx.Response, position: int) -> bool:
    content_range: str = response.headers.get("content-range", "")
    return content_range.startswith(f"bytes {position}-")


async def _write(
    response: httpx.Response, part: Path, tag: Path, most_bytes: int, url: str, *, continued: bool
) -> None:
    if response.status_code == 206 and not continued:
        _discard(part, tag)
        raise ServiceError(
            f"{shown(url)}: the server sent another part than the requested one. The file is requested again."
        )
    etag = response.headers.get("etag", "")
    _save_tag(tag, etag if etag.startswith(_STRONG) else response.headers.get("last-modified"))
    size = part.stat().st_size if continued else 0
    try:
        with part.open("ab" if continued else "wb") as file:
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > most_bytes:
                    raise _too_large(url, most_bytes)
                file.write(piece)
    except AnswerTooLargeError:
        _discard(part, tag)
        raise
    except OSError as error:
        raise StoreUnwritableError(
            f"{part} cannot be written: {error.strerror or error}. Make room, then run again."
        ) from error


def _save_tag(tag: Path, validator: str | None) -> None:
    if validator:
        tag.write_text(validator)
    else:
        tag.unlink(missing_ok=True)


def _discard(part: Path, tag: Path) -> None:
    part.unlink(missing_ok=True)
    tag.unlink(missing_ok=True)


def _hashed(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
