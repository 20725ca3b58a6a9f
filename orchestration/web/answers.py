"""Maps answers and connection errors of web services to medkg errors: transient, permanent or unavailable.

Comes in: status and headers of an answer, or the error of a connection. Leaves: nothing for a good answer, or
the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from orchestration.errors import (
    AddressRefusedError,
    DagsterResourceUnavailableError,
    MedkgError,
    RateLimitedError,
    RequestRejectedError,
    ServiceError,
    ServiceFailedError,
    TransientError,
)
from orchestration.formats.retry_after import retry_after
from orchestration.shown_addresses import shown

__all__ = ["check_status", "connection_error", "last_error"]

_SHOWN_CHARACTERS = 200
"""Characters of an answer's body that an error quotes."""


def check_status(url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise the error of a status other than 2xx and 304; `body` is the beginning of the answer's body."""
    if 200 <= status < 300 or status == 304:
        return
    quoted = " ".join(body.decode("utf-8", "replace").split())[:_SHOWN_CHARACTERS]
    answer = f"{shown(url)}: HTTP {status}" + (f", {quoted!r}" if quoted else "")
    wait = retry_after(headers.get("retry-after"), datetime.now(UTC))
    if status == 429:
        raise RateLimitedError(f"{answer}. The service asks for a lower rate.", retry_after=wait)
    if status == 503:
        raise DagsterResourceUnavailableError(
            f"{answer}. The service is unavailable; run again later.", retry_after=wait
        )
    if status == 408 or status >= 500:
        raise ServiceError(f"{answer}. The request is repeated.", retry_after=wait)
    raise RequestRejectedError(f"{answer}. The service refuses the request; check it.", status=status)


def connection_error(url: str, error: httpx.HTTPError | httpx.InvalidURL) -> MedkgError:
    """The medkg error of a connection error: unavailable, interrupted or silent, or an invalid URL."""
    cause = str(error) or type(error).__name__
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AddressRefusedError(f"{shown(url)}: {cause}. Only http and https URLs are fetched.")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return DagsterResourceUnavailableError(
            f"{shown(url)}: the host does not answer ({cause}). Check this machine's network, or run again "
            "later."
        )
    return ServiceError(f"{shown(url)}: the answer was interrupted ({cause}). The request is repeated.")


def last_error(error: TransientError, attempts: int) -> MedkgError:
    """The error after the last attempt, of a kind that no stage's policy repeats."""
    if isinstance(error, RateLimitedError):
        return DagsterResourceUnavailableError(
            f"{error.message} All {attempts} attempts were refused so; run again later.",
            retry_after=error.retry_after,
        )
    return ServiceFailedError(f"{error.message} This was the last of {attempts} attempts.")
