"""Facts of a document that the graph shows with its claims: title, year, type of study, retraction.

Input: a parsed document. Output: DocumentFacts. Their identifiers are those of `contracts.identifiers`, so
that a notice and the article that it retracts meet whichever of them they use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestration.contracts.graph import DocumentFacts
from orchestration.contracts.identifiers import document_identifiers, named_identifiers
from orchestration.records import Document, DocumentKey

__all__ = ["document_facts"]

RETRACTION: Final = "retraction"

_BY_STRENGTH: Final = (
    "Meta-Analysis",
    "Systematic Review",
    "Network Meta-Analysis",
    "Randomized Controlled Trial",
    "Equivalence Trial",
    "Pragmatic Clinical Trial",
    "Controlled Clinical Trial",
    "Clinical Trial, Phase IV",
    "Clinical Trial, Phase III",
    "Clinical Trial, Phase II",
    "Clinical Trial, Phase I",
    "Adaptive Clinical Trial",
    "Clinical Trial",
    "Clinical Study",
    "Multicenter Study",
    "Observational Study",
    "Comparative Study",
    "Validation Study",
    "Evaluation Study",
    "Twin Study",
    "Case Reports",
    "Practice Guideline",
    "Guideline",
    "Review",
    "Clinical Trial Protocol",
    "Editorial",
    "Comment",
    "Letter",
    "Journal Article",
)
"""Publication types of PubMed that say how a study was made, the most specific first; of several, one counts.
https://www.nlm.nih.gov/mesh/pubtypes.html (read 2026-11-30)."""


def document_facts(document: Document) -> DocumentFacts:
    """The facts of a document by its metadata; what its record does not state is None."""
    metadata = document.metadata
    key = DocumentKey(tenant_id=document.tenant_id, source=document.source, doc_id=document.doc_id)
    return DocumentFacts(
        title=document.title or None,
        year=_year(metadata),
        study_type=_study_type(metadata),
        retracted=metadata.get("is_retracted") is True,
        identifiers=document_identifiers(key, metadata),
        retracts=tuple(dict.fromkeys(_retracted(metadata))),
    )


def _year(metadata: Mapping[str, Any]) -> int | None:
    for name in ("year", "date", "start_date"):
        text = str(metadata.get(name) or "")[:4]
        if len(text) == 4 and text.isascii() and text.isdecimal():
            return int(text)
    return None


def _study_type(metadata: Mapping[str, Any]) -> str | None:
    """The type of a trial, else the most specific type of publication, else the type of work."""
    of_trial = metadata.get("study_type")
    if isinstance(of_trial, str) and of_trial:
        return of_trial.replace("_", " ").lower()
    types = metadata.get("publication_types")
    stated = [each for each in types if isinstance(each, str)] if isinstance(types, list | tuple) else []
    if stated:
        return next((each for each in _BY_STRENGTH if each in stated), stated[0])
    work = metadata.get("type")
    return work if isinstance(work, str) and work else None


def _retracted(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Identifiers of the articles that the document is, or has, a notice of retraction of."""
    subjects = metadata.get("notice_of") if metadata.get("notice") == RETRACTION else ()
    others = metadata.get("other_notices")
    more = others.get(RETRACTION) if isinstance(others, Mapping) else ()
    for article in (*(subjects or ()), *(more or ())):
        yield from named_identifiers(str(article))[:1]
