"""Concepts of vocabularies, as every format is read into.

Comes in: nothing. Leaves: VocabularyConcept and ConceptName, which formats yield and the index stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ConceptName", "Scope", "VocabularyConcept"]

Scope = Literal["preferred", "exact", "related", "narrow", "broad"]
"""How close a name is to its concept. Source: synonym scopes of OBO 1.4."""


@dataclass(frozen=True, slots=True)
class ConceptName:
    """A name of a concept."""

    text: str
    scope: Scope = "exact"
    language: str = "en"
    """BCP 47 tag."""
    documents: int = 0
    """Documents of an annotated corpus that use the name for the concept; 0 for names of a vocabulary."""


@dataclass(frozen=True, slots=True)
class VocabularyConcept:
    """A concept with its names."""

    curie: str
    """Its key, e.g. MESH:D003920."""
    names: tuple[ConceptName, ...]
    """At least one; the preferred one first."""
    kinds: tuple[str, ...] = ()
    """Kinds of mentions that it may be the concept of, e.g. Condition; empty: those of its vocabulary."""
    cross_references: tuple[str, ...] = ()
    """CURIEs of the same thing in other vocabularies, and its own earlier ids."""
    parents: tuple[str, ...] = ()
    """CURIEs of broader concepts."""

    @property
    def name(self) -> str:
        """The preferred name."""
        return self.names[0].text
