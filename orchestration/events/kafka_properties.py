"""Further librdkafka properties of a deployment (TLS, SASL, tuning), from the file MEDKG_KAFKA_CONFIG.

Comes in: lines NAME=VALUE; empty lines and those that begin with # are left out. Leaves: the properties with
their lines, so that an error names the place. Values may be secrets: no message quotes one.
https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md lists the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError

__all__ = ["NO_PROPERTIES", "KafkaProperties", "read_properties"]

OURS: Final = {
    "bootstrap.servers": "MEDKG_KAFKA_BROKERS names the brokers",
    "metadata.broker.list": "MEDKG_KAFKA_BROKERS names the brokers",
    "enable.idempotence": "medkg's delivery depends on it",
    "acks": "medkg's delivery depends on it",
    "request.required.acks": "medkg's delivery depends on it",
    "message.timeout.ms": "medkg's delivery depends on it",
    "delivery.timeout.ms": "medkg's delivery depends on it",
    "partitioner": "the place of a key must be the same for all producers",
    "group.id": "medkg gives each reader its group",
    "enable.auto.commit": "medkg commits what is done",
    "enable.auto.offset.store": "medkg commits what is done",
    "auto.offset.reset": "medkg reads what it has not had",
}
"""Properties that a file may not set, and why."""

_NAME = re.compile(r"[a-z][a-z0-9._]*")
_SECRET = re.compile(r"password|passphrase|secret|pem|token|oauth|username|sasl\.kerberos")
"""Names of properties whose values are secrets."""


@dataclass(frozen=True)
class KafkaProperties:
    """Properties by name, and the place of each."""

    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, name: str) -> str:
        """Where a property is set: FILE:LINE; the name of the setting for one that the file does not set."""
        return f"{self.path}:{self.lines[name]}" if name in self.lines else "MEDKG_KAFKA_CONFIG"

    def without_secrets(self, text: str) -> str:
        """The text with the values of secret properties left out."""
        secrets = [value for name, value in self.values.items() if value and _SECRET.search(name)]
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


NO_PROPERTIES: Final = KafkaProperties()


def read_properties(path: Path) -> KafkaProperties:
    """The properties of a file; raises ConfigurationError with file, line and what is valid."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"MEDKG_KAFKA_CONFIG: {path} cannot be read: {cause}. Name a text file of NAME=VALUE lines."
        ) from error
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        _check(path, number, name, bool(equals), lines)
        values[name] = value
        lines[name] = number
    return KafkaProperties(path, values, lines)


def _check(path: Path, number: int, name: str, has_value: bool, lines: Mapping[str, int]) -> None:
    place = f"MEDKG_KAFKA_CONFIG: {path}:{number}"
    if not has_value or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{place}: this is no NAME=VALUE line. A name is a librdkafka property, e.g. "
            "security.protocol=SASL_SSL; lines that begin with # are comments."
        )
    if name in OURS:
        raise ConfigurationError(f"{place}: {name} cannot be set here: {OURS[name]}. Remove the line.")
    if name in lines:
        raise ConfigurationError(f"{place}: {name} is set in line {lines[name]} too. Remove one of the two.")
