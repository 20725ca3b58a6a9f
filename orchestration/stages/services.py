"""What assembly hands to the stages it builds: the plane, sources, parsers, stores and time-outs.

A stage class may offer `from_services(config, services)`; assembly then builds it so. One that runs in
worker processes, where no store or plane is at hand, may offer `from_parsers(config, parsers)`. Any other
stage class is called with its `config` from the topology as keyword arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.contracts import (
    AskedConverter,
    DocumentStore,
    IndexWriter,
    ObjectStore,
    Parser,
    PdfConverter,
    PdfTaskLedger,
    Plane,
    Source,
    WebClient,
)


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Where files of others may come from, and how much of them."""

    folder: Path
    """Keeps what is under way."""
    most_bytes: int
    seconds: float
    """One try may take so long; the next one goes on from there."""
    hosts: frozenset[str] = frozenset()
    """The only hosts that are asked; empty: every public one."""


@dataclass(frozen=True, slots=True)
class StageServices:
    """Everything a built-in stage can ask for."""

    plane: Plane
    sources: Mapping[str, Source]
    documents: DocumentStore
    index: IndexWriter
    objects: ObjectStore
    pdf_tasks: PdfTaskLedger
    pdf_converter: Callable[[AskedConverter], PdfConverter]
    """Makes a converter; raises ConfigurationError for one that is not installed or lacks a setting."""
    web: Callable[[], WebClient]
    """The web client, opened when it is first asked for."""
    downloads: DownloadLimits
    parsers: Mapping[str, Parser]
    stage_name: str
    """Name of the step in its topology."""
    owner: str
    """Process identity of the window worker; marks intents, so that a crashed writer is told apart."""
    timeout_seconds: float
    """Time-out of the stage's policy, for stages that enforce it themselves on micro-batches."""
