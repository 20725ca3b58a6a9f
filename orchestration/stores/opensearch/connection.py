"""The connection to OpenSearch: errors that name the server, and bulk writes a few requests at a time.

Comes in: a URL; requests; bulk actions. Leaves: answers, or DagsterResourceUnavailableError when the server
is unavailable, overloaded or refuses us for now, and RequestRejectedError for what it will never take: in a
bulk write ItemsRefusedError, which names each entry; all others are written. Nothing is repeated here: a
server that throttles (429) is one to wait for, as the stage's policy says; a write that is repeated goes
over itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
from opensearchpy import AsyncOpenSearch, OpenSearch
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    ConnectionError,
    ImproperlyConfigured,
    OpenSearchException,
    SSLError,
    TransportError,
)
from opensearchpy.helpers import BulkIndexError, async_streaming_bulk

from orchestration.batching import batched
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    ItemsRefusedError,
    MedkgError,
    RequestRejectedError,
    StoreUnwritableError,
)

__all__ = ["Connection"]

SECONDS: Final = 60.0
"""Of one request; the stage's own timeout is shorter where it matters."""

STREAMS: Final = 4
"""Bulk requests in flight at once, each waiting for its answer: more only fills the server's queue."""

ACTIONS: Final = 250
BYTES: Final = 4 * 2**20
"""Most of one bulk request."""

REFUSED_FOR_AN_ITEM: Final = frozenset({400, 413})
"""Answers to a bulk request that one of its items may be the cause of."""

FULL: Final = frozenset({"disk_usage_exceeded", "cluster_block_exception"})


class Connection:
    """One cluster; thread-safe."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                "the OpenSearch URL (MEDKG_OPENSEARCH_URL) is not http(s)://[USER:PASSWORD@]HOST:PORT."
            )
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.name = f"OpenSearch at {parts.scheme}://{parts.hostname}:{port}"
        self._options: dict[str, Any] = {
            "hosts": [url],
            "timeout": SECONDS,
            "max_retries": 0,
            "retry_on_timeout": False,
        }
        self._guard = threading.Lock()
        self._client: OpenSearch | None = None

    @property
    def client(self) -> OpenSearch:
        """Use it within `errors_named`."""
        with self._guard:
            if self._client is None:
                self._client = OpenSearch(**self._options, pool_maxsize=16)
            return self._client

    def close(self) -> None:
        with self._guard:
            if self._client is not None:
                self._client.close()
                self._client = None

    @contextmanager
    def errors_named(self) -> Iterator[OpenSearch]:
        """The client; its errors become ours."""
        try:
            yield self.client
        except BulkIndexError as error:
            raise self._of_items(error.errors) from error
        except OpenSearchException as error:
            raise self._named(error) from error

    def ask(self, prefix: str) -> None:
        """Raise the error with which the server refuses to list indexes of that prefix; changes nothing."""
        with self.errors_named() as client:
            client.indices.exists_alias(name=f"{prefix}*")

    def bulk(self, actions: Sequence[dict[str, Any]]) -> None:
        """Write all actions, a few requests at a time.

        Raises ItemsRefusedError, after all others are written, for items that are never taken; the error of
        an item that the server may take later comes first.
        """
        if actions:
            with self.errors_named():
                anyio.run(self._bulk, actions)

    async def _bulk(self, actions: Sequence[dict[str, Any]]) -> None:
        share = max(ACTIONS, -(-len(actions) // STREAMS))
        async with AsyncOpenSearch(**self._options) as client:
            rejected: list[dict[str, Any]] = []
            failures: list[OpenSearchException] = []

            async def write_or_collect(part: Sequence[dict[str, Any]]) -> None:
                try:
                    rejected.extend(await _written(client, part))
                except OpenSearchException as error:  # raised below: a task group would wrap it
                    failures.append(error)

            async with anyio.create_task_group() as group:
                for part in batched(actions, share):
                    group.start_soon(write_or_collect, part)
        if failures:
            raise failures[0]
        if rejected:
            raise BulkIndexError(f"{len(rejected)} items were not taken", rejected)

    def _of_items(self, errors: Sequence[dict[str, Any]]) -> MedkgError:
        """The error of items that were not taken: an overload before a rejection."""
        answers = [answer for item in errors for answer in item.values()]
        worst = max(answers, key=lambda answer: answer.get("status") in (429, 503))
        error = self._answered(worst.get("status"), worst.get("error"), f"{len(answers)} items: ")
        if not isinstance(error, RequestRejectedError):
            return error
        reasons = {
            str(answer.get("_id")): f"{answer.get('status')} {_reason(answer.get('error'))}"
            for answer in answers
        }
        return ItemsRefusedError(error.message, reasons)

    def _named(self, error: OpenSearchException) -> MedkgError:
        if isinstance(error, AuthenticationException | AuthorizationException) and not _blocked(error.info):
            return ConfigurationError(
                f"{self.name} refuses the user of MEDKG_OPENSEARCH_URL: {_reason(error.info)}. Correct user "
                "and password, or give the user the rights to create and write indexes."
            )
        if isinstance(error, SSLError | ImproperlyConfigured):
            return ConfigurationError(f"{self.name} cannot be used: {error}. Correct MEDKG_OPENSEARCH_URL.")
        if isinstance(error, ConnectionError):
            return DagsterResourceUnavailableError(
                f"{self.name} does not answer ({type(error).__name__}). Start it, or correct "
                "MEDKG_OPENSEARCH_URL."
            )
        if isinstance(error, TransportError):
            return self._answered(error.status_code, error.info, "")
        return RequestRejectedError(f"{self.name}: {error}")

    def _answered(self, status: object, info: object, what: str) -> MedkgError:
        said = f"{self.name}: {what}{status} {_reason(info)}"
        if _blocked(info):
            return StoreUnwritableError(f"{said}. Free disk space of the cluster, or lift the index's block.")
        if status == 429 or (isinstance(status, int) and status >= 500):
            return DagsterResourceUnavailableError(
                f"{said}. It is overloaded or not whole; it is tried again."
            )
        return RequestRejectedError(f"{said}. Please report it with this message.")


async def _written(client: AsyncOpenSearch, part: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write a part, one request after the other; returns the answers of items that were not taken.

    A request that is refused as a whole (too large, malformed) is sent as two, until the item is found.
    """
    answers = async_streaming_bulk(
        client, part, chunk_size=ACTIONS, max_chunk_bytes=BYTES, max_retries=0, raise_on_error=False
    )
    try:
        return [answer async for taken, answer in answers if not taken]
    except TransportError as error:
        if error.status_code not in REFUSED_FOR_AN_ITEM:
            raise
        if len(part) == 1:
            return [{"index": {"_id": part[0]["_id"], "status": error.status_code, "error": error.info}}]
    middle = len(part) // 2
    return [*await _written(client, part[:middle]), *await _written(client, part[middle:])]


def _blocked(info: object) -> bool:
    """Whether an index takes no writes now: its disk is full, or it is being copied."""
    return any(name in str(info) for name in FULL)


def _reason(info: object) -> str:
    error = info.get("error", info) if isinstance(info, dict) else info
    if isinstance(error, dict):
        causes = error.get("root_cause") or [error]
        return f"{causes[0].get('type')}: {causes[0].get('reason')}"
    return str(error)
