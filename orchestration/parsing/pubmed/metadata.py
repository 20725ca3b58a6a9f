"""What is known about a PubMed record: ids, people, dates, journal or book, terms, notices.

Comes in: a PubmedArticle or PubmedBookArticle. Leaves: the document's metadata. `year` is the one of the
citation: of the issue (of the contribution, for a chapter), else of the electronic publication.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lxml import etree

from orchestration.parsing.pubmed.dates import first_date
from orchestration.parsing.pubmed.fields import field_text
from orchestration.parsing.pubmed.notices import notices_metadata
from orchestration.parsing.pubmed.people import people_of
from orchestration.parsing.pubmed.text import Titles, abstract_languages

__all__ = ["pubmed_metadata"]

_ARTICLE = "{*}MedlineCitation/{*}Article"
_CHAPTER = "{*}BookDocument"
_ELECTRONIC = f"{_ARTICLE}/{{*}}ArticleDate"
_HISTORY = "{*}PubmedData/{*}History/{*}PubMedPubDate[@PubStatus='%s']"
_PUBLISHED = (
    f"{_ARTICLE}/{{*}}Journal/{{*}}JournalIssue/{{*}}PubDate",
    f"{_CHAPTER}/{{*}}ContributionDate",
    f"{_CHAPTER}/{{*}}Book/{{*}}PubDate",
    f"{_CHAPTER}/{{*}}Book/{{*}}BeginningDate",
    _ELECTRONIC,
    *(_HISTORY % status for status in ("ppublish", "epublish", "ecollection", "aheadofprint")),
)
_REVISED = ("{*}MedlineCitation/{*}DateRevised", f"{_CHAPTER}/{{*}}DateRevised")
_IDS = (
    "{*}PubmedData/{*}ArticleIdList/{*}ArticleId",
    f"{_CHAPTER}/{{*}}ArticleIdList/{{*}}ArticleId",
    "{*}PubmedBookData/{*}ArticleIdList/{*}ArticleId",
)


def pubmed_metadata(record: etree._Element, pmid: str, titles: Titles) -> dict[str, Any]:
    """Metadata that searches filter by and citations show."""
    ids = _ids(record)
    published = first_date(record, *_PUBLISHED)
    return {
        "pmid": pmid,
        "doi": ids.get("doi"),
        "pmcid": ids.get("pmc"),
        "book_accession": ids.get("bookaccession"),
        **people_of(record),
        "journal": _text(record, f"{_ARTICLE}/{{*}}Journal/{{*}}Title")
        or _text(record, f"{_ARTICLE}/{{*}}Journal/{{*}}ISOAbbreviation"),
        "book": titles.book,
        "publisher": _text(record, f"{_CHAPTER}/{{*}}Book/{{*}}Publisher/{{*}}PublisherName"),
        "year": published[:4],
        "date": published,
        "electronic_date": first_date(record, _ELECTRONIC),
        "revised": first_date(record, *_REVISED),
        "languages": _texts(
            [*record.iterfind(f"{_ARTICLE}/{{*}}Language"), *record.iterfind(f"{_CHAPTER}/{{*}}Language")]
        ),
        "abstract_languages": abstract_languages(record),
        "vernacular_title": titles.vernacular,
        "mesh": _texts(record.iter("{*}DescriptorName")),
        "keywords": _texts(record.iter("{*}Keyword")),
        "chemicals": _texts(record.iter("{*}NameOfSubstance")),
        "publication_types": _texts(record.iter("{*}PublicationType")),
        "registry_ids": _texts(record.iter("{*}AccessionNumber")),
        "sections": _texts(record.iterfind(f"{_CHAPTER}/{{*}}Sections//{{*}}SectionTitle")),
        "awards": _awards(record),
        "competing_interests": _text(record, "{*}MedlineCitation/{*}CoiStatement"),
        **notices_metadata(record),
    }


def _ids(record: etree._Element) -> dict[str, str]:
    """Ids by their type; those that PubMed marks as wrong (ValidYN="N") are left out."""
    ids: dict[str, str] = {}
    for path in _IDS:
        for element in record.iterfind(path):
            ids.setdefault(element.get("IdType", ""), field_text(element))
    for element in record.iterfind(f"{_ARTICLE}/{{*}}ELocationID"):
        if element.get("ValidYN") != "N":
            ids.setdefault(element.get("EIdType", ""), field_text(element))
    return ids


def _awards(record: etree._Element) -> list[str]:
    """Who funded the work by which grants: 'R01 HL1, HL, NHLBI NIH HHS, United States'."""
    lists = (f"{part}/{{*}}GrantList/{{*}}Grant" for part in (_ARTICLE, _CHAPTER))
    grants = (grant for path in lists for grant in record.iterfind(path))
    return list(dict.fromkeys(", ".join(filter(None, map(field_text, grant))) for grant in grants))


def _text(record: etree._Element, path: str) -> str:
    return field_text(record.find(path))


def _texts(elements: Iterable[etree._Element]) -> list[str]:
    return list(dict.fromkeys(map(field_text, elements)))
