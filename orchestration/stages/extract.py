"""The extract stage: each document to the extractors that the topology names for its source.

Input: a document. Output: its entities and claims, each at exact spans of the text. What an extractor finds
and the text or the graph schema does not bear out is dropped, counted and logged, never stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import structlog

from orchestration.contracts import Extraction, Extractor, Isolation
from orchestration.errors import ConfigurationError
from orchestration.records import Claim, Document, Entity, StageContext
from orchestration.stages.services import StageServices

Check = Callable[[Document, Extraction], tuple[Extraction, Counter[str]]]
"""The grounded part of an extraction, and how much was dropped by reason."""


class Extract:
    """ExtractStage over installed extractors."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(
        self,
        installed: Mapping[str, Callable[[], Extractor]],
        check: Check,
        extractors: Mapping[str, Sequence[str]],
    ) -> None:
        """`extractors`: names by source of a document; those of `default` for all other sources."""
        if "default" not in extractors:
            raise ConfigurationError(
                "the extract stage's `extractors` has no `default`; add e.g. `default: [registry]`."
            )
        self._check = check
        self._of_source = {
            source: [_made(installed, name, source) for name in names] for source, names in extractors.items()
        }

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.extractors, services.check_extraction, **config)

    def execute(self, ctx: StageContext, document: Document) -> tuple[list[Entity], list[Claim]]:
        """What the document says; raises what an extractor raises for it."""
        entities: dict[str, Entity] = {}
        claims: dict[str, Claim] = {}
        dropped: Counter[str] = Counter()
        for extractor in self._of_source.get(document.source, self._of_source["default"]):
            (mentions, statements), counts = self._check(document, extractor.extract(document))
            entities |= {each.entity_id: each for each in mentions}
            claims |= {each.claim_id: each for each in statements}
            dropped += counts
        if dropped:
            structlog.get_logger(__name__).warning(
                "not grounded, dropped", doc_id=ctx.doc_id, dropped=dict(sorted(dropped.items()))
            )
        return list(entities.values()), list(claims.values())


def _made(installed: Mapping[str, Callable[[], Extractor]], name: str, source: str) -> Extractor:
    if name not in installed:
        raise ConfigurationError(
            f"the extract stage names extractor {name!r} for {source}, which is not installed; available: "
            f"{', '.join(sorted(installed)) or 'none'}. Install the package that provides it (entry point "
            "group medkg.extractors), or name another."
        )
    return installed[name]()
