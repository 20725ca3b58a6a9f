"""Extractors: what finds mentions and claims in documents, by name.

An extractor is a class without arguments, named by an entry point of the group medkg.extractors. The extract
stage calls those that the topology names for the source of a document, and drops what is not grounded.
"""

from __future__ import annotations

from typing import Protocol

from orchestration.contracts.graph import Extraction
from orchestration.records import Document


class Extractor(Protocol):
    """Finds mentions and claims in one document.

    Guarantees: deterministic for a version; every mention is the text of its span. Errors: PermanentError for
    a document that it cannot read, which fails that document alone. Thread-safe.
    """

    name: str
    version: str
    """Part of every record and of documents' fingerprints."""

    def extract(self, document: Document) -> Extraction:
        """What the document says; empty lists where it says nothing."""
        ...
