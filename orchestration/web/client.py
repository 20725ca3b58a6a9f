"""The web client: requests of many threads, each under the policy of its host.

Comes in: a URL and what to do with its body. Leaves: a whole answer or a file, or an error that nobody needs
to repeat at once. One event loop in a thread of its own carries connections, limiters and breakers from call
to call. Rate, attempts, waits and Retry-After are the guard's; nothing here repeats anything.
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
    Download,
    Params,
    Validators,
    WebAnswer,
)
from orchestration.errors import AddressRefusedError, TransientError
from orchestration.web.addresses import PublicTransport
from orchestration.web.answers import gave_up
from orchestration.web.exchange import WebRequest, fetched_to, held

__all__ = ["HostGuard", "PoliteWebClient", "user_agent"]

T = TypeVar("T")


class HostGuard(Protocol):
    """A policy at work, as the resilience room makes it."""

    @property
    def policy(self) -> Any:
        """Has `max_attempts` and `timeout_seconds`."""
        ...

    async def call(
        self, action: Callable[[], Awaitable[T]], resource: str = "", timeout_seconds: float | None = None
    ) -> T: ...


Guarding = Callable[[str], HostGuard]
"""The guard of a policy's name; raises ConfigurationError for an unknown one."""


def user_agent(version: str, contact: str | None) -> str:
    """How we introduce ourselves: services ask for a way to reach whoever runs a client."""
    return f"medkg/{version} (mailto:{contact})" if contact else f"medkg/{version}"


@dataclass(frozen=True, slots=True)
class _Clients:
    anywhere: httpx.AsyncClient
    public: httpx.AsyncClient


class PoliteWebClient:
    """WebClient over httpx; close it once."""

    def __init__(self, guarding: Guarding, agent: str, private_hosts: Collection[str] = ()) -> None:
        """`guarding` gives this client's own guards, which live in its event loop alone."""
        self._guarding = guarding
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
        sent = {**(headers or {}), **{name: value for name, value in conditions.items() if value}}
        return self._held(WebRequest(url, params=params, headers=sent), policy, most_bytes, check)

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
        return self._held(request, policy, most_bytes, check)

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
    ) -> Download:
        guard = self._guarding(policy)
        client = self._clients.public if public_only else self._clients.anywhere
        request = WebRequest(
            url, headers=headers or {}, admit=admit, timeout=float(guard.policy.timeout_seconds)
        )
        return self._guarded(guard, url, lambda: fetched_to(client, request, path, most_bytes), seconds)

    # --- the way through the guard ------------------------------------------------------------------

    def _held(self, request: WebRequest, policy: str, most_bytes: int, check: Check | None) -> WebAnswer:
        client = self._clients.anywhere

        async def attempt() -> WebAnswer:
            answer = await held(client, request, most_bytes)
            if check is not None and not answer.unchanged:
                check(answer)
            return answer

        return self._guarded(self._guarding(policy), request.url, attempt)

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
            raise gave_up(error, guard.policy.max_attempts) from error
        finally:
            running.cancel()
        return result


def _host(url: str) -> str:
    """The host of a URL, whose rate it is; raises AddressRefusedError for what is none of the web's."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressRefusedError(f"{url}: no URL ({error}). Check the address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefusedError(f"{url}: no http or https URL. Check the address.")
    return parts.netloc.rpartition("@")[2].lower()
