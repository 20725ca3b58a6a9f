"""As many trials as asked for, made from real ones: their extractions, with keys that no two trials share.

Comes in: a file of ClinicalTrials.gov studies. Leaves: documents with their mentions and claims. Conditions,
drugs, sponsors, phases and statuses keep their keys, as they are shared in a real collection; trials, arms
and outcomes have a key per document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path
from typing import Final

from orchestration.contracts import Extraction
from orchestration.extraction.registry import RegistryExtractor
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import DocumentKey, RawPayload, content_version

__all__ = ["TENANT", "many_trials", "real_extractions"]

TENANT: Final = "graph-load"
SOURCE: Final = "clinicaltrials"
OF_ONE_TRIAL: Final = frozenset({"Trial", "Arm", "Outcome"})


def real_extractions(path: Path) -> list[Extraction]:
    """Mentions and claims of the studies of a JSON Lines file."""
    parser, extractor = ClinicalTrialsParser(), RegistryExtractor()
    extractions = []
    for number, line in enumerate(path.read_bytes().splitlines()):
        payload = RawPayload(
            doc_id=f"NCT{number:08}",
            source=SOURCE,
            format="ctgov-v2",
            content=line,
            uri=str(path),
            version=content_version(line),
        )
        extractions.append(extractor.extract(parser.parse(payload, TENANT)))
    return extractions


def many_trials(real: Sequence[Extraction], documents: int) -> Iterator[tuple[DocumentKey, Extraction]]:
    """Documents with extractions, the real ones in turn."""
    for number, (mentions, claims) in islice(zip(count(), cycle(real), strict=False), documents):
        doc_id = f"NCT{number:08}"
        key = DocumentKey(tenant_id=TENANT, source=SOURCE, doc_id=doc_id)
        turn = number // len(real)
        yield (
            key,
            (
                [
                    each.model_copy(
                        update={
                            "doc_id": doc_id,
                            "concept": f"{each.concept}-{turn}"
                            if each.kind in OF_ONE_TRIAL
                            else each.concept,
                        }
                    )
                    for each in mentions
                ],
                [
                    each.model_copy(update={"doc_id": doc_id, "claim_id": f"{each.claim_id[:18]}{turn:07x}"})
                    for each in claims
                ],
            ),
        )
