"""Filters of searches, and the facets of chunks that they are compared with.

A facet is a name with folded values. The parsers' metadata yield a document's facets (`facets_of_metadata`),
the chunk stage copies them to its chunks, and every store keeps `chunk_facets` with each entry.

Guarantees: every store filters exactly as `Filters.matches` does, before it cuts the list to its limit, so a
filtered search returns the best matching chunks, not the matching ones among the best.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from orchestration.records import Chunk, DocumentKey, Record

__all__ = [
    "ANYTHING",
    "DATE",
    "FACETS",
    "TERM_FACETS",
    "Facets",
    "Filters",
    "chunk_facets",
    "facets_of_metadata",
    "fold",
    "is_day",
]

Facets = Mapping[str, tuple[str, ...]]
"""Folded values by facet; a facet without values is left out."""

TERM_FACETS: Final = ("source", "section", "phase", "status", "condition", "mesh", "licence", "flag")
"""Facets that are compared by equality."""

FACETS: Final = (*TERM_FACETS, "date")
"""All of them; dates are compared by day."""

FLAGS: Final[Mapping[str, str]] = {
    "is_retracted": "retracted",
    "is_corrected": "corrected",
    "has_expression_of_concern": "expression-of-concern",
}
"""Fields of Document.metadata to the value of the facet `flag`."""

DOCUMENT_FACETS: Final[Mapping[str, tuple[str, ...]]] = {
    "phase": ("phase",),
    "status": ("status",),
    "condition": ("conditions",),
    "mesh": ("mesh", "mesh_ancestors"),
    "licence": ("licence",),
    "flag": tuple(FLAGS),
    "date": ("date", "start_date", "year"),
}
"""Fields of Document.metadata that yield each facet: the first date, flags that are true, else all values."""

DATE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
"""Form of a day, month or year; `is_day` also looks at the calendar."""


def fold(text: str) -> str:
    """Text as filters compare it: case, underscores and runs of white space make no difference."""
    return " ".join(text.replace("_", " ").casefold().split())


def is_day(text: str) -> bool:
    """Return whether the text is a year, month or day of the calendar: YYYY, YYYY-MM or YYYY-MM-DD."""
    if DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(_first_day(text))
    except ValueError:
        return False
    return True


def _folded(value: object) -> tuple[str, ...]:
    texts = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be a text or a list of texts")
    return tuple(dict.fromkeys(fold(text) for text in texts))


def _phase(value: object) -> tuple[str, ...]:
    """Phases by number: PHASE2, "Phase 2" and 2 are equal."""
    return tuple(re.sub(r"\s*phase\s*", " ", text).strip() for text in _folded(value))


def _licence(value: object) -> tuple[str, ...]:
    """Licences by code: "CC BY-NC 4.0" and cc-by-nc are equal."""
    codes = (re.sub(r" \d(\.\d+)?$", "", text).replace(" ", "-") for text in _folded(value))
    return tuple(dict.fromkeys(codes))


def _flag(value: object) -> tuple[str, ...]:
    """Known flags only: a misspelt one would filter nothing. Raises ValueError."""
    flags = tuple(text.replace(" ", "-") for text in _folded(value))
    if unknown := [flag for flag in flags if flag not in FLAGS.values()]:
        raise ValueError(f"there is no flag {unknown[0]!r}, only {', '.join(FLAGS.values())}")
    return flags


Texts = Annotated[tuple[str, ...], BeforeValidator(_folded)]
Phases = Annotated[tuple[str, ...], BeforeValidator(_phase)]
Flags = Annotated[tuple[str, ...], BeforeValidator(_flag)]
Licences = Annotated[tuple[str, ...], BeforeValidator(_licence)]


def _day(value: str) -> str:
    """Days of the calendar only: 2020-13 would filter nothing, or everything. Raises ValueError."""
    if value and not is_day(value):
        raise ValueError(f"{value!r} is not a date; write YYYY, YYYY-MM or YYYY-MM-DD, e.g. 2019-05")
    return value


Day = Annotated[str, AfterValidator(_day)]


class Filters(Record):
    """Conditions on hits: one of the values of each field that is set. Values are folded."""

    source: Texts = Field(default=(), description="Where the record comes from.")
    section: Texts = Field(default=(), description="Role or heading of the chunk's section.")
    phase: Phases = Field(default=(), description="Trial phase: 2, PHASE2, early 1, na.")
    status: Texts = Field(default=(), description="Recruitment status, e.g. completed.")
    condition: Texts = Field(default=(), description="A condition, as the registry names it.")
    mesh: Texts = Field(default=(), description="A MeSH heading, or one above it where the record names it.")
    licence: Licences = Field(
        default=(), description="Of the text: cc-by, cc0, other, none; CC BY 4.0 is cc-by."
    )
    flag: Flags = Field(default=(), description="retracted, corrected or expression-of-concern.")
    without_flag: Flags = Field(default=(), description="Documents with one of these flags are left out.")
    since: Day = Field(default="", description="YYYY, YYYY-MM or YYYY-MM-DD; a document of that day matches.")
    until: Day = Field(default="", description="The same; the last day is included.")

    @property
    def wanted(self) -> Facets:
        """The wanted values of each facet, apart from dates."""
        return {name: values for name in TERM_FACETS if (values := getattr(self, name))}

    @property
    def unwanted(self) -> Facets:
        """The values that a hit must not have, by facet."""
        return {"flag": self.without_flag} if self.without_flag else {}

    @property
    def days(self) -> tuple[str, str] | None:
        """First and last day, YYYY-MM-DD, which sort as texts; None if dates are not filtered."""
        if not self.since and not self.until:
            return None
        return _first_day(self.since or "0001"), _last_day(self.until or "9999")

    def matches(self, facets: Facets) -> bool:
        """Whether a chunk with these facets may be a hit; every store implements exactly this."""
        for name, values in self.wanted.items():
            if not set(values) & set(facets.get(name, ())):
                return False
        for name, values in self.unwanted.items():
            if set(values) & set(facets.get(name, ())):
                return False
        if self.days is None:
            return True
        first, last = self.days
        return any(first <= day <= last for day in facets.get("date", ()))


ANYTHING: Final = Filters()


def facets_of_metadata(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """The facets of a document by its metadata, as JSON values for Chunk.metadata."""
    facets: dict[str, list[str]] = {}
    for facet, fields in DOCUMENT_FACETS.items():
        values: Sequence[str]
        texts = [text for field in fields for text in _texts(metadata.get(field))]
        if facet == "date":
            days = [_first_day(day) for text in texts if (day := _calendar_day(text))]
            values = days[:1]
        elif facet == "flag":
            values = [FLAGS[field] for field in fields if metadata.get(field) is True]
        else:
            values = _phase(texts) if facet == "phase" else _folded(texts)
        if values:
            facets[facet] = list(values)
    return facets


def chunk_facets(key: DocumentKey, chunk: Chunk) -> Facets:
    """All facets of a chunk."""
    own = {"source": _folded(key.source), "section": _folded(chunk.section)}
    of_metadata = {name: _folded(_texts(chunk.metadata.get(name))) for name in DOCUMENT_FACETS}
    return {**own, **{name: values for name, values in of_metadata.items() if values}}


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(each) for each in values if isinstance(each, str | int) and not isinstance(each, bool)]


def _calendar_day(text: str) -> str:
    """The day that a record states; of one that does not exist, as 2020-02-31, its month or year."""
    if DATE.fullmatch(text) is None:
        return ""
    return next((text[:length] for length in (len(text), 7, 4) if is_day(text[:length])), "")


def _first_day(day: str) -> str:
    return day + "0001-01-01"[len(day) :]


def _last_day(day: str) -> str:
    return day + "9999-12-31"[len(day) :]
