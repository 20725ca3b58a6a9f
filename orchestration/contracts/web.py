"""Clients of web services: rate limits, size limits and errors of medkg for every request.

Every request runs under a policy of resilience.yaml, per host: rate, time-out, attempts, Retry-After. An
answer is complete and within its size limit, or an error that no stage needs to repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from orchestration.errors import ServiceError

POLITE: Final = "polite-api"
"""Policy of public services without their own policy."""

PAGE_BYTES: Final = 64_000_000
"""Maximum size of an answer in memory, in bytes after decompression."""

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Validators:
    """Validators of a conditional request: an unchanged answer is not sent again."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """A complete answer: 2xx, or 304 to a conditional request."""

    url: str
    """Its address, after redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def unchanged(self) -> bool:
        """Whether the answer to a conditional request is 304; `content` is empty then."""
        return self.status == 304

    @property
    def validators(self) -> Validators:
        """Validators of the next request of the same address."""
        return Validators(self.headers.get("etag"), self.headers.get("last-modified"))

    def json(self) -> Any:
        """Return the content as JSON; raises ServiceError (transient: it is usually truncated)."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise ServiceError(
                f"{self.url}: the answer is no JSON ({error}); it may be cut off. It is asked for again."
            ) from error


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A file that was downloaded completely."""

    url: str
    """Its address, after redirects."""
    path: Path
    size: int
    """Bytes."""
    sha256: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last answer, names in lower case; content-type says what the server calls it."""


Admit = Callable[[str], None]
"""Raises AddressRefusedError for a URL that must not be requested."""

Check = Callable[[WebAnswer], None]
"""Raises a TransientError for an answer that is to be requested again, a PermanentError for a wrong one."""


class WebClient(Protocol):
    """HTTP client under the policies of resilience.yaml.

    Guarantees. Requests of one host follow its rate limit, in this process and in others. An answer is
    complete or an error; only `download` continues an interrupted answer. Thread-safe: calls of several
    threads run in parallel.

    All methods raise: RequestRejectedError (4xx, with its `status`), ServiceFailedError (failed at every
    attempt of the policy), AnswerTooLargeError, AddressRefusedError, and DagsterResourceUnavailableError when
    the host is unavailable or asks for a longer wait than `unavailable_seconds`. None of them is transient,
    so the policy of a stage does not multiply attempts.
    """

    def get(
        self,
        url: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        policy: str = POLITE,
        most_bytes: int = PAGE_BYTES,
        validators: Validators | None = None,
        check: Check | None = None,
    ) -> WebAnswer:
        """Return the answer to a GET, conditional with `validators`. `check` is part of each attempt."""
        ...

    def post(
        self,
        url: str,
        form: Params,
        *,
        headers: Mapping[str, str] | None = None,
        policy: str = POLITE,
        most_bytes: int = PAGE_BYTES,
        check: Check | None = None,
    ) -> WebAnswer:
        """Return the answer to a POST of a form; retried like a GET, so only for requests without effects."""
        ...

    def post_json(
        self,
        url: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        policy: str = POLITE,
        most_bytes: int = PAGE_BYTES,
        check: Check | None = None,
    ) -> WebAnswer:
        """Return the answer to a POST of a JSON object; retried like a GET, as `post`."""
        ...

    def download(
        self,
        url: str,
        path: Path,
        *,
        most_bytes: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        policy: str = POLITE,
        admit: Admit | None = None,
        public_only: bool = True,
    ) -> DownloadedFile:
        """Download a file to `path`, which exists once it is complete; not flushed.

        Bytes received before an error, also in an earlier call, stay beside it (`.part`) and are continued if
        the server can. `admit` checks the URL and each redirect. `public_only` refuses addresses of private
        networks when the connection is made. The time-out of the policy bounds silence, `seconds` the whole.
        """
        ...
