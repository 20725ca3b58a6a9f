"""Events to a web address: the sink `webhook`, which posts batches of CloudEvents in JSON.

Comes in: facts, in the order of their positions. Leaves: POST requests with a JSON array of events each
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md, 3.3), one
after the other. Each is tried once: the relay brings the same facts again, later where Retry-After asks so.

Guarantees. Delivery: at least once, in the order of the facts; an event that is posted again has its id.
Durability: the receiver's, which answers 2xx when it has the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from orchestration.contracts.facts import Fact
from orchestration.errors import DagsterResourceUnavailableError, MedkgError, RequestRejectedError
from orchestration.formats.retry_after import retry_after

__all__ = ["WebhookSink"]

MEDIA_TYPE: Final = "application/cloudevents-batch+json; charset=utf-8"
MOST_EVENTS: Final = 500
MOST_BYTES: Final = 1_000_000
"""Of one request; an event that is larger goes alone."""
ANSWER_SECONDS: Final = 15.0
SHOWN_BYTES: Final = 200
"""Of an answer's body, in an error."""
REPEATED: Final = frozenset({408, 425, 429})
"""Statuses below 500 by which a receiver asks for the same request later."""


class StructuredEvent(Protocol):
    """An event as it is posted."""

    def structured(self) -> bytes:
        """The CloudEvent as JSON."""
        ...


class WebhookSink:
    """FactSink to an address; see the guarantees of this module.

    Usage: `WebhookSink("https://example.org/medkg", factory.events, token)`.
    """

    name = "webhook"

    def __init__(
        self,
        address: str,
        events: Callable[[Fact], Sequence[StructuredEvent]],
        token: str | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`events` makes the events of a fact; `token` is sent as bearer token."""
        self._address = address
        self._host = _without_secrets(address)
        self._events = events
        headers = {"content-type": MEDIA_TYPE, "user-agent": "medkg"}

        def bearer(request: httpx.Request) -> httpx.Request:
            request.headers["authorization"] = f"Bearer {token}"
            return request

        self._client = httpx.Client(
            headers=headers,
            auth=bearer if token is not None else None,  # goes before a user in the address
            timeout=answer_seconds,
            follow_redirects=False,
        )

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Post the events of these facts; see FactSink.publish. Keeps no state."""
        for batch in _batches(event.structured() for fact in facts for event in self._events(fact)):
            self._post(batch)
        return state

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._client.close()

    def _post(self, batch: Sequence[bytes]) -> None:
        body = b"[" + b",".join(batch) + b"]"
        try:
            with self._client.stream("POST", self._address, content=body) as response:
                if response.is_success:
                    return
                shown = next(response.iter_bytes(SHOWN_BYTES), b"")
        except httpx.HTTPError as error:
            cause = type(error).__name__ if isinstance(error, httpx.TimeoutException) else str(error)
            raise self._unavailable(cause or type(error).__name__) from error
        raise self._refused(response, shown)

    def _refused(self, response: httpx.Response, shown: bytes) -> MedkgError:
        quoted = " ".join(shown.decode("utf-8", "replace").split())
        answer = f"HTTP {response.status_code}" + (f", {quoted!r}" if quoted else "")
        if response.status_code >= 500 or response.status_code in REPEATED:
            after = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            return self._unavailable(f"it answered {answer}", after)
        return RequestRejectedError(
            f"the webhook at {self._host} refuses events: {answer}. They are kept, and none is sent until it "
            "takes them: correct MEDKG_EVENTS_WEBHOOK, MEDKG_EVENTS_WEBHOOK_TOKEN or the receiver.",
            status=response.status_code,
        )

    def _unavailable(self, cause: str, after: float | None = None) -> DagsterResourceUnavailableError:
        return DagsterResourceUnavailableError(
            f"the webhook at {self._host} is unavailable: {cause}. Start the receiver, or correct "
            "MEDKG_EVENTS_WEBHOOK; events wait for it.",
            retry_after=after,
        )


def _batches(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and (len(batch) >= MOST_EVENTS or size + len(event) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event)
    if batch:
        yield batch


def _without_secrets(address: str) -> str:
    """Scheme, host and port: user, path and query of an address may hold a token."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
