"""Types, indexing terms, substances, data bank numbers, grants and related articles of a PubMed record.

Input: a PubmedArticle or PubmedBookArticle. Output: a PublicationRecord with the identifiers of the record:
MeSH UIs, registry numbers, PMIDs. Types of links between articles: pubmed_250101.dtd, and
https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html#commentscorrections (read 2026-11-30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

from orchestration.parsing.curies import accession_curies, mesh_curies, substance_curies
from orchestration.parsing.publication_record import (
    Accession,
    Funder,
    PublicationRecord,
    RelatedArticle,
    Term,
    identifiers_of,
)
from orchestration.parsing.pubmed.fields import field_text
from orchestration.records import article_curies

__all__ = ["publication_record"]

_LINKS: Final = ".//{*}CommentsCorrectionsList/{*}CommentsCorrections"
_RELATIONS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "AssociatedPublication": ("Associated publication", "accompanies", False),
    "Cites": ("Cites", "cites", False),
    "CommentIn": ("Comment in", "comments_on", True),
    "CommentOn": ("Comment on", "comments_on", False),
    "CorrectedandRepublishedFrom": ("Corrected and republished from", "corrects", False),
    "CorrectedandRepublishedIn": ("Corrected and republished in", "corrects", True),
    "ErratumFor": ("Erratum for", "corrects", False),
    "ErratumIn": ("Erratum in", "corrects", True),
    "ExpressionOfConcernFor": ("Expression of concern for", "raises_concern_about", False),
    "ExpressionOfConcernIn": ("Expression of concern in", "raises_concern_about", True),
    "OriginalReportIn": ("Original report in", "summarizes", False),
    "PartialRetractionIn": ("Partial retraction in", "retracts", True),
    "PartialRetractionOf": ("Partial retraction of", "retracts", False),
    "ReprintIn": ("Reprint in", "republishes", True),
    "ReprintOf": ("Reprint of", "republishes", False),
    "RepublishedFrom": ("Republished from", "republishes", False),
    "RepublishedIn": ("Republished in", "republishes", True),
    "RetractedandRepublishedFrom": ("Retracted and republished from", "retracts", False),
    "RetractedandRepublishedIn": ("Retracted and republished in", "retracts", True),
    "RetractionIn": ("Retraction in", "retracts", True),
    "RetractionOf": ("Retraction of", "retracts", False),
    "SummaryForPatientsIn": ("Summary for patients in", "summarizes", True),
    "UpdateIn": ("Update in", "updates", True),
    "UpdateOf": ("Update of", "updates", False),
}
"""Words, predicate, and whether the linked article is its subject, by type of the link."""


def publication_record(record: etree._Element, metadata: Mapping[str, Any]) -> PublicationRecord:
    """What the record states of its publication; `metadata`: the document's."""
    return PublicationRecord(
        identifiers=identifiers_of(metadata),
        is_retracted=bool(metadata["is_retracted"]),
        types=[_term(element) for element in record.iter("{*}PublicationType")],
        headings=list(_headings(record)),
        substances=[_substance(element) for element in record.iter("{*}Chemical")],
        keywords=[Term(field_text(element)) for element in record.iter("{*}Keyword")],
        accessions=list(_accessions(record)),
        funders=list(_funders(record)),
        related=list(_related(record)),
    )


def _term(element: etree._Element) -> Term:
    return Term(
        field_text(element),
        mesh_curies(element.get("UI", "")),
        is_major=element.get("MajorTopicYN") == "Y",
    )


def _headings(record: etree._Element) -> Iterator[Term]:
    """MeSH headings with their subheadings, then supplementary concepts (diseases, organisms, protocols)."""
    for heading in record.iter("{*}MeshHeading"):
        descriptor = heading.find("{*}DescriptorName")
        if descriptor is not None:
            term = _term(descriptor)
            subheadings = tuple(map(_term, heading.iterchildren("{*}QualifierName")))
            yield Term(term.name, term.identifiers, term.is_major, subheadings=subheadings)
    yield from map(_term, record.iter("{*}SupplMeshName"))


def _substance(chemical: etree._Element) -> Term:
    number = field_text(chemical.find("{*}RegistryNumber"))
    name = chemical.find("{*}NameOfSubstance")
    codes = mesh_curies(name.get("UI", "")) if name is not None else ()
    return Term(field_text(name), (*codes, *substance_curies(number)), number="" if number == "0" else number)


def _accessions(record: etree._Element) -> Iterator[Accession]:
    for bank in record.iter("{*}DataBank"):
        name = field_text(bank.find("{*}DataBankName"))
        for element in bank.iter("{*}AccessionNumber"):
            number = field_text(element)
            yield Accession(name, number, accession_curies(name, number))
    for link in record.iterfind(f"{_LINKS}[@RefType='AssociatedDataset']"):
        source = field_text(link.find("{*}RefSource"))
        yield Accession("Associated data set", source, accession_curies("", source))


def _funders(record: etree._Element) -> Iterator[Funder]:
    """Agencies, each once, with all their grants."""
    grants: dict[str, list[str]] = {}
    for grant in record.iter("{*}Grant"):
        number = field_text(grant.find("{*}GrantID"))
        awards = grants.setdefault(field_text(grant.find("{*}Agency")), [])
        if number and number not in awards:
            awards.append(number)
    for agency, awards in grants.items():
        yield Funder(agency, awards=tuple(awards))


def _related(record: etree._Element) -> Iterator[RelatedArticle]:
    for link in record.iterfind(_LINKS):
        stated = link.get("RefType", "")
        if stated in _RELATIONS:
            label, relation, is_subject = _RELATIONS[stated]
            curies = article_curies(pmid=field_text(link.find("{*}PMID")))
            citation = field_text(link.find("{*}RefSource"))
            yield RelatedArticle(label, citation, relation, is_subject, curies)
