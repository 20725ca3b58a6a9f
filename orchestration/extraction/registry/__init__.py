"""The registry extractor: mentions and claims from the annotations of structured records, and no others.

Input: a document whose parser annotated the values of its record. Output: what the record says, as precise as
it says it. No model takes part: the same record always gives the same graph.
"""

from __future__ import annotations

from typing import Final

from orchestration.contracts import Extraction
from orchestration.extraction.findings import Findings
from orchestration.extraction.registry.trials import add_trial
from orchestration.records import Document

__all__ = ["RegistryExtractor"]

_READERS: Final = {"clinicaltrials": add_trial}
"""By source of the document."""


class RegistryExtractor:
    """Reads the annotations of trials; documents without annotations have no findings."""

    name = "registry"
    version = "1"

    def extract(self, document: Document) -> Extraction:
        """What the record says; empty for a source that it does not know."""
        findings = Findings(
            document,
            f"{self.name}/{self.version}",
            knowledge_level="knowledge_assertion",
            agent_type="manual_agent",
        )
        add = _READERS.get(document.source)
        if add is not None:
            add(findings, document)
        return findings.extraction()
