"""Makes sources: the installed classes by what they ask for, and JSON services by their descriptions.

Comes in: source classes by name, and what they may ask for. Leaves: sources by name; those that list page by
page are landed.
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

__all__ = ["SourceMaker"]


@dataclass(frozen=True, slots=True)
class SourceMaker:
    """What sources are made with."""

    parsers: Mapping[str, Parser]
    objects: Callable[[], ObjectStore]
    """Opened when the first page lands."""
    services: SourceServices

    def sources(self, kinds: Mapping[str, Any]) -> dict[str, Source]:
        """A source of each class, and of each description in the settings' folder.

        Raises ConfigurationError for a description that is wrong, or named as an installed source is.
        """
        made = {name: self._made(kind) for name, kind in kinds.items()}
        folder = self.services.settings.json_sources_dir
        for path in sorted(folder.glob("*.yaml")) if folder is not None else ():
            service = read_service(path)
            if service.name in made:
                raise ConfigurationError(
                    f"{path} describes a source {service.name!r}, and there is one of that name. Rename it."
                )
            made[service.name] = self._landed(JsonOverHttpSource(service, self.services))
        return made

    def _made(self, kind: Any) -> Source:
        if hasattr(kind, "from_services"):
            made = kind.from_services(self.services)
        elif hasattr(kind, "from_parsers"):
            made = kind.from_parsers(self.parsers, self.services.settings.max_document_bytes)
        else:
            made = kind()
        return self._landed(made) if hasattr(made, "pages") else made

    def _landed(self, paged: Any) -> Landing:
        return Landing(paged, self.objects, self.parsers, self.services.settings.max_document_bytes)
