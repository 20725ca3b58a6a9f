"""Ontologies in OBO and in OWL (RDF/XML), read by pronto.

Comes in: a file. Leaves: its terms with synonyms by scope, cross-references and the terms that they are
subclasses of; obsolete terms are left out. Ontologies that the file imports are not fetched.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from xml.etree.ElementTree import ParseError

from orchestration.vocabularies.concepts import Scope
from orchestration.vocabularies.formats.reading import (
    Concepts,
    FileOptions,
    ReadVocabulary,
    fault,
    open_bytes,
    text_lines,
)

__all__ = ["read_obo", "read_owl"]

_SCOPES: Final[dict[str, Scope]] = {
    "EXACT": "exact",
    "RELATED": "related",
    "NARROW": "narrow",
    "BROAD": "broad",
}


def read_obo(path: Path, options: FileOptions) -> ReadVocabulary:
    """Terms of an OBO file; raises VocabularyUnreadableError with file and line, also for a repeated id."""
    _check_ids(path)
    return _read(path, options, "obo")


def read_owl(path: Path, options: FileOptions) -> ReadVocabulary:
    """Classes of an OWL file in RDF/XML; raises VocabularyUnreadableError with file and line."""
    return _read(path, options, "owl")


def _read(path: Path, options: FileOptions, format_name: str) -> ReadVocabulary:
    ontology = _parsed(path)
    concepts = Concepts(path, options)
    obsolete = unnamed = 0
    for term in ontology.terms():
        if term.obsolete:
            obsolete += 1
        elif not term.name:
            unnamed += 1
        else:
            _add(concepts, term)
    left_out = {"obsolete": obsolete, "without a name": unnamed}
    version = ontology.metadata.data_version or ontology.metadata.format_version
    return ReadVocabulary(
        format_name,
        concepts.gathered(),
        version,
        {what: number for what, number in left_out.items() if number},
    )


def _check_ids(path: Path) -> None:
    """Raise for text that is no UTF-8, and for an id that two terms have, of which pronto keeps the last."""
    lines: dict[str, int] = {}
    frame = ""
    for number, line in text_lines(path):
        if line.startswith("["):
            frame = line.strip()
        elif frame == "[Term]" and line.startswith("id:"):
            identifier = line.removeprefix("id:").partition("!")[0].strip()
            if lines.setdefault(identifier, number) != number:
                raise fault(
                    path,
                    number,
                    f"the id {identifier} is that of the term at line {lines[identifier]:,} too.",
                )


def _parsed(path: Path) -> Any:
    """The ontology; pronto's warnings about what it leaves out do not concern names."""
    from pronto.ontology import Ontology

    with open_bytes(path) as content, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Ontology(cast(BinaryIO, content), import_depth=0, threads=1)
        except ParseError as error:
            raise fault(path, error.position[0], f"is no XML: {error.msg}.") from error
        except SyntaxError as error:
            raise fault(path, error.lineno, f"is no OBO: {error.msg}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise fault(path, None, f"cannot be read as an ontology: {error}.") from error


def _add(concepts: Concepts, term: Any) -> None:
    curie = concepts.curie(term.id, None)
    concepts.add_name(curie, term.name, None, scope="preferred")
    for synonym in sorted(term.synonyms, key=lambda each: (each.description, each.scope)):
        concepts.add_name(curie, synonym.description, None, scope=_SCOPES.get(synonym.scope, "related"))
    for reference in sorted(each.id for each in term.xrefs):
        concepts.add_reference(curie, reference)
    for other in sorted(term.alternate_ids):
        concepts.add_reference(curie, other)
    for parent in sorted(each.id for each in term.superclasses(distance=1, with_self=False)):
        concepts.add_parent(curie, concepts.curie(parent, None))
