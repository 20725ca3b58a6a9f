"""What the registry extractor finds in real records: counts by kind, spans, and a sample of claims to check.

`python -m benchmarks.cases.registry --data ../shared/data --sample 50` reads the records of a folder, prints
counts of mentions and claims, which spans are not the text that they name, and claims drawn by a seed, each
with its quotes, to compare with the records by hand. Nothing is timed, so it is no case of the suite.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from orchestration.assembly import Assembly
from orchestration.contracts import CountedExtraction, SourceRequest
from orchestration.errors import MedkgError
from orchestration.records import Claim, Document, Entity, Span
from orchestration.settings import load_settings

__all__ = ["measured"]

EXTRACTOR: Final = "registry"
CONTEXT: Final = 60
"""Characters around a quote."""


def measured(assembly: Assembly, folder: Path, sample: int, seed: int) -> dict[str, Any]:
    """Counts by kind and predicate, wrong spans, what was dropped, and `sample` claims."""
    with assembly.reader() as reader:
        read = list(reader.read(SourceRequest(plugin="files", paths=(str(folder.absolute()),))))
    documents = [each for each in read if isinstance(each, Document)]
    extractions = _extracted(assembly, documents)
    pairs = list(zip(documents, extractions, strict=True))
    claims = [(document, extraction, claim) for document, extraction in pairs for claim in extraction.claims]
    drawn = random.Random(seed).sample(claims, min(sample, len(claims)))
    return {
        "documents": dict(sorted(Counter(document.source for document in documents).items())),
        "unread": [f"{each.code} {each.doc_id}" for each in read if not isinstance(each, Document)],
        "kinds": _counted(entity.kind for _, extraction in pairs for entity in extraction.entities),
        "predicates": _counted(claim.predicate for _, _, claim in claims),
        "wrong_spans": [
            fault for document, extraction in pairs for fault in _wrong_spans(document, extraction)
        ],
        "dropped": _counted(
            reason
            for extraction in extractions
            for reason, count in extraction.dropped.items()
            for _ in range(count)
        ),
        "sample": [_shown(*each) for each in drawn],
    }


def _extracted(assembly: Assembly, documents: Sequence[Document]) -> list[CountedExtraction]:
    extractions = []
    for outcome in assembly.extract_by(EXTRACTOR, documents):
        if isinstance(outcome, MedkgError):
            raise outcome
        extractions.append(outcome)
    return extractions


def _counted(names: Iterator[str]) -> dict[str, int]:
    counts = Counter(names)
    return {name: counts[name] for name in sorted(counts)} | {"all": counts.total()}


def _wrong_spans(document: Document, extraction: CountedExtraction) -> Iterator[str]:
    """Spans that do not give the text that their record names, or none at all."""
    for entity in extraction.entities:
        if _text(document, entity.span) != entity.name:
            yield f"{document.doc_id} mention {entity.name!r}"
    for claim in extraction.claims:
        for qualifier in claim.qualifiers:
            if _text(document, qualifier.span) != qualifier.value:
                yield f"{document.doc_id} qualifier {qualifier.value!r}"
        if not all(_text(document, span).strip() for span in claim.evidence):
            yield f"{document.doc_id} evidence of {claim.claim_id}"


def _text(document: Document, span: Span) -> str:
    return document.text[span.start_char : span.end_char]


def _shown(document: Document, extraction: CountedExtraction, claim: Claim) -> dict[str, Any]:
    by_id: dict[str, Entity] = {entity.entity_id: entity for entity in extraction.entities}
    subject, object_ = by_id[claim.subject], by_id[claim.object]
    return {
        "document": f"{document.source}/{document.doc_id}",
        "subject": f"{subject.kind} {subject.name!r} {subject.concept}",
        "predicate": claim.predicate,
        "object": f"{object_.kind} {object_.name!r} {object_.concept}",
        "qualifiers": [f"{each.kind} {each.value!r}" for each in claim.qualifiers],
        "evidence": [
            document.text[max(0, span.start_char - CONTEXT) : span.end_char + CONTEXT]
            for span in claim.evidence
        ],
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of records")
    parser.add_argument("--sample", type=int, default=0, help="claims to print")
    parser.add_argument("--seed", type=int, default=21, help="of the sample")
    arguments = parser.parse_args()
    assembly = Assembly(load_settings())
    try:
        figures = measured(assembly, arguments.data, arguments.sample, arguments.seed)
    finally:
        assembly.close()
    print(json.dumps(figures, indent=1, ensure_ascii=False))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
