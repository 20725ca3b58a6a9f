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

from orchestration.batching import batched
from orchestration.contracts import Commit, Extraction
from orchestration.extraction.registry import RegistryExtractor
from orchestration.ledger import SqlLedger
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import DocumentKey, RawPayload, content_version

__all__ = ["TENANT", "commit_of", "load_trials", "many_trials", "real_extractions"]

TENANT: Final = "graph-load"
SOURCE: Final = "clinicaltrials"
WINDOW: Final = 200
"""Documents of one transaction."""

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


def commit_of(key: DocumentKey, extraction: Extraction, number: int) -> Commit:
    """The commit of a document in the window of this number, whose graph intent is graph-NUMBER."""
    return Commit(
        key=key,
        version="v" * 64,
        fingerprint="f" * 64,
        pipeline="clinical-trials",
        intent_id=f"index-{number}",
        chunk_count=1,
        namespace="minilm@1",
        graph_intent_id=f"graph-{number}",
        entity_count=len(extraction[0]),
        claim_count=len(extraction[1]),
    )


def load_trials(ledger: SqlLedger, studies: Path, documents: int) -> None:
    """Write and commit the graph of as many trials, made from the studies of a file."""
    for number, window in enumerate(batched(many_trials(real_extractions(studies), documents), WINDOW)):
        ledger.graph.write(f"graph-{number}", window)
        ledger.commits.commit([commit_of(key, extraction, number) for key, extraction in window])
