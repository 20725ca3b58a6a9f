"""Statements of RDF about concepts, documents and claims: what N-Quads and JSON-LD both write.

Input: nodes, documents and edges. Output: quads. Each claim that its document does not deny is a triple in a
named graph, whose IRI is the claim's; around it stand, in the default graph, its provenance (PROV-O) and its
evidence as W3C annotations with position and quote selectors.
Source: https://www.w3.org/TR/prov-o/, https://www.w3.org/TR/annotation-model/ (read 2026-11-30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from orchestration.contracts import SnapshotDocument
from orchestration.operations.graph.exporting import Edge, Node
from orchestration.operations.graph.iris import document_iri, expanded, scalar_text, urn

__all__ = ["PREFIXES", "Iri", "Literal", "Quad", "document_quads", "edge_quads", "node_quads"]

PREFIXES: Final[Mapping[str, str]] = {
    "biolink": "https://w3id.org/biolink/vocab/",
    "dcterms": "http://purl.org/dc/terms/",
    "medkg": "urn:medkg:vocab:",
    "oa": "http://www.w3.org/ns/oa#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


class Iri(NamedTuple):
    """A resource."""

    value: str


class Literal(NamedTuple):
    """A value; `datatype` None: a string."""

    value: str
    datatype: str | None = None


class Quad(NamedTuple):
    """One statement; `graph` None: in the default graph."""

    subject: Iri
    predicate: Iri
    object: Iri | Literal
    graph: Iri | None = None


def node_quads(node: Node) -> Iterator[Quad]:
    """A concept: its class, names, further keys and identifiers."""
    concept = node.node.concept
    subject = Iri(expanded(concept.concept))
    yield Quad(subject, _term("rdf:type"), _term(f"biolink:{node.category}"))
    yield Quad(subject, _term("rdfs:label"), _text(concept.name))
    yield Quad(subject, _term("medkg:kind"), _text(concept.kind))
    yield Quad(subject, _term("dcterms:identifier"), _text(concept.concept))
    for name in node.node.names[1:]:
        yield Quad(subject, _term("skos:altLabel"), _text(name))
    for key in node.node.keys[1:]:
        yield Quad(subject, _term("skos:exactMatch"), Iri(expanded(key)))
    for key in node.node.identifiers:
        yield Quad(subject, _term("biolink:xref"), Iri(expanded(key)))
    if concept.retracted:
        yield Quad(subject, _term("medkg:retracted"), _boolean(True))


def document_quads(document: SnapshotDocument) -> Iterator[Quad]:
    """A version of a document: its id, title, year, type of study, and whether it is retracted."""
    subject = _document(document)
    yield Quad(subject, _term("rdf:type"), _term("prov:Entity"))
    yield Quad(subject, _term("dcterms:source"), _text(document.key.source))
    yield Quad(subject, _term("dcterms:identifier"), _text(document.key.doc_id))
    yield Quad(subject, _term("dcterms:hasVersion"), _text(document.version))
    if document.title:
        yield Quad(subject, _term("dcterms:title"), _text(document.title))
    if document.year is not None:
        yield Quad(subject, _term("dcterms:issued"), Literal(f"{document.year:04}", _name("xsd:gYear")))
    if document.study_type:
        yield Quad(subject, _term("medkg:studyType"), _text(document.study_type))
    yield Quad(subject, _term("medkg:retracted"), _boolean(document.retracted))


def edge_quads(edge: Edge) -> Iterator[Quad]:
    """A claim: the triple in its graph, what it is, where it comes from, and its evidence."""
    claim, document = edge.claim, _document(edge.document)
    subject, object_ = Iri(expanded(edge.subject)), Iri(expanded(edge.object))
    predicate = _term(f"biolink:{edge.biolink_predicate}")
    graph = Iri(urn("claim", *_place(edge), claim.claim_id))
    if not claim.negated:
        yield Quad(subject, predicate, object_, graph)
    agent = Iri(urn("extraction", claim.extraction))
    for name, value in (
        ("rdf:type", _term("biolink:Association")),
        ("rdf:subject", subject),
        ("rdf:predicate", predicate),
        ("rdf:object", object_),
        ("dcterms:identifier", _text(claim.claim_id)),
        ("medkg:predicate", _text(claim.predicate)),
        ("biolink:negated", _boolean(claim.negated)),
        ("biolink:knowledge_level", _text(claim.knowledge_level)),
        ("biolink:agent_type", _text(claim.agent_type)),
        ("medkg:confidence", Literal(repr(float(claim.confidence)), _name("xsd:double"))),
        ("medkg:originalSubject", Iri(expanded(edge.original_subject))),
        ("medkg:originalObject", Iri(expanded(edge.original_object))),
        ("prov:wasDerivedFrom", document),
        ("prov:wasAttributedTo", agent),
        ("medkg:retracted", _boolean(edge.document.retracted)),
    ):
        yield Quad(graph, _term(name), value)
    if claim.direction is not None:
        yield Quad(graph, _term("biolink:object_direction_qualifier"), _text(claim.direction))
    yield Quad(agent, _term("rdf:type"), _term("prov:SoftwareAgent"))
    yield Quad(agent, _term("rdfs:label"), _text(claim.extraction))
    for number, qualifier in enumerate(claim.qualifiers, 1):
        node = Iri(f"{graph.value}:qualifier:{number}")
        yield Quad(graph, _term("medkg:qualifier"), node)
        yield Quad(node, _term("dcterms:type"), _text(qualifier.kind))
        yield Quad(node, _term("rdf:value"), _text(qualifier.value))
    for number, quote in enumerate(edge.quotes, 1):
        yield from _annotation(graph, document, quote, f"{graph.value}:evidence:{number}")


def _annotation(claim: Iri, document: Iri, quote: Mapping[str, Any], name: str) -> Iterator[Quad]:
    """The quote of a claim as an annotation: body, target, and selectors of the target."""
    annotation, target = Iri(name), Iri(f"{name}:target")
    yield Quad(annotation, _term("rdf:type"), _term("oa:Annotation"))
    yield Quad(annotation, _term("oa:motivatedBy"), _term("oa:describing"))
    yield Quad(annotation, _term("oa:hasBody"), claim)
    yield Quad(annotation, _term("oa:hasTarget"), target)
    yield Quad(target, _term("rdf:type"), _term("oa:SpecificResource"))
    yield Quad(target, _term("oa:hasSource"), document)
    position = Iri(f"{name}:position")
    yield Quad(target, _term("oa:hasSelector"), position)
    yield Quad(position, _term("rdf:type"), _term("oa:TextPositionSelector"))
    for term, character in (("oa:start", "start_char"), ("oa:end", "end_char")):
        yield Quad(position, _term(term), Literal(str(quote[character]), _name("xsd:nonNegativeInteger")))
    if quote["exact"] is None:
        return
    selector = Iri(f"{name}:quote")
    yield Quad(target, _term("oa:hasSelector"), selector)
    yield Quad(selector, _term("rdf:type"), _term("oa:TextQuoteSelector"))
    for part in ("exact", "prefix", "suffix"):
        yield Quad(selector, _term(f"oa:{part}"), _text(quote[part]))


def _place(edge: Edge) -> tuple[str, str, str]:
    key = edge.document.key
    return key.tenant_id, key.source, key.doc_id


def _document(document: SnapshotDocument) -> Iri:
    key = document.key
    return Iri(document_iri(key.tenant_id, key.source, key.doc_id, document.version))


def _name(term: str) -> str:
    prefix, _, local = term.partition(":")
    return PREFIXES[prefix] + local


def _term(term: str) -> Iri:
    return Iri(_name(term))


def _text(value: str) -> Literal:
    return Literal(scalar_text(value))


def _boolean(value: bool) -> Literal:
    return Literal("true" if value else "false", _name("xsd:boolean"))
