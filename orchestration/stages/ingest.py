"""The ingest stage: fetches the bytes of each document from its source plugin.

Comes in: a document and the locator from its enumeration. Leaves: its raw payload with the content hash.
Documents of one plugin are fetched together, so that a file is opened once for all its records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import Isolation, Outcome, Source
from orchestration.errors import ConfigurationError, MedkgError
from orchestration.records import AdapterRequest, RawPayload, StageContext
from orchestration.stages.services import StageServices


class Ingest:
    """IngestStage over the installed source plugins."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.sources, **config)

    def execute(self, ctx: StageContext, request: AdapterRequest) -> list[RawPayload]:
        """The payloads of one document; raises what its plugin raises."""
        (outcome,) = self.execute_batch([(ctx, request)])
        if isinstance(outcome, MedkgError):
            raise outcome
        return outcome

    def execute_batch(
        self, items: Sequence[tuple[StageContext, AdapterRequest]]
    ) -> Sequence[Outcome[list[RawPayload]]]:
        """One fetch per plugin; outcomes in the order of `items`."""
        positions: dict[str, list[int]] = defaultdict(list)
        for position, (_, request) in enumerate(items):
            positions[request.plugin].append(position)
        outcomes: dict[int, Outcome[list[RawPayload]]] = {}
        for plugin, at in positions.items():
            fetched = self._source(plugin).fetch([items[position][1] for position in at])
            for position, outcome in zip(at, fetched, strict=True):
                outcomes[position] = outcome if isinstance(outcome, MedkgError) else [outcome]
        return [outcomes[position] for position in range(len(items))]

    def _source(self, plugin: str) -> Source:
        try:
            return self._sources[plugin]
        except KeyError:
            raise ConfigurationError(
                f"source {plugin!r} is not installed; installed: {', '.join(sorted(self._sources))}. "
                "Install the plugin that provides it (entry point group medkg.sources)."
            ) from None
