"""The web client: requests of many threads, each under the policy of its host.

Comes in: a URL and the use of its body. Leaves: a complete answer or a file, or an error that the caller need
not repeat. Connections, limiters and breakers live in an event loop in a separate thread from call to call.
The guard enforces rate, attempts, waits and Retry-After; this module repeats nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from orchestration.contracts.web import (
    PAGE_BYTES,
    POLITE,
    Admit,
    Check,
    DownloadedFile,
    Params,
    Validators,
    WebAnswer,
)
from orchestration.errors import AddressRefusedError, TransientError
from orchestration.shown_addresses import shown
from orchestration.web.addresses import PublicTransport
from orchestration.web.answers import last_error
from orchestration.web.exchange import WebRequest, download_to, read_answer

__all__ = ["HostGuard", "PoliteWebClient", "user_agent"]

T = TypeVar("T")


class HostGuard(Protocol):
    """A guard of the resilience room."""

    @property
    def policy(self) -> Any:
        """Has `max_attempts` and `timeout_seconds`."""
        ...

    async def call(
        self, action: Callable[[], Awaitable[T]], resource: str = "", timeout_seconds: float | None = None
    ) -> T: ...


GuardOf = Callable[[str], HostGuard]
"""Returns the guard of a policy; raises ConfigurationError for an unknown name."""


def user_agent(version: str, contact: str | None) -> str:
    """The User-Agent header; services ask for a contact of the person who runs a client."""
    return f"medkg/{version} (mailto:{contact})" if contact else f"medkg/{version}"


@dataclass(frozen=True, slots=True)
class _Clients:
    anywhere: httpx.AsyncClient
    public: httpx.AsyncClient


class PoliteWebClient:
    """WebClient over httpx; close it once."""

    def __init__(self, guard_of: GuardOf, agent: str, private_hosts: Collection[str] = ()) -> None:
        """`guard_of` returns guards of this client alone, since they belong to its event loop."""
        self._guard_of = guard_of
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal(name="web"))
        headers = {"User-Agent": agent}
        self._clients = _Clients(
            httpx.AsyncClient(headers=headers),
            httpx.AsyncClient(headers=headers, transport=PublicTransport(private_hosts)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and the event loop."""
        self._portal.call(self._clients.anywhere.aclose)
        self._portal.call(self._clients.public.aclose)
        self._stack.close()

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
        conditions = {
            "If-None-Match": validators.etag if validators else None,
            "If-Modified-Since": validators.last_modified if validators else None,
        }
        all_headers = {**(headers or {}), **{name: value for name, value in conditions.items() if value}}
        return self._in_memory(WebRequest(url, params=params, headers=all_headers), policy, most_bytes, check)

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
        request = WebRequest(url, "POST", form=form, headers=headers or {})
        return self._in_memory(request, policy, most_bytes, check)

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
        request = WebRequest(url, "POST", body=body, headers=headers or {})
        return self._in_memory(request, policy, most_bytes, check)

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
        guard = self._guard_of(policy)
        client = self._clients.public if public_only else self._clients.anywhere
        request = WebRequest(
            url, headers=headers or {}, admit=admit, timeout=float(guard.policy.timeout_seconds)
        )
        return self._guarded(guard, url, lambda: download_to(client, request, path, most_bytes), seconds)

    # --- requests under the guard -------------------------------------------------------------------

    def _in_memory(self, request: WebRequest, policy: str, most_bytes: int, check: Check | None) -> WebAnswer:
        client = self._clients.anywhere

        async def attempt() -> WebAnswer:
            answer = await read_answer(client, request, most_bytes)
            if check is not None and not answer.unchanged:
                check(answer)
            return answer

        return self._guarded(self._guard_of(policy), request.url, attempt)

    def _guarded(
        self,
        guard: HostGuard,
        url: str,
        attempt: Callable[[], Awaitable[T]],
        seconds: float | None = None,
    ) -> T:
        host = _host(url)
        running = self._portal.start_task_soon(guard.call, attempt, host, seconds)
        try:
            result: T = running.result()
        except TransientError as error:
            raise last_error(error, guard.policy.max_attempts) from error
        finally:
            running.cancel()
        return result


def _host(url: str) -> str:
    """The host of a URL; raises AddressRefusedError for a URL that is not http or https."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressRefusedError(f"{shown(url)}: not a URL ({error}). Check the address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefusedError(f"{shown(url)}: not an http or https URL. Check the address.")
    return parts.netloc.rpartition("@")[2].lower()
