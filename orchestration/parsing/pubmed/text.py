"""Title and abstracts of a PubMed record.

Comes in: a PubmedArticle or PubmedBookArticle. Leaves: the title, the labelled abstract, further abstracts
(plain language, other languages) under separate headings, appended to the document. A title that PubMed
does not have in English ("[Not Available].") is replaced by the one in the article's language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from orchestration.parsing.languages import ENGLISH, language_name
from orchestration.parsing.section_roles import section_role
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.markup import without_tags
from orchestration.records import BlockKind

__all__ = ["Titles", "abstract_languages", "add_abstract_part", "add_abstracts", "titles_of"]

ABSTRACT: Final = "abstract"
_NO_LABEL: Final = frozenset({"", "UNLABELLED", "UNLABELED", "UNASSIGNED", "TEXT"})
_PLACEHOLDERS: Final = frozenset({"not available", "in process citation", "no title available", "no title"})
_CATEGORIES: Final = {
    "BACKGROUND": "introduction",
    "OBJECTIVE": "introduction",
    "METHODS": "methods",
    "RESULTS": "results",
    "CONCLUSIONS": "conclusions",
}
_KINDS: Final = {"plain-language-summary": "Plain language summary"}
"""Headings of abstracts whose type is more than the publisher's name."""


@dataclass(frozen=True, slots=True)
class Titles:
    """The titles of a record; '' where it has none."""

    title: str
    """The one of the document."""
    vernacular: str
    """The title in the article's language, if that is not English."""
    book: str
    """The title of the book, of a chapter or of a book itself."""

    @property
    def is_vernacular(self) -> bool:
        return bool(self.title) and self.title == self.vernacular


def titles_of(record: etree._Element) -> Titles:
    """The titles; placeholders of PubMed count as none."""
    citation, chapter = "{*}MedlineCitation/{*}Article", "{*}BookDocument"
    own = _title(record, f"{citation}/{{*}}ArticleTitle", f"{chapter}/{{*}}ArticleTitle")
    vernacular = _title(record, f"{citation}/{{*}}VernacularTitle", f"{chapter}/{{*}}VernacularTitle")
    book = _title(record, f"{chapter}/{{*}}Book/{{*}}BookTitle")
    return Titles(title=own or vernacular or book, vernacular=vernacular, book=book)


def _title(record: etree._Element, *paths: str) -> str:
    for path in paths:
        element = record.find(path)
        title = without_tags(one_line(inline_text(element))) if element is not None else ""
        if title and title.strip("[]. ").casefold() not in _PLACEHOLDERS:
            return title
    return ""


def add_abstracts(builder: DocumentBuilder, record: etree._Element) -> None:
    """Append the abstract, then those of other kinds and languages in the order of the record."""
    for abstract in _main(record):
        _add_parts(builder, abstract)
    for abstract in _others(record):
        heading = _heading(abstract)
        if heading:
            with builder.section(heading, ABSTRACT):
                _add_parts(builder, abstract)
        else:
            _add_parts(builder, abstract)


def abstract_languages(record: etree._Element) -> list[str]:
    """Codes of the languages of the abstracts that have text, each once."""
    languages = ["eng" for abstract in _main(record) if _has_text(abstract)]
    languages += [abstract.get("Language", "eng") for abstract in _others(record) if _has_text(abstract)]
    return list(dict.fromkeys(languages))


def add_abstract_part(builder: DocumentBuilder, label: str, role: str | None, paragraphs: list[str]) -> None:
    """Append one part of an abstract; without a label, or with one of no known role, it is an abstract."""
    label = "" if label.strip().upper() in _NO_LABEL else label
    with builder.section(label, role or section_role(label) or ABSTRACT):
        for paragraph in paragraphs:
            builder.block(BlockKind.PARAGRAPH, paragraph)


def _main(record: etree._Element) -> list[etree._Element]:
    return [
        *record.iterfind("{*}MedlineCitation/{*}Article/{*}Abstract"),
        *record.iterfind("{*}BookDocument/{*}Abstract"),
    ]


def _others(record: etree._Element) -> list[etree._Element]:
    return list(record.iterfind("{*}MedlineCitation/{*}OtherAbstract"))


def _has_text(abstract: etree._Element) -> bool:
    parts = abstract.iterchildren("{*}AbstractText")
    return any(len(part) or (part.text or "").strip() for part in parts)


def _heading(abstract: etree._Element) -> str:
    """'Abstract (French)', 'Plain language summary (Spanish)'; '' for another abstract in English."""
    kind = _KINDS.get(abstract.get("Type", ""), "")
    language = abstract.get("Language", "")
    if language.lower() in ENGLISH:
        return kind
    return f"{kind or 'Abstract'} ({language_name(language)})"


def _add_parts(builder: DocumentBuilder, abstract: etree._Element) -> None:
    for part in abstract.iterchildren("{*}AbstractText"):
        role = _CATEGORIES.get(part.get("NlmCategory", ""))
        add_abstract_part(builder, part.get("Label", ""), role, [without_tags(inline_text(part))])
