"""What talking to web services promises: restraint, limits and errors of ours, whoever asks.

Every request runs under a policy of resilience.yaml that holds for its host: rate, time-out, attempts,
Retry-After. What comes back is whole and within its size limit, or an error that no stage needs to repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from orchestration.errors import ServiceError

POLITE: Final = "polite-api"
"""Policy of public services that name no other restraint."""

PAGE_BYTES: Final = 64_000_000
"""Most bytes of an answer that is held in memory, unpacked."""

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional: the answer is not sent again while it is the same."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """An answer that came whole: 2xx, or 304 to a conditional request."""

    url: str
    """Where it came from, after redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def unchanged(self) -> bool:
        """Whether a conditional request was told that nothing changed; `content` is empty then."""
        return self.status == 304

    @property
    def validators(self) -> Validators:
        """What makes the next request of the same conditional."""
        return Validators(self.headers.get("etag"), self.headers.get("last-modified"))

    def json(self) -> Any:
        """The content as JSON; raises ServiceError (worth repeating: it is usually cut off) if it is none."""
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
    """Where it came from, after redirects."""
    path: Path
    size: int
    """Bytes."""
    sha256: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last answer, names in lower case; content-type says what the server calls it."""


Admit = Callable[[str], None]
"""Raises AddressRefusedError for a URL that may not be asked."""

Check = Callable[[WebAnswer], None]
"""Raises a TransientError for an answer that is to be asked for again, a PermanentError for a wrong one."""


class WebClient(Protocol):
    """HTTP with the manners of a good citizen. Thread-safe: calls of several threads run side by side.

    All methods raise: RequestRejectedError (4xx, with its `status`), ServiceFailedError (failed at every
    attempt of the policy), AnswerTooLargeError, AddressRefusedError, and DagsterResourceUnavailableError when
    the host is away or asks for more patience than `unavailable_seconds`. None of them is worth repeating at
    once, so a stage's own policy multiplies no attempts.
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
        """The answer to a GET; with `validators` a conditional one. `check` is part of each attempt."""
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
        """The answer to a POST of a form; repeated like a GET, so only for requests that change nothing."""
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
        """Fetch a file to `path`, which is there when it is whole; not flushed.

        What came before an error, in an earlier call too, lies beside it (`.part`) and is continued where the
        server can. `admit` sees the URL and each redirect. `public_only`: no address of a private network,
        looked at when the connection is made. The policy's time-out is for silence, `seconds` for all of it.
        """
        ...
