"""Description of a JSON service: the place of its records, its paging, and the fields that become a document.

Comes in: a YAML file of MEDKG_JSON_SOURCES_DIR. Leaves: a validated description, or a ConfigurationError that
names file, line and the valid values. A place in JSON is written as names joined by dots: study.title.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import parse_yaml, read_bytes, validate
from orchestration.settings import WebAddress

__all__ = [
    "JsonService",
    "OffsetPaging",
    "PagePaging",
    "TokenPaging",
    "at_place",
    "list_at",
    "read_service",
    "texts_at",
]

PlaceName = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[^\s&=?#]+$", max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenPaging(_Part):
    """Each page contains the token of the next request; a page without one is the last."""

    kind: Literal["token"] = Field(description="Pages follow a token.")
    parameter: ParameterName = Field(description="Parameter that carries the token.")
    place: PlaceName = Field(description="Place of the next token in a page.")


class OffsetPaging(_Part):
    """Each request skips a number of records; a page of fewer than `size` is the last."""

    kind: Literal["offset"] = Field(description="Pages follow a count of records.")
    parameter: ParameterName = Field(description="Parameter that carries the count.")
    size_parameter: ParameterName = Field(description="Parameter that carries the size of a page.")
    size: Annotated[int, Field(ge=1, le=10_000)] = Field(default=100, description="Records of a page.")


class PagePaging(_Part):
    """Each request has a page number; a page without records is the last."""

    kind: Literal["page"] = Field(description="Pages have numbers.")
    parameter: ParameterName = Field(description="Parameter that carries the number.")
    first: Annotated[int, Field(ge=0, le=1)] = Field(default=1, description="Number of the first page.")


class Since(_Part):
    """The parameter that restricts a request to changed records."""

    parameter: ParameterName = Field(description="Parameter that carries the moment.")
    format: Literal["date", "datetime"] = Field(default="date", description="2026-11-28, or with the time.")


class SectionOf(_Part):
    """A section of the document's text."""

    place: PlaceName = Field(description="Place of the text; a list of texts becomes one paragraph each.")
    label: str = Field(default="", max_length=200, description="Heading.")
    role: str | None = Field(default=None, max_length=50, description="abstract, methods, eligibility ...")


class DocumentOf(_Part):
    """Places of the fields of a document in a record."""

    id: PlaceName = Field(description="Where the record's own id is.")
    title: PlaceName | None = Field(default=None, description="Where its title is.")
    sections: tuple[SectionOf, ...] = Field(min_length=1, max_length=100, description="Its text, in order.")
    metadata: dict[str, PlaceName] = Field(default_factory=dict, description="Filterable fields.")


class JsonService(_Part):
    """A service that returns lists of JSON records over HTTP."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")] = Field(
        description="Name for --source; its documents' ids begin with it."
    )
    url: WebAddress = Field(description="Address of the list.")
    parameters: dict[ParameterName, str] = Field(default_factory=dict, description="Sent with every request.")
    query_parameter: ParameterName = Field(description="Parameter that carries --query.")
    records: PlaceName | None = Field(default=None, description="Where a page's list is; default: the page.")
    paging: Annotated[TokenPaging | OffsetPaging | PagePaging, Field(discriminator="kind")] | None = Field(
        default=None, description="How pages follow; default: there is one."
    )
    since: Since | None = Field(default=None, description="How changes are requested; default: not at all.")
    ids_parameter: ParameterName | None = Field(
        default=None, description="Parameter that carries ids, joined by commas, for records wanted again."
    )
    policy: str = Field(default="polite-api", description="Policy of resilience.yaml.")
    address: str = Field(
        default="", max_length=500, description="Page of a record for people, with {id} for its id."
    )
    document: DocumentOf = Field(description="What of a record is what of a document.")


def read_service(path: Path) -> JsonService:
    """The service of a file; raises ConfigurationError naming file and line."""
    source = parse_yaml(read_bytes(path, ConfigurationError), path, ConfigurationError)
    return validate(source, JsonService)


def list_at(value: Any, place: str | None) -> list[Any] | None:
    """The list at a place (None: the value itself); None where that is no list."""
    for name in place.split(".") if place is not None else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else None


def at_place(value: Any, place: str) -> Any:
    """The value at a place, None if it is missing; of a list, the value of each element."""
    for name in place.split("."):
        if isinstance(value, list):
            value = [element.get(name) for element in value if isinstance(element, dict)]
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def texts_at(value: Any, place: str) -> Sequence[str]:
    """The texts and numbers at a place, as text; other values are left out."""
    at = at_place(value, place)
    values = at if isinstance(at, list) else [at]
    return [
        str(item) for item in values if isinstance(item, str | int | float) and not isinstance(item, bool)
    ]
