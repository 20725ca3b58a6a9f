"""Makes source plugins: installed classes with the arguments that they take, JSON services from descriptions.

Comes in: plugin classes by name, and the services that they may take. Leaves: sources by name; one that
enumerates page by page becomes a `Landing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.contracts import ObjectStore, Parser, Source
from orchestration.errors import ConfigurationError
from orchestration.sources.json_mapping import read_service
from orchestration.sources.json_over_http import JsonOverHttpSource
from orchestration.sources.landing import Landing
from orchestration.sources.services import SourceServices

__all__ = ["SourceFactory"]


@dataclass(frozen=True, slots=True)
class SourceFactory:
    """Makes sources over the parsers, the object store and the web client."""

    parsers: Mapping[str, Parser]
    objects: Callable[[], ObjectStore]
    """Opens the store; called when the first page is stored."""
    services: SourceServices

    def sources(self, plugins: Mapping[str, Any]) -> dict[str, Source]:
        """One source per plugin class, and one per description in the settings' folder.

        Raises ConfigurationError for a description that is wrong or has the name of an installed plugin.
        """
        sources = {name: self._source(plugin) for name, plugin in plugins.items()}
        folder = self.services.settings.json_sources_dir
        for path in sorted(folder.glob("*.yaml")) if folder is not None else ():
            service = read_service(path)
            if service.name in sources:
                raise ConfigurationError(
                    f"{path} describes a source {service.name!r}, but that name is taken. Rename it."
                )
            sources[service.name] = self._landing(JsonOverHttpSource(service, self.services))
        return sources

    def _source(self, plugin: Any) -> Source:
        if hasattr(plugin, "from_services"):
            source = plugin.from_services(self.services)
        elif hasattr(plugin, "from_parsers"):
            source = plugin.from_parsers(self.parsers, self.services.settings.max_document_bytes)
        else:
            source = plugin()
        return self._landing(source) if hasattr(source, "pages") else source

    def _landing(self, paged: Any) -> Landing:
        return Landing(paged, self.objects, self.parsers, self.services.settings.max_document_bytes)
