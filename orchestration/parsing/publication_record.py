"""What a record states of its publication, as the last sections of its text, which are not indexed.

Input: types, indexing terms, substances, data bank numbers, funders and related articles, as a parser read
them. Output: lines that a person can read, with each value annotated, so that claims have evidence: KINDS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from orchestration.parsing.identifiers import is_in
from orchestration.parsing.marking import Marks
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.records import RETRACTED_PUBLICATION, BlockKind, article_curies

__all__ = [
    "KINDS",
    "Accession",
    "Funder",
    "PublicationRecord",
    "RelatedArticle",
    "Term",
    "add_publication_record",
    "identifiers_of",
]

KINDS: Final[Mapping[str, str]] = {
    "article": "the identifiers of the publication",
    "publication_type": "what the publication is: a trial, a review, a retracted publication",
    "heading": "a term of a vocabulary that the record is indexed with",
    "major_topic": "the words that say that a heading or subheading is a main topic; of it",
    "subheading": "an aspect of a heading; of the heading",
    "substance": "a substance that the record is indexed with; CAS, UNII or EC number where it states one",
    "keyword": "a keyword of the authors or the publisher",
    "accession": "a number in a data bank or registry, with the bank",
    "funder": "who funded the work",
    "award": "a grant; of the funder",
    "related": "another article, with the relation between both, and whether the other is its subject",
    "reference": "a cited work with identifiers, with its role; written by the builder",
}
_Value = TypeVar("_Value")
_RETRACTED: Final = "Retracted Publication"
_MAJOR: Final = "major topic"


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a vocabulary, or a keyword."""

    name: str
    identifiers: tuple[str, ...] = ()
    is_major: bool = False
    number: str = ""
    """The registry number of a substance, as the record has it."""
    subheadings: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Accession:
    """A number in a data bank or a registry of trials."""

    bank: str
    number: str
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Funder:
    """Who funded the work, and by which grants."""

    name: str
    identifiers: tuple[str, ...] = ()
    awards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelatedArticle:
    """Another article as the record names it."""

    label: str
    """How it is related, in words: 'Retraction in'."""
    citation: str
    relation: str
    """A predicate of the graph, such as `retracts`."""
    is_subject: bool = False
    """Whether the other article is its subject: it retracts this one."""
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicationRecord:
    """What a record states of its publication; empty where it states nothing."""

    identifiers: tuple[str, ...] = ()
    """CURIEs of the publication itself."""
    is_retracted: bool = False
    types: Sequence[Term] = ()
    headings: Sequence[Term] = ()
    substances: Sequence[Term] = ()
    keywords: Sequence[Term] = ()
    accessions: Sequence[Accession] = ()
    funders: Sequence[Funder] = ()
    related: Sequence[RelatedArticle] = ()

    @property
    def all_types(self) -> list[Term]:
        """The types, that of a retracted publication included where the record states it in another way."""
        retracted = Term(_RETRACTED, (RETRACTED_PUBLICATION,))
        named = [
            replace(each, identifiers=retracted.identifiers)
            if each.name.casefold() == _RETRACTED.casefold()
            else each
            for each in self.types
        ]
        is_stated = any(RETRACTED_PUBLICATION in each.identifiers for each in named)
        return named if is_stated or not self.is_retracted else [*named, retracted]


def identifiers_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """CURIEs of a publication by the metadata of its document."""
    names = {"pmid": "pmid", "pmcid": "pmcid", "doi": "doi", "openalex": "openalex_id"}
    stated = {name: metadata.get(key) for name, key in names.items()}
    return article_curies(**{name: value for name, value in stated.items() if isinstance(value, str)})


def add_publication_record(builder: DocumentBuilder, marks: Marks, record: PublicationRecord) -> None:
    """Append what a record states, a section per kind of statement."""
    lines = _Lines(marks)
    with builder.section("Publication record", "publication_record"):
        for heading, written in (
            ("Identifiers", [lines.identifiers(record.identifiers)]),
            ("Publication types", lines.each(record.all_types, lines.type)),
            ("Indexing terms", lines.each(record.headings, lines.heading)),
            ("Substances", lines.each(record.substances, lines.substance)),
            ("Keywords", lines.each(record.keywords, lines.keyword)),
            ("Data banks", lines.each(record.accessions, lines.accession)),
            ("Funding", lines.each(record.funders, lines.funder)),
            ("Related articles", lines.each(record.related, lines.related)),
        ):
            with builder.section(heading):
                builder.lines(BlockKind.BIBLIOGRAPHIC, written)


