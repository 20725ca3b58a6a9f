"""What a study's record holds beside protocol and results: publications, data sets, documents, notices.

Comes in: referencesModule, documentSection, annotationSection and the tracking of submissions. Leaves:
references with what they are to the study, their retractions also as a section; links, data sets, documents
and the registry's notices (violations, results that were submitted and not posted) as sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestration.parsing.clinicaltrials.cells import Module, other_fields, other_notes
from orchestration.parsing.clinicaltrials.fields import field_lines, humanised
from orchestration.parsing.json.fields import list_at, module_at, text_at
from orchestration.parsing.marking import Marks
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, article_curies

__all__ = ["add_documents", "add_notices", "add_publications", "result_pmids"]

_LISTS: Final = ("references", "seeAlsoLinks", "availIpds")
_OF_REFERENCE: Final = ("pmid", "citation", "type", "retractions")
_OF_DOCUMENT: Final = (
    "label",
    "date",
    "typeAbbrev",
    "hasProtocol",
    "hasSap",
    "hasIcf",
    "uploadDate",
    "filename",
    "size",
)


def add_publications(builder: DocumentBuilder, marks: Marks, module: Module) -> None:
    """Append references, retractions of references, links and data sets; TypeError where types are wrong.

    A retraction is annotated: of the reference that it retracts.
    """
    retracted = []
    for reference in list_at(module, "references"):
        pmid = text_at(reference, "pmid")
        stated = text_at(reference, "citation")
        citation = stated or (pmid and f"PMID {pmid}")
        notices = list_at(reference, "retractions")
        retractions = "; ".join(map(_retraction, notices))
        if retractions:
            citation = f"{citation} [Retracted: {retractions}]".strip()
        citation = " ".join([citation, *other_notes(reference, *_OF_REFERENCE)])
        reference_id = builder.reference(
            citation, pmid=pmid or None, role=humanised(text_at(reference, "type"))
        )
        if retractions:
            named = f"{stated} PMID {pmid}. Retracted" if pmid else stated or "Retracted"
            retracted.append(f"{named}: {_marked(marks, notices, reference_id)}".strip())
    _add(builder, "Retracted references", retracted)
    links = (
        ": ".join(
            filter(None, (text_at(link, "label"), text_at(link, "url"), *other_notes(link, "label", "url")))
        )
        for link in list_at(module, "seeAlsoLinks")
    )
    _add(builder, "See also", list(links))
    _add(
        builder,
        "Available data sets",
        [line for data in list_at(module, "availIpds") for line in _data(data)],
    )
    _add(builder, "Further references", other_fields(module, *_LISTS))


def result_pmids(module: Module) -> list[str]:
    """PMIDs of the publications of the study's results."""
    references = list_at(module, "references")
    return [text_at(reference, "pmid") for reference in references if text_at(reference, "type") == "RESULT"]


def add_documents(builder: DocumentBuilder, section: Module) -> None:
    """Append the study's documents by label and date."""
    module = module_at(section, "largeDocumentModule")
    lines = [
        ", ".join(filter(None, (text_at(document, "label"), text_at(document, "date"))))
        for document in list_at(module, "largeDocs")
    ]
    lines += [
        line for document in list_at(module, "largeDocs") for line in other_fields(document, *_OF_DOCUMENT)
    ]
    _add(builder, "Study documents", [*lines, *other_fields(module, "largeDocs")])


def add_notices(builder: DocumentBuilder, study: Module) -> None:
    """Append the registry's notices: violations, results not posted, countries that were removed."""
    annotations = module_at(module_at(study, "annotationSection"), "annotationModule")
    _add(
        builder,
        "Notices of the registry",
        [line for name in annotations for line in _notice(annotations, name)],
    )
    derived = module_at(module_at(study, "derivedSection"), "miscInfoModule")
    tracking = {key: derived[key] for key in ("submissionTracking", "removedCountries") if key in derived}
    _add(builder, "Tracking by the registry", field_lines(tracking))


def _notice(annotations: Module, name: str) -> list[str]:
    value = annotations[name]
    return field_lines(value if isinstance(value, Mapping) else {name: value})


def _retraction(retraction: Module) -> str:
    pmid, source = text_at(retraction, "pmid"), text_at(retraction, "source")
    others = other_notes(retraction, "pmid", "source")
    return ", ".join(filter(None, (pmid and f"PMID {pmid}", source, *others)))


def _marked(marks: Marks, notices: Iterable[Module], reference_id: str | None) -> str:
    """The notices of a retracted reference, each annotated."""
    return "; ".join(
        marks.mark(
            _retraction(notice),
            "retraction",
            f"{reference_id}-retraction-{number}",
            of=reference_id,
            identifiers=article_curies(pmid=text_at(notice, "pmid")),
        )
        for number, notice in enumerate(notices)
    )


def _data(record: Module) -> Iterator[str]:
    """'DS-7 (individual participant data set; Url: https://...; Comment: ...)'."""
    yield " ".join(field_lines({"availIpd": record})).partition(": ")[2]


def _add(builder: DocumentBuilder, heading: str, lines: list[str]) -> None:
    with builder.section(heading):
        builder.lines(BlockKind.REGISTRY_FIELD, lines)
