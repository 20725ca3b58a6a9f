"""The people of a PubMed record: authors, groups, editors and investigators, each by its own list.

Comes in: a PubmedArticle or PubmedBookArticle. Leaves: names as 'Vane Quill X Jr' or 'Kite Consortium', in
the order of the record. A name that PubMed marks as printed wrongly (ValidYN="N") is left out, since the
corrected one is listed too. Elements: pubmed_250101.dtd (read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from orchestration.parsing.pubmed.fields import name_text
from orchestration.parsing.xml.trees import local_name

__all__ = ["people_of"]

_OF_ARTICLE = "{*}MedlineCitation/{*}Article/{*}AuthorList"
_OF_CHAPTER = "{*}BookDocument/{*}AuthorList"
_OF_BOOK = "{*}BookDocument/{*}Book/{*}AuthorList"
_PARTS = ("{*}LastName", "{*}ForeName", "{*}Initials", "{*}Suffix", "{*}CollectiveName")
_INVESTIGATORS = (
    "{*}MedlineCitation/{*}InvestigatorList/{*}Investigator",
    "{*}BookDocument/{*}InvestigatorList/{*}Investigator",
    "{*}BookDocument/{*}Book/{*}InvestigatorList/{*}Investigator",
)


def people_of(record: etree._Element) -> dict[str, list[str]]:
    """Names by part: `authors`, `editors` (of a book), `investigators`.

    The authors of a chapter are its own; a chapter without any was written by the authors of the book.
    """
    own = [*record.iterfind(_OF_ARTICLE), *record.iterfind(_OF_CHAPTER)]
    of_book = list(record.iterfind(_OF_BOOK))
    return {
        "authors": _names_in(own, editors=False) or _names_in(of_book, editors=False),
        "editors": list(dict.fromkeys(_names_in([*own, *of_book], editors=True))),
        "investigators": _names(person for path in _INVESTIGATORS for person in record.iterfind(path)),
    }


def _names_in(lists: Iterable[etree._Element], *, editors: bool) -> list[str]:
    return _names(
        person
        for people in lists
        if (people.get("Type", "authors").lower() == "editors") is editors
        for person in people.iterchildren("{*}Author")
    )


def _names(people: Iterable[etree._Element]) -> list[str]:
    return [name for name in (_name(p) for p in people if p.get("ValidYN") != "N") if name]


def _name(person: etree._Element) -> str:
    """'Vane Quill X Jr' with the forename, else the initials; of a group its name."""
    parts = {local_name(part): name_text(part) for part in person.iterchildren(*_PARTS)}
    first_name = parts.get("ForeName") or parts.get("Initials")
    name = " ".join(filter(None, (parts.get("LastName"), first_name, parts.get("Suffix"))))
    return name or parts.get("CollectiveName", "")
