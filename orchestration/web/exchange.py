"""One attempt at a request: sent, redirects followed, read within its limit.

Comes in: a request and where its body goes. Leaves: a whole answer, or an error that says whether another
attempt is worth it. Runs in the event loop of the client.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx

from orchestration.contracts.web import Admit, Download, Params, WebAnswer
from orchestration.errors import AddressRefusedError, AnswerTooLargeError, ServiceError, StoreUnwritableError
from orchestration.web.answers import check_status, of_connection

__all__ = ["WebRequest", "fetched_to", "held"]

MOST_REDIRECTS: Final = 5
_ERROR_BYTES: Final = 2_000
_STRONG: Final = '"'


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What is asked."""

    url: str
    method: str = "GET"
    params: Params | None = None
    form: Params | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    admit: Admit | None = None
    timeout: float | None = None
    """Seconds of silence; None where the whole attempt is timed."""


@asynccontextmanager
async def answered(client: httpx.AsyncClient, request: WebRequest) -> AsyncIterator[httpx.Response]:
    """The answer behind all redirects, its body unread; errors of the connection as ours."""
    asked = request.url
    try:
        following: httpx.Request | None = client.build_request(
            request.method,
            request.url,
            params={name: str(value) for name, value in request.params.items()} if request.params else None,
            data={name: str(value) for name, value in request.form.items()} if request.form else None,
            headers=dict(request.headers),
            timeout=request.timeout,
        )
        for _ in range(MOST_REDIRECTS + 1):
            assert following is not None
            asked = str(following.url)
            if request.admit is not None:
                request.admit(asked)
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
        raise of_connection(asked, error) from error


async def held(client: httpx.AsyncClient, request: WebRequest, most_bytes: int) -> WebAnswer:
    """The whole answer in memory."""
    async with answered(client, request) as response:
        url = _plain_url(request)
        await _check(url, response)
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > most_bytes:
                raise _too_large(url, most_bytes)
        return WebAnswer(url, response.status_code, _headers(response), bytes(content))


async def fetched_to(client: httpx.AsyncClient, request: WebRequest, path: Path, most_bytes: int) -> Download:
    """The whole body as the file `path`; what is there of an earlier attempt is continued."""
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".etag")
    begun = _begun(part, tag)
    async with answered(client, _continuing(request, begun)) as response:
        if response.status_code == 416:  # what is there is not what the server has
            _forget(part, tag)
            raise ServiceError(f"{request.url}: changed while it was fetched. It is asked for anew.")
        await _check(request.url, response)
        continued = response.status_code == 206 and begun is not None and _begins_at(response, begun[0])
        await _written(response, part, tag, most_bytes, request.url, continued=continued)
        url, headers = str(response.url), _headers(response)
    digest, size = await anyio.to_thread.run_sync(_hashed, part)
    part.replace(path)
    tag.unlink(missing_ok=True)
    return Download(url, path, size, digest, headers)


# --- parts -----------------------------------------------------------------------------------------


async def _check(url: str, response: httpx.Response) -> None:
    if response.is_success or response.status_code == 304:
        return
    said = bytearray()
    async for piece in response.aiter_bytes():
        said += piece
        if len(said) >= _ERROR_BYTES:
            break
    check_status(url, response.status_code, _headers(response), bytes(said[:_ERROR_BYTES]))
    raise AddressRefusedError(f"{url}: HTTP {response.status_code}, a redirect to nowhere. Check the URL.")


def _plain_url(request: WebRequest) -> str:
    """The URL without its parameters, which may hold a key."""
    return request.url.partition("?")[0]


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _too_large(url: str, most_bytes: int) -> AnswerTooLargeError:
    return AnswerTooLargeError(
        f"{url}: the answer has more than {most_bytes:,} bytes, the limit of its kind. It is not taken."
    )


def _begun(part: Path, tag: Path) -> tuple[int, str] | None:
    """Bytes that an earlier attempt left, and the validator they were sent with."""
    try:
        return part.stat().st_size, tag.read_text()
    except FileNotFoundError:
        return None


def _continuing(request: WebRequest, begun: tuple[int, str] | None) -> WebRequest:
    headers = {**request.headers, "Accept-Encoding": "identity"}
    if begun is not None and begun[0] > 0:
        headers |= {"Range": f"bytes={begun[0]}-", "If-Range": begun[1]}
    return WebRequest(
        request.url, headers=headers, params=request.params, admit=request.admit, timeout=request.timeout
    )


def _begins_at(response: httpx.Response, position: int) -> bool:
    told: str = response.headers.get("content-range", "")
    return told.startswith(f"bytes {position}-")


async def _written(
    response: httpx.Response, part: Path, tag: Path, most_bytes: int, url: str, *, continued: bool
) -> None:
    if response.status_code == 206 and not continued:
        _forget(part, tag)
        raise ServiceError(f"{url}: another part than the one asked for was sent. It is asked for anew.")
    etag = response.headers.get("etag", "")
    _keep_tag(tag, etag if etag.startswith(_STRONG) else response.headers.get("last-modified"))
    size = part.stat().st_size if continued else 0
    try:
        with part.open("ab" if continued else "wb") as file:
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > most_bytes:
                    raise _too_large(url, most_bytes)
                file.write(piece)
    except AnswerTooLargeError:
        _forget(part, tag)
        raise
    except OSError as error:
        raise StoreUnwritableError(
            f"{part} cannot be written: {error.strerror or error}. Make room, then run again."
        ) from error


def _keep_tag(tag: Path, validator: str | None) -> None:
    if validator:
        tag.write_text(validator)
    else:
        tag.unlink(missing_ok=True)


def _forget(part: Path, tag: Path) -> None:
    part.unlink(missing_ok=True)
    tag.unlink(missing_ok=True)


def _hashed(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
