"""What assembly hands to the sources it builds.

A source class may offer `from_services(services)`; assembly then builds it so. One that reads files may offer
`from_parsers(parsers, max_document_bytes)`. Any other source class is called without arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.contracts import WebClient
from orchestration.settings import Settings

__all__ = ["SourceServices"]


@dataclass(frozen=True, slots=True)
class SourceServices:
    """Everything a source of a web service can ask for."""

    web: Callable[[], WebClient]
    """The web client, opened when it is first asked for."""
    settings: Settings
