"""What an answer means: which are good, which are worth repeating, which are final.

Comes in: status and headers of an answer, or the error of a connection. Leaves: nothing, or an error of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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

__all__ = ["check_status", "gave_up", "of_connection"]

_SHOWN_CHARACTERS = 200


def check_status(url: str, status: int, headers: Mapping[str, str], said: bytes) -> None:
    """Raise what a status other than 2xx and 304 means; `said` is the beginning of the body."""
    if 200 <= status < 300 or status == 304:
        return
    shown = " ".join(said.decode("utf-8", "replace").split())[:_SHOWN_CHARACTERS]
    told = f"{url}: HTTP {status}" + (f", {shown!r}" if shown else "")
    wait = retry_after(headers.get("retry-after"), datetime.now(UTC))
    if status == 429:
        raise RateLimitedError(f"{told}. The service asks us to slow down.", retry_after=wait)
    if status == 503:
        raise DagsterResourceUnavailableError(
            f"{told}. The service is away; run again later.", retry_after=wait
        )
    if status == 408 or status >= 500:
        raise ServiceError(f"{told}. It is asked again.", retry_after=wait)
    raise RequestRejectedError(f"{told}. The service refuses the request; check it.", status=status)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3); None without one."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def of_connection(url: str, error: httpx.HTTPError | httpx.InvalidURL) -> MedkgError:
    """What an error of the connection is to us: nobody there, cut off or silent, or no URL at all."""
    cause = str(error) or type(error).__name__
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AddressRefusedError(f"{url}: {cause}. Only http and https URLs are fetched.")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return DagsterResourceUnavailableError(
            f"{url}: the host does not answer ({cause}). Check this machine's network, or run again later."
        )
    return ServiceError(f"{url}: the answer broke off ({cause}). It is asked for again.")


def gave_up(error: TransientError, attempts: int) -> MedkgError:
    """The last error of all attempts, so that nobody repeats it at once."""
    if isinstance(error, RateLimitedError):
        return DagsterResourceUnavailableError(
            f"{error.message} So it did in {attempts} attempts; run again later.",
            retry_after=error.retry_after,
        )
    return ServiceFailedError(f"{error.message} This was the last of {attempts} attempts.")