class _Lines:
    """Writes one value per line, with marks."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def each(self, values: Iterable[_Value], line: Callable[[int, _Value], str]) -> list[str]:
        return [line(number, value) for number, value in enumerate(values)]

    def identifiers(self, curies: Sequence[str]) -> str:
        """'PMID 12, doi:10.1/x'."""
        printed = ", ".join(map(_printed, curies))
        return self._marks.mark(one_line(printed), "article", "article", identifiers=curies)

    def type(self, number: int, term: Term) -> str:
        return self._mark(term.name, "publication_type", number, identifiers=term.identifiers)

    def heading(self, number: int, term: Term) -> str:
        """'Asthma (major topic) / drug therapy (major topic) / blood'."""
        own = f"heading-{number}"
        if not one_line(term.name):
            return ""
        parts = [self._named(term, "heading", own)]
        parts += [
            self._named(subheading, "subheading", f"{own}-subheading-{place}", of=own)
            for place, subheading in enumerate(term.subheadings)
        ]
        return " / ".join(filter(None, parts))

    def substance(self, number: int, term: Term) -> str:
        """'Budesonide (51333-22-3)'."""
        named = self._mark(term.name, "substance", number, identifiers=term.identifiers)
        return f"{named} ({one_line(term.number)})" if named and one_line(term.number) else named

    def keyword(self, number: int, term: Term) -> str:
        return self._mark(term.name, "keyword", number, identifiers=term.identifiers)

    def accession(self, number: int, accession: Accession) -> str:
        """'GEO: GSE1234'."""
        bank = one_line(accession.bank)
        marked = self._mark(
            accession.number, "accession", number, identifiers=accession.identifiers, bank=bank
        )
        return f"{bank}: {marked}" if bank and marked else marked

    def funder(self, number: int, funder: Funder) -> str:
        """'National Kite Board: K-1, K-2'."""
        own = f"funder-{number}"
        named = self._mark(funder.name, "funder", number, identifiers=funder.identifiers)
        awards = [
            self._marks.mark(one_line(award), "award", f"{own}-award-{place}", of=own)
            for place, award in enumerate(funder.awards)
        ]
        return f"{named}: {', '.join(awards)}" if named and awards else named

    def related(self, number: int, article: RelatedArticle) -> str:
        """'Retraction in: J Kites. 2020;1(1):3. PMID 12'."""
        shown = article.citation or next(iter(article.identifiers), "")
        marked = self._mark(
            shown,
            "related",
            number,
            identifiers=article.identifiers,
            relation=article.relation,
            other="subject" if article.is_subject else "object",
        )
        unprinted = [_printed(each) for each in article.identifiers if not is_in(_value(each), shown)]
        line = " ".join(filter(None, (marked, ", ".join(unprinted))))
        return f"{one_line(article.label)}: {line}" if line else ""

    def _named(self, term: Term, kind: str, annotation_id: str, of: str | None = None) -> str:
        name = one_line(term.name)
        marked = self._marks.mark(name, kind, annotation_id, of=of, identifiers=term.identifiers)
        if not (marked and term.is_major):
            return marked
        major = self._marks.mark(_MAJOR, "major_topic", f"{annotation_id}-major", of=annotation_id)
        return f"{marked} ({major})"

    def _mark(
        self, value: str, kind: str, number: int, *, identifiers: Sequence[str] = (), **attributes: str
    ) -> str:
        return self._marks.mark(
            one_line(value), kind, f"{kind}-{number}", identifiers=identifiers, **attributes
        )


def _value(curie: str) -> str:
    return curie.partition(":")[2]


def _printed(curie: str) -> str:
    """A CURIE as citations print it: 'PMID 12', 'doi:10.1/x'."""
    prefix, _, value = curie.partition(":")
    return f"PMID {value}" if prefix == "PMID" else value if prefix == "PMC" else curie
