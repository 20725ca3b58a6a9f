"""Files from the web: streamed to disk, within limits, taken up where a broken try ended.

Comes in: a URL that somebody else wrote. Leaves: a file on disk, or an error that says whether to try
again. What a broken try had fetched stays beside it under the URL's hash, and is asked to be continued
(Range, If-Range), so a large file over a poor line comes in after all.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, Self

import httpx

from orchestration.contracts.downloads import FetchedFile
from orchestration.errors import (
    DocumentTooLargeError,
    DownloadRefusedError,
    MedkgError,
    RateLimitedError,
    RequestRejectedError,
    ServiceError,
    StoreUnwritableError,
)
from orchestration.processes.lock_file import try_lock
from orchestration.web.public_hosts import PublicHosts, check_link

__all__ = ["FileDownload"]

MOST_REDIRECTS: Final = 10
IDLE_SECONDS: Final = 20.0
"""Without a byte for so long, a server is taken to be away."""


class FileDownload:
    """FileFetcher over httpx; thread-safe for different URLs."""

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        most_seconds: float,
        user_agent: str,
        allowed: Collection[str] = (),
        private: Collection[str] = (),
    ) -> None:
        """`folder` keeps what is under way. `allowed` and `private` are those of PublicHosts."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._client = httpx.Client(
            transport=PublicHosts(httpx.HTTPTransport(), allowed, private),
            follow_redirects=True,
            max_redirects=MOST_REDIRECTS,
            timeout=IDLE_SECONDS,
            headers={"User-Agent": user_agent, "Accept": "application/pdf, */*;q=0.1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def fetch(self, url: str) -> Iterator[FetchedFile]:
        """The file at a URL; see FileFetcher. ServiceError while another process or thread fetches it."""
        name = hashlib.sha256(url.encode()).hexdigest()
        with _named(url):
            check_link(url)
            lock = try_lock(self._folder / f"{name}.lock")
        if lock is None:
            raise ServiceError(f"{url} is being fetched for another document; another try may do.")
        with lock:
            begun = _Begun(self._folder, name)
            with _named(url):
                fetched = self._fetched(url, begun)
            yield fetched
            begun.forget()

    def _fetched(self, url: str, begun: _Begun) -> FetchedFile:
        with self._client.stream("GET", url, headers=begun.headers()) as response:
            self._check(url, response)
            begun.accept(response)
            self._write(url, response, begun)
        return FetchedFile(
            path=begun.part,
            url=str(response.url),
            content_type=response.headers.get("Content-Type"),
            etag=response.headers.get("ETag"),
            size=begun.size,
        )

    def _check(self, url: str, response: httpx.Response) -> None:
        status = response.status_code
        if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            return
        said = f"{url}: the server answered {status} {response.reason_phrase}"
        if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            raise RateLimitedError(f"{said}; later it may not.", retry_after=_retry_after(response))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise ServiceError(f"{said}; another try may do.")
        raise RequestRejectedError(f"{said}. Look at it in a browser: it may need a subscription.")

    def _write(self, url: str, response: httpx.Response, begun: _Begun) -> None:
        """Append the body to what is there, within the limits."""
        until = time.monotonic() + self._most_seconds
        size = begun.size
        with begun.part.open("ab") as file:
            for piece in response.iter_bytes():
                size += len(piece)
                if size > self._most_bytes:
                    begun.forget()
                    raise DocumentTooLargeError(
                        f"{url}: more than {self._most_bytes:,} bytes. Leave it out, or raise "
                        "MEDKG_MAX_DOCUMENT_BYTES."
                    )
                file.write(piece)
                if time.monotonic() > until:
                    raise ServiceError(
                        f"{url}: {size:,} bytes in {self._most_seconds:.0f} s, and not through; the next try "
                        "goes on from there."
                    )


class _Begun:
    """What is there of a URL's file, and under which validator it can be continued."""

    def __init__(self, folder: Path, name: str) -> None:
        self.part = folder / f"{name}.part"
        self._note = folder / f"{name}.json"
        self._etag = self._noted()
        if self._etag is None:
            self.forget()

    def _noted(self) -> str | None:
        try:
            return str(json.loads(self._note.read_text(encoding="utf-8"))["etag"])
        except (OSError, ValueError, KeyError, TypeError):  # none, or cut off when its writer was
            return None

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def headers(self) -> dict[str, str]:
        """What asks for the rest alone, if the file is still the same."""
        if self._etag is None or self.size == 0:
            return {}
        # a coded answer's ranges would be those of the code
        return {"Range": f"bytes={self.size}-", "If-Range": self._etag, "Accept-Encoding": "identity"}

    def accept(self, response: httpx.Response) -> None:
        """Keep what is there if the answer continues it, and note how the next try can continue this one."""
        continues = response.status_code == httpx.codes.PARTIAL_CONTENT and response.headers.get(
            "Content-Range", ""
        ).startswith(f"bytes {self.size}-")
        if not continues:
            self.forget()
            if response.status_code == httpx.codes.PARTIAL_CONTENT:
                raise ServiceError(f"{response.url}: the server gave another part than it was asked for.")
        etag = response.headers.get("ETag", "")
        if etag.startswith('"') and response.headers.get("Accept-Ranges") == "bytes":
            self._note.write_text(json.dumps({"etag": etag}), encoding="utf-8")

    def forget(self) -> None:
        """Begin anew."""
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


@contextmanager
def _named(url: str) -> Iterator[None]:
    """httpx's errors as ours."""
    try:
        yield
    except MedkgError:
        raise
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
        raise DownloadRefusedError(f"{url}: {error}. Check the link in its record.") from error
    except httpx.HTTPError as error:
        reason: Any = str(error) or type(error).__name__
        raise ServiceError(f"{url}: {reason}; another try may do.") from error
    except OSError as error:
        raise StoreUnwritableError(f"{url}: {error.strerror}. Make room for downloads.") from error


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3); None if it does not say."""
    given = response.headers.get("Retry-After", "")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
