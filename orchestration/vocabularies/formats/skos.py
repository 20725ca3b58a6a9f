"""Concept schemes in SKOS, as Turtle or RDF/XML, read by rdflib.

Comes in: a file. Leaves: its concepts with labels by language, exact matches and broader concepts; deprecated
concepts are left out. Source: https://www.w3.org/TR/skos-reference/.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from xml.sax import SAXParseException

from orchestration.vocabularies.concepts import Scope
from orchestration.vocabularies.formats.reading import (
    Concepts,
    FileOptions,
    ReadVocabulary,
    fault,
    open_bytes,
)

__all__ = ["read_skos"]


def read_skos(path: Path, options: FileOptions, *, syntax: str) -> ReadVocabulary:
    """Concepts of a file in `syntax`, turtle or xml; raises VocabularyUnreadableError with file and line."""
    from rdflib.namespace import OWL, RDF, SKOS

    graph = _parsed(path, syntax)
    concepts = Concepts(path, options)
    deprecated = 0
    for subject in sorted(set(graph.subjects(RDF.type, SKOS.Concept)), key=str):
        if any(str(value).lower() in ("true", "1") for value in graph.objects(subject, OWL.deprecated)):
            deprecated += 1
            continue
        curie = concepts.curie(str(subject), None)
        labels: tuple[tuple[Any, Scope], ...] = (
            (SKOS.prefLabel, "preferred"),
            (SKOS.altLabel, "exact"),
            (SKOS.hiddenLabel, "related"),
        )
        for label, scope in labels:
            for value in sorted(
                graph.objects(subject, label), key=lambda each: (str(each), str(each.language))
            ):
                language = value.language or "en"
                own = scope if scope != "preferred" or language.split("-")[0] == "en" else "exact"
                concepts.add_name(curie, str(value), None, scope=own, language=language)
        for match in sorted(map(str, graph.objects(subject, SKOS.exactMatch))):
            concepts.add_reference(curie, match)
        for broader in sorted(
            {*graph.objects(subject, SKOS.broader), *graph.subjects(SKOS.narrower, subject)}
        ):
            concepts.add_parent(curie, concepts.curie(str(broader), None))
    left_out = {"deprecated": deprecated} if deprecated else {}
    return ReadVocabulary("skos", concepts.gathered(), _version(graph), left_out)


def _version(graph: Any) -> str | None:
    from rdflib.namespace import OWL, RDF, SKOS

    for scheme in sorted(graph.subjects(RDF.type, SKOS.ConceptScheme), key=str):
        for value in sorted(map(str, graph.objects(scheme, OWL.versionInfo))):
            return value
    return None


def _parsed(path: Path, syntax: str) -> Any:
    """The graph of a file; values of a wrong type stay text."""
    from rdflib import Graph
    from rdflib.exceptions import ParserError
    from rdflib.plugins.parsers.notation3 import BadSyntax

    logging.getLogger("rdflib.term").setLevel(logging.ERROR)
    with open_bytes(path) as content:
        try:
            return Graph().parse(content, format=syntax, publicID=path.absolute().as_uri())
        except BadSyntax as error:
            raise fault(path, error.lines + 1, f"is no Turtle: {error._why}.") from error
        except SAXParseException as error:
            raise fault(path, error.getLineNumber(), f"is no XML: {error.getMessage()}.") from error
        except (ParserError, ValueError) as error:
            raise fault(path, None, f"is no RDF: {error}.") from error
