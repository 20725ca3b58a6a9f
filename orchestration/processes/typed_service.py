"""A Protocol as a local service: what a process serves and what its clients call are derived from one class.

Input: a Protocol whose methods take and return JSON values, records or enumerations. Output: its verbs for a
LocalService, or an object that calls them through a LocalClient. Names and types stand in the Protocol alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter

from orchestration.processes.local_service import LocalClient, Verb

__all__ = ["typed_client", "verbs_of"]

P = TypeVar("P")

ANSWER_SECONDS: Final = 30.0
"""How long a client waits for a verb that does not say."""


def verbs_of(protocol: type[P], service: P) -> dict[str, Verb]:
    """The verbs of the Protocol, by name, as `service` implements them."""
    return {
        name: partial(_served, protocol, name, getattr(service, name)) for name in _method_names(protocol)
    }


def typed_client(protocol: type[P], client: LocalClient, seconds: Mapping[str, float] | None = None) -> P:
    """The Protocol, implemented by calls to the service of `client`; a method raises what its verb raises.

    `seconds`: how long to wait for some verbs, where that is not what the Protocol says.
    """
    return cast(P, _TypedClient(protocol, client, seconds or {}))


class _TypedClient:
    def __init__(self, protocol: type, client: LocalClient, seconds: Mapping[str, float]) -> None:
        self._protocol = protocol
        self._client = client
        self._seconds = seconds

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _method_names(self._protocol):
            raise AttributeError(f"{self._protocol.__name__} has no verb {name!r}")
        declared = getattr(getattr(self._protocol, name), "seconds_to_answer", ANSWER_SECONDS)
        return partial(_called, self._protocol, name, self._client, self._seconds.get(name, declared))


def _method_names(protocol: type) -> tuple[str, ...]:
    return tuple(
        name for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"
    )


@cache
def _types(protocol: type, name: str) -> tuple[inspect.Signature, Mapping[str, TypeAdapter[Any]]]:
    """The signature of a method, and how its arguments and its `return` become JSON and come back."""
    method = getattr(protocol, name)
    adapters = {part: TypeAdapter(kind) for part, kind in get_type_hints(method).items()}
    return inspect.signature(method), adapters


def _served(protocol: type, name: str, method: Callable[..., Any], /, **arguments: Any) -> Any:
    _, adapters = _types(protocol, name)
    typed = {part: adapters[part].validate_python(value) for part, value in arguments.items()}
    return adapters["return"].dump_python(method(**typed), mode="json")


def _called(
    protocol: type, name: str, client: LocalClient, seconds: float, /, *values: Any, **named: Any
) -> Any:
    signature, adapters = _types(protocol, name)
    bound = signature.bind(None, *values, **named).arguments
    arguments = {
        part: adapters[part].dump_python(value, mode="json")
        for part, value in bound.items()
        if part != "self"
    }
    answer = client.call(name, seconds + float(arguments.get("seconds", 0.0)), **arguments)
    return adapters["return"].validate_python(answer)
