"""Services that assembly passes to source plugins.

A plugin class may define `from_services(services)`; one that reads files may define
`from_parsers(parsers, max_document_bytes)`. Any other class is called without arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.contracts import WebClient
from orchestration.settings import Settings

__all__ = ["SourceServices"]


@dataclass(frozen=True, slots=True)
class SourceServices:
    """The services that a plugin of a web service can use."""

    web: Callable[[], WebClient]
    """Returns the web client; opens it at the first call."""
    settings: Settings
