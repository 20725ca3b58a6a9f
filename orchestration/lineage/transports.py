"""Transports of OpenLineage events: chosen by the library's own configuration, with answers that are checked.

Comes in: OPENLINEAGE_ variables and openlineage.yml. Leaves: a Transport, whose `send` returns when the event
is accepted. The library falls back to the console when it finds no usable configuration, tries again for up
to 40 seconds, and only logs what Kafka does not take: here a wrong configuration is an error, the relay
repeats, and Kafka's answer counts. Source: openlineage-python 1.54, openlineage/client/client.py.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import (
    ConfigurationError,
    LineageRejectedError,
    LineageUnavailableError,
    MedkgError,
)
from orchestration.formats.yaml_source import parse_yaml, read_bytes
from orchestration.shown_addresses import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openlineage.client.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

__all__ = ["Transport", "configuration_file", "is_configured", "job_namespace"]

PREFIX: Final = "OPENLINEAGE__TRANSPORT"
FILE: Final = "openlineage.yml"
NAMESPACE: Final = "medkg"
"""Of jobs, unless OPENLINEAGE_NAMESPACE names another."""

REPEATABLE: Final = frozenset({408, 421, 425, 429})
"""Status codes below 500 after which the same request may succeed."""
REFUSING: Final = frozenset({401, 402, 403, 404, 405, 407, 410, 411, 501, 505})
"""Status codes that every event would get: the address or the key is wrong."""

KAFKA_SECONDS: Final = 10.0
"""How long a broker may take to accept an event."""

CONFIGURE: Final = (
    "Set OPENLINEAGE_URL, or correct OPENLINEAGE__TRANSPORT or openlineage.yml; see docs/guides/lineage.md."
)


def is_configured(variables: Mapping[str, str]) -> bool:
    """Whether lineage is wanted. Imports nothing of the library."""
    if variables.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if variables.get("OPENLINEAGE_URL") or any(name.startswith(PREFIX) for name in variables):
        return True
    return configuration_file(variables) is not None


def configuration_file(variables: Mapping[str, str]) -> Path | None:
    """The file that OPENLINEAGE_CONFIG names, or openlineage.yml here or in ~/.openlineage."""
    if named := variables.get("OPENLINEAGE_CONFIG"):
        return Path(named)
    for folder in (Path.cwd(), Path.home() / ".openlineage"):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def job_namespace(variables: Mapping[str, str]) -> str:
    """Namespace of the jobs."""
    return variables.get("OPENLINEAGE_NAMESPACE") or NAMESPACE


class Transport:
    """The configured transport; used by one thread."""

    def __init__(self) -> None:
        """Open it; raises ConfigurationError for a configuration that cannot be used. Sends nothing."""
        self._client = _client()
        self.kind = str(self._client.transport.kind)

    def send(self, event: RunEvent) -> None:
        """Return when the event is accepted.

        Raises LineageUnavailableError when nothing accepts it now, LineageRejectedError when this event is
        refused, and ConfigurationError when any would be.
        """
        with _errors_as_ours(self.kind):
            self._client.emit(event)

    def close(self) -> None:
        """Idempotent."""
        self._client.close(timeout=KAFKA_SECONDS)


def _client() -> OpenLineageClient:
    try:
        from openlineage.client.client import OpenLineageClient
        from openlineage.client.transport import get_default_factory
    except ImportError as error:
        raise ConfigurationError(
            "lineage is configured by OPENLINEAGE_ variables or openlineage.yml, and openlineage-python is "
            "not installed. Install it: pip install 'medkg[lineage]'; or set OPENLINEAGE_DISABLED=true."
        ) from error
    _check_file(configuration_file(os.environ))
    from orchestration.lineage.confirmed_kafka import ConfirmedKafkaTransport

    get_default_factory().register_transport("kafka", ConfirmedKafkaTransport)
    variables = dict(os.environ)
    try:
        # The library adds the Git repository of the working directory to each event otherwise.
        client = OpenLineageClient(config={"facets": {"source_code_location": {"disabled": True}}})
    except Exception as error:  # the library raises KeyError, TypeError, ValueError, RuntimeError ...
        raise ConfigurationError(
            f"the OpenLineage transport cannot be opened: {error}. {CONFIGURE}"
        ) from error
    finally:
        for name in os.environ.keys() - variables.keys():  # it notes there how it read OPENLINEAGE_URL
            del os.environ[name]
    _check(client)
    return client


def _check_file(path: Path | None) -> None:
    """Raises ConfigurationError for a file that the library would pass over with a log line."""
    if path is None:
        return
    parse_yaml(read_bytes(path, ConfigurationError), path, ConfigurationError)


def _check(client: OpenLineageClient) -> None:
    """Raises ConfigurationError for a transport that cannot be relied on; leaves repeating to the relay."""
    from openlineage.client.transport.http_common import DEFAULT_RETRY_CONFIG

    transport: Any = client.transport
    if transport.kind == "async_http":
        raise ConfigurationError(
            "the OpenLineage transport async_http loses events when its process ends. Use the type http, "
            "which medkg calls outside of the way of documents."
        )
    wanted = client.config.transport or {}
    if transport.kind == "console" and wanted.get("type") != "console":
        raise ConfigurationError(f"OpenLineage is configured without the type of its transport. {CONFIGURE}")
    if transport.kind == "console":
        logging.getLogger("openlineage.client.transport.console").setLevel(logging.INFO)
    for each in [transport, *getattr(transport, "transports", [])]:
        if each.kind == "http" and each.config.retry == DEFAULT_RETRY_CONFIG:
            each.config.retry = {"total": 0}


@contextmanager
def _errors_as_ours(kind: str) -> Iterator[None]:
    try:
        yield
    except MedkgError:
        raise
    except Exception as error:  # each transport has its own
        raise _as_ours(kind, error) from error


def _as_ours(kind: str, error: Exception) -> MedkgError:
    status = None
    with suppress(AttributeError):
        status = error.response.status_code  # type: ignore[attr-defined]
    answer = f"the OpenLineage transport {kind}: {shown(str(error))}"
    if status in REFUSING:
        return ConfigurationError(f"{answer}. {CONFIGURE}")
    if status is not None and 400 <= status < 500 and status not in REPEATABLE:
        return LineageRejectedError(f"{answer}. The event is left out; the server's log has the reason.")
    if isinstance(error.__cause__, PermissionError | IsADirectoryError | FileNotFoundError):
        return ConfigurationError(f"{answer}: {error.__cause__.strerror}. {CONFIGURE}")
    return LineageUnavailableError(f"{answer}. It is tried again; runs go on.")
