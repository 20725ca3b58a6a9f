"""The registry extractor: what structured records state, and which registered trials other documents name.

Input: a document; that of a trial has its record's values annotated by its parser. Output: what the record
says, as precise as it says it. No model takes part: the same record always gives the same graph.
"""

from __future__ import annotations

from typing import Final

from orchestration.contracts import Extraction
from orchestration.extraction.findings import Findings
from orchestration.extraction.registry.articles import add_article
from orchestration.extraction.registry.trials import add_trial
from orchestration.records import Document

__all__ = ["RegistryExtractor"]

_READERS: Final = {"clinicaltrials": add_trial}
"""By source of the document; others are articles."""


class RegistryExtractor:
    """Reads the annotations of trials, and the registry numbers that other documents name."""

    name = "registry"
    version = "4"

    def extract(self, document: Document) -> Extraction:
        """What the record says."""
        findings = Findings(
            document,
            f"{self.name}/{self.version}",
            knowledge_level="knowledge_assertion",
            agent_type="manual_agent",
        )
        add = _READERS.get(document.source, add_article)
        add(findings, document)
        return findings.extraction()
