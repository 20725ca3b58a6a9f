"""Services that assembly passes to stages: the plane, sources, parsers, stores and time-outs.

A stage class may define `from_services(config, services)`. One that runs in worker processes, which have no
store and no plane, may define `from_parsers(config, parsers)`. Any other stage class is called with its
`config` from the topology as keyword arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.contracts import (
    AskedConverter,
    BatchExtractor,
    DocumentStore,
    Extraction,
    Extractor,
    GraphWriter,
    IndexWriter,
    Linker,
    ObjectStore,
    Parser,
    PdfConverter,
    PdfTaskLedger,
    Plane,
    Source,
    WebClient,
)
from orchestration.records import Document


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Limits of downloads: hosts, bytes and time."""

    folder: Path
    """Folder of unfinished downloads."""
    most_bytes: int
    seconds: float
    """Time limit of one attempt; the next one continues it."""
    hosts: frozenset[str] = frozenset()
    """The only allowed hosts; empty: every public host."""


@dataclass(frozen=True, slots=True)
class StageServices:
    """The services that a stage can use."""

    plane: Plane
    sources: Mapping[str, Source]
    documents: DocumentStore
    index: IndexWriter
    graph: GraphWriter
    extractors: Mapping[str, Callable[[], Extractor | BatchExtractor]]
    """Makes the installed extractors, by name; raises ConfigurationError for one that lacks a model."""
    linker: Linker | None
    """Gives mentions their concepts; None without vocabularies."""
    check_extraction: Callable[[Document, Extraction], tuple[Extraction, Counter[str]]]
    """The grounded part of an extraction under the folder's graph schema, and what was dropped by reason."""
    note_dropped: Callable[[str, Counter[str]], None]
    """Takes what was dropped of a document, by reason; it is logged, counted and reported."""
    objects: ObjectStore
    pdf_tasks: PdfTaskLedger
    pdf_converter: Callable[[AskedConverter], PdfConverter]
    """Makes a converter; raises ConfigurationError for one that is not installed or lacks a setting."""
    web: Callable[[], WebClient]
    """Returns the web client; opens it at the first call."""
    downloads: DownloadLimits
    parsers: Mapping[str, Parser]
    stage_name: str
    """Name of the step in its topology."""
    owner: str
    """Process identity of the window worker; marks intents, so that those of a crashed writer are known."""
    timeout_seconds: float
    """Time-out of the stage's policy, for stages that enforce it themselves on micro-batches."""
