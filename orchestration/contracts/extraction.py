"""Extractors and linkers: find mentions and claims in documents, and give mentions their concepts.

An extractor is a class named by an entry point of the group medkg.extractors. The extract stage calls the
extractors that the topology names for the source of a document, once for all such documents of a window, and
drops what is not grounded. A class without `from_services` is made without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from orchestration.contracts.graph import Extraction
from orchestration.contracts.stages import Outcome
from orchestration.contracts.tagging import TextTagger
from orchestration.contracts.web import WebClient
from orchestration.records import Claim, Document, Entity

__all__ = [
    "BatchExtractor",
    "CountedExtraction",
    "Extractor",
    "ExtractorServices",
    "Found",
    "Linker",
    "ShapedExtractor",
]


@dataclass(frozen=True, slots=True)
class ExtractorServices:
    """What assembly passes to the classmethod `from_services(services)` of an extractor.

    `from_services` is also called to compute fingerprints, so it must not use the tagger or a service.
    """

    tagger: TextTagger
    """The plane's, or without a plane this process's own; connects or loads its model at its first call."""
    tagger_model: str | None
    """Id with revision of its model, known without a plane; None: the profile has none."""
    web: Callable[[], WebClient]
    """Returns the web client; opens it at the first call."""
    timeout_seconds: float
    """Time-out of the stage's policy; of each micro-batch on the plane."""
    graph_schema: Any
    """The folder's orchestration.extraction.graph_schema.GraphSchema."""
    settings: Any
    """The deployment's orchestration.settings.Settings."""
    linker: Linker | None
    """What gives mentions their concepts after the extractors; an extractor may ask it for what is known."""


class CountedExtraction(NamedTuple):
    """An extraction, and what its extractor itself dropped: a model's answers without a place in the text."""

    entities: list[Entity]
    claims: list[Claim]
    dropped: Mapping[str, int]
    """How many by reason, in words: "quote not in the text"."""


Found: TypeAlias = Extraction | CountedExtraction
"""What an extractor returns for a document."""


class Extractor(Protocol):
    """Finds mentions and claims in one document.

    Guarantees: deterministic for a version; every mention is the text of its span. Errors: PermanentError for
    a document that it cannot read, which fails that document alone; TransientError is repeated under the
    policy. Thread-safe. A document that takes longer than the policy's time-out fails alone.
    """

    name: str
    version: str
    """Part of every record and of documents' fingerprints."""

    def extract(self, document: Document) -> Found:
        """What the document says; empty lists where it says nothing."""
        ...


@runtime_checkable
class BatchExtractor(Protocol):
    """Finds mentions and claims in all documents of a window at once, e.g. with the plane's models.

    Guarantees as Extractor's, and: one outcome per document, in order; the error of a document is its own
    outcome. Raises UnavailableError while a service is unavailable, and then nothing was done. Enforces the
    time-out of ExtractorServices itself.
    """

    name: str
    version: str

    def extract_batch(self, documents: Sequence[Document]) -> Sequence[Outcome[Found]]:
        """What each document says."""
        ...


@runtime_checkable
class ShapedExtractor(Protocol):
    """An extractor whose output is shaped by more than its version: models, prompts, grammars.

    Guarantees: equal shapes and versions find the same in the same document, as far as a model's server is
    deterministic. Reading it starts nothing. Errors: ConfigurationError for a model that is not there.
    """

    @property
    def shape(self) -> Mapping[str, str]:
        """Everything else that shapes its output, e.g. {"model": "extractor-mini@1a2b3c4d"}.

        Part of documents' fingerprints; known without a plane or a service.
        """
        ...


class Linker(Protocol):
    """Gives the mentions of documents the concepts of vocabularies.

    Guarantees: changes concepts, identifiers and confidence of mentions, nothing else; but a mention of
    several concepts ("ovarian and breast cancer") becomes one mention per concept at the same span, and its
    claims one per concept. One outcome per document, in order; deterministic for a version. Raises
    UnavailableError while a service is unavailable, and then nothing was done. Thread-safe.
    """

    @property
    def version(self) -> str:
        """Everything that shapes the links, vocabularies included; part of documents' fingerprints."""
        ...

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> Sequence[Outcome[Extraction]]:
        """The extractions with linked mentions."""
        ...
