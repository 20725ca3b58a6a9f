"""Names of gold in the terms of the graph: kinds, predicates and CURIEs.

Input: kinds, relation types and ids as the corpora write them. Output: kinds and predicates of the graph
schema, CURIEs. What has no counterpart is None, counted by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KINDS", "PREDICATES", "Naming", "curies"]

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Disease": ("Disease", "Condition"),
    "SpecificDisease": ("Disease", "Condition"),
    "DiseaseClass": ("Disease", "Condition"),
    "CompositeMention": ("Disease", "Condition"),
    "Modifier": ("Disease", "Condition"),
    "DiseaseOrPhenotypicFeature": ("Disease", "Condition"),
    "Chemical": ("Chemical", "Drug"),
    "ChemicalEntity": ("Chemical", "Drug"),
    "Gene": ("Gene",),
    "GeneOrGeneProduct": ("Gene",),
    "SequenceVariant": ("Variant",),
    "OrganismTaxon": ("Species",),
    "CellLine": ("CellLine",),
}
"""Kinds of BC5CDR, NCBI Disease, BioRED and PubTator: the first that the schema has is meant."""

PREDICATES: Final[Mapping[str, tuple[str, ...]]] = {
    "CID": ("causes", "induces"),
    "Association": ("associated_with",),
}
"""Relation types of BC5CDR and BioRED; what BioRED's correlations mean depends on the kinds they join."""

_SIMPLE: Final = re.compile(r"(?:[A-Za-z][A-Za-z.]*:)?[A-Za-z]{0,5}_?[A-Za-z]?\d+")
_FORMS: Final = (
    (r"[CD]\d{6,9}", None, "MESH"),
    (r"rs\d+", None, "DBSNP"),
    (r"CVCL_\w+", None, "Cellosaurus"),
    (r"\d+", ("gene", "geneorgeneproduct"), "NCBIGene"),
    (r"\d+", ("species", "organismtaxon"), "NCBITaxon"),
)
"""Forms of ids, the kinds (None: any) whose ids they are, and the prefix of the vocabulary."""
_UNLINKED: Final = frozenset({"", "-", "-1", "nil", "none", "null", "cui-less"})
_PREFIXES: Final[Mapping[str, str]] = {"ncbi gene": "NCBIGene", "ncbigene": "NCBIGene", "mesh": "MESH"}


@dataclass(frozen=True)
class Naming:
    """Which kind and predicate of the graph a kind and a relation type of gold is."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    """Given by the user; they come before all others."""
    predicates: Mapping[str, str] = field(default_factory=dict)
    known_kinds: Collection[str] | None = None
    """Kinds of the graph schema; None: kinds and relation types stay as the gold has them."""
    known_predicates: Collection[str] = ()

    def kind(self, name: str) -> str | None:
        """The kind of the graph; None where it has none."""
        return _named(name, self.kinds, KINDS, self.known_kinds)

    def predicate(self, name: str) -> str | None:
        """The predicate of the graph; None where it has none."""
        known = None if self.known_kinds is None else self.known_predicates
        return _named(name, self.predicates, PREDICATES, known)


def _named(
    name: str,
    chosen: Mapping[str, str],
    usual: Mapping[str, tuple[str, ...]],
    known: Collection[str] | None,
) -> str | None:
    if name in chosen:
        return chosen[name]
    if known is None or name in known:
        return name
    return next((each for each in usual.get(name, ()) if each in known), None)


def curies(written: str, kind: str) -> tuple[str, ...]:
    """The CURIEs of an id as a corpus writes it for a mention of a (corpus') kind; () for an unlinked one.

    Several ids are separated by | (BC5CDR, composite mentions), + (NCBI Disease) or , (BioRED); -1 and - are
    unlinked. Variants (c|DEL|12|A, p|SUB|V|600|E) hold such signs and are one id.
    """
    written = written.strip()
    parts = [part.strip() for part in re.split(r"[|+,;]", written)]
    if not all(part.casefold() in _UNLINKED or _SIMPLE.fullmatch(part) for part in parts):
        parts = [written]
    linked = [_curie(part, kind) for part in parts if part.casefold() not in _UNLINKED]
    return tuple(dict.fromkeys(linked))


def _curie(written: str, kind: str) -> str:
    prefix, colon, local = written.partition(":")
    if colon and local and re.fullmatch(r"[A-Za-z][A-Za-z. ]*", prefix):
        return f"{_PREFIXES.get(prefix.casefold(), prefix)}:{local.strip()}"
    for pattern, of_kind, vocabulary in _FORMS:
        if re.fullmatch(pattern, written) and (of_kind is None or kind.casefold() in of_kind):
            return f"{vocabulary}:{written}"
    return written
