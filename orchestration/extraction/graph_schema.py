"""The graph schema: kinds of mentions, predicates of claims, and which kinds a predicate may join.

Input: graph.yaml beside the topologies. Output: a checked GraphSchema, or a ConfigurationError that names
file, line and the valid values. Extractors propose; `unfitting` says what the schema does not allow.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import (
    YamlSource,
    closest,
    parse_yaml,
    read_bytes,
    schema_json,
    validate,
)

__all__ = [
    "GRAPH_FILE",
    "GraphSchema",
    "KindDefinition",
    "PredicateDefinition",
    "graph_schema_json",
    "load_graph_schema",
]

GRAPH_FILE: Final = "graph.yaml"

KindName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=60)]
PredicateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=60)]
BiolinkClass = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=80)]
BiolinkSlot = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KindDefinition(_Settings):
    """A kind of mentions."""

    biolink: BiolinkClass = Field(description="Class of the Biolink model, without its prefix: Disease.")
    description: str = Field(default="", max_length=500, description="What is of this kind.")
    prose: bool = Field(
        default=False, description="Whether models look for it in running text; else records alone state it."
    )


class PredicateDefinition(_Settings):
    """A predicate of claims."""

    biolink: BiolinkSlot = Field(description="Predicate of the Biolink model, without its prefix: treats.")
    description: str = Field(default="", max_length=500, description="What a claim with it states.")
    prose: bool = Field(
        default=False, description="Whether models look for it in running text; else records alone state it."
    )
    joins: tuple[tuple[KindName, KindName], ...] = Field(
        min_length=1, max_length=200, description="Pairs of subject and object kinds that it may join."
    )


class GraphSchema(_Settings):
    """The content of graph.yaml."""

    description: str = Field(default="", max_length=500, description="The domain.")
    kinds: dict[KindName, KindDefinition] = Field(min_length=1, max_length=200, description="Kinds by name.")
    predicates: dict[PredicateName, PredicateDefinition] = Field(
        max_length=200, description="Predicates by name."
    )

    def allows(self, subject_kind: str, predicate: str, object_kind: str) -> bool:
        """Whether a predicate may join mentions of these kinds."""
        definition = self.predicates.get(predicate)
        return definition is not None and (subject_kind, object_kind) in definition.joins

    @property
    def prose_kinds(self) -> dict[str, KindDefinition]:
        """Kinds that models look for in running text."""
        return {name: kind for name, kind in self.kinds.items() if kind.prose}

    @property
    def prose_predicates(self) -> dict[str, PredicateDefinition]:
        """Predicates that models look for in running text."""
        return {name: predicate for name, predicate in self.predicates.items() if predicate.prose}

    @property
    def version(self) -> str:
        """sha256 hex of the schema, without comments and layout; part of fingerprints."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_graph_schema(folder: Path) -> GraphSchema:
    """Read graph.yaml; raises ConfigurationError naming file, line and what would be valid."""
    path = folder / GRAPH_FILE
    source = parse_yaml(read_bytes(path, ConfigurationError), path, ConfigurationError)
    schema = validate(source, GraphSchema)
    _check_joins(source, schema)
    return schema


def _check_joins(source: YamlSource, schema: GraphSchema) -> None:
    for name, predicate in schema.predicates.items():
        for number, pair in enumerate(predicate.joins):
            for kind in pair:
                if kind not in schema.kinds:
                    raise source.error(
                        ("predicates", name, "joins", number),
                        f"predicate {name!r} joins {kind!r}, which is not a kind; kinds: "
                        f"{', '.join(schema.kinds)}.{closest(kind, list(schema.kinds))}",
                    )


def graph_schema_json() -> str:
    """The JSON Schema of graph.yaml; docs/guides/graph-schema.json is a copy."""
    return schema_json(GraphSchema, "medkg graph schema")
