"""The extract stage: each document to the extractors that the topology names for its source.

Input: a document. Output: its entities and claims, each at exact spans of the text. What an extractor finds
and the text or the graph schema does not support is dropped, counted and logged, never stored. All documents
of a window go to an extractor in one call, so that micro-batches of its models are full; then all extractions
go to the linker, which gives mentions their concepts; claims of a document that then state the same become
one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import structlog

from orchestration.contracts import (
    BatchExtractor,
    CountedExtraction,
    Extraction,
    Extractor,
    Found,
    Isolation,
    Linker,
    Outcome,
    values_of,
)
from orchestration.errors import ConfigurationError, MedkgError
from orchestration.records import Claim, Document, Entity, StageContext
from orchestration.stages.claim_joining import without_repetitions
from orchestration.stages.extractor_calls import called, extracted
from orchestration.stages.services import StageServices

Check = Callable[[Document, Extraction], tuple[Extraction, Counter[str]]]
"""The grounded part of an extraction, and how much was dropped by reason."""

Report = Callable[[str, Counter[str]], None]
"""Takes a document's id, and how much of what was found in it was dropped by reason."""

Installed = Mapping[str, Callable[[], Extractor | BatchExtractor]]


class Extract:
    """ExtractStage over installed extractors; thread-safe."""

    version = "3"
    isolation = Isolation.PLANE

    def __init__(
        self,
        installed: Installed,
        check: Check,
        extractors: Mapping[str, Sequence[str]],
        *,
        timeout_seconds: float,
        linker: Linker | None = None,
        report: Report | None = None,
    ) -> None:
        """`extractors`: names by source of a document; those of `default` for all other sources.

        `timeout_seconds`: of a document at an extractor of single documents. `report` takes what is dropped;
        without it that is logged.
        """
        if "default" not in extractors:
            raise ConfigurationError(
                "the extract stage's `extractors` has no `default`; add e.g. `default: [registry]`."
            )
        self._check = check
        self._timeout_seconds = timeout_seconds
        self._linker = linker
        self._report = report or _log_dropped
        self._names_of = extractors
        self._made = {
            name: _made(installed, name, source) for source, names in extractors.items() for name in names
        }

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(
            services.extractors,
            services.check_extraction,
            **config,
            timeout_seconds=services.timeout_seconds,
            linker=services.linker,
            report=services.note_dropped,
        )

    def execute(self, ctx: StageContext, document: Document) -> tuple[list[Entity], list[Claim]]:
        """What the document says; raises what an extractor raises for it."""
        (extraction,) = values_of(self.execute_batch([(ctx, document)]))
        return extraction

    def execute_batch(self, items: Sequence[tuple[StageContext, Document]]) -> Sequence[Outcome[Extraction]]:
        """What each document says; raises UnavailableError where an extractor's service is unavailable."""
        documents = [document for _, document in items]
        by_extractor: dict[str, list[int]] = defaultdict(list)
        for position, document in enumerate(documents):
            for name in self._names_of.get(document.source, self._names_of["default"]):
                by_extractor[name].append(position)
        answers: list[list[Outcome[Found]]] = [[] for _ in items]
        for name, positions in by_extractor.items():
            outcomes = extracted(self._made[name], [documents[at] for at in positions], self._timeout_seconds)
            for position, outcome in zip(positions, outcomes, strict=True):
                answers[position].append(outcome)
        linked = self._linked(
            documents, [self._joined(*item, answer) for item, answer in zip(items, answers, strict=True)]
        )
        return [each if isinstance(each, MedkgError) else without_repetitions(each) for each in linked]

    def _joined(
        self, ctx: StageContext, document: Document, answers: Sequence[Outcome[Found]]
    ) -> Outcome[Extraction]:
        """What is grounded of all extractors' answers for a document, or the first error among them."""
        entities: dict[str, Entity] = {}
        claims: dict[str, Claim] = {}
        dropped: Counter[str] = Counter()
        for answer in answers:
            if isinstance(answer, MedkgError):
                return answer
            if isinstance(answer, CountedExtraction):
                dropped.update(answer.dropped)
            (mentions, statements), counts = self._check(document, (answer[0], answer[1]))
            entities |= {each.entity_id: each for each in mentions}
            claims |= {each.claim_id: each for each in statements}
            dropped += counts
        if dropped:
            self._report(ctx.doc_id, dropped)
        return list(entities.values()), list(claims.values())

    def _linked(
        self, documents: Sequence[Document], outcomes: list[Outcome[Extraction]]
    ) -> list[Outcome[Extraction]]:
        """The extractions after the linker; errors stay as they are."""
        if self._linker is None:
            return outcomes
        rows = [row for row, outcome in enumerate(outcomes) if not isinstance(outcome, MedkgError)]
        items = [(documents[row], values_of([outcomes[row]])[0]) for row in rows]
        for row, outcome in zip(rows, called("the linker", self._linker.link, items), strict=True):
            outcomes[row] = outcome
        return outcomes


def _log_dropped(doc_id: str, dropped: Counter[str]) -> None:
    structlog.get_logger(__name__).warning(
        "not grounded, dropped", doc_id=doc_id, dropped=dict(sorted(dropped.items()))
    )


def _made(installed: Installed, name: str, source: str) -> Extractor | BatchExtractor:
    if name not in installed:
        raise ConfigurationError(
            f"the extract stage names extractor {name!r} for {source}, which is not installed; available: "
            f"{', '.join(sorted(installed)) or 'none'}. Install the package that provides it (entry point "
            "group medkg.extractors), or name another."
        )
    return installed[name]()
