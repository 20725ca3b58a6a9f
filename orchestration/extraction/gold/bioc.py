"""BioC collections, in XML and JSON: documents of passages with annotations and relations.

Input: the bytes or the JSON value of a file. Output: a draft per document. The XML is first read into the
form of the JSON (Comeau et al. 2013, http://bioc.sourceforge.net); nothing external is loaded and no entity
is expanded. Passages stand at their offsets, gaps are blanks. Concepts are the infon `identifier` or one
named by a vocabulary; relations join annotations (nodes) or concepts (infons, as BioRED has them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lxml import etree

from orchestration.errors import UsageError
from orchestration.extraction.gold.drafts import Draft, DraftError, DraftMention, DraftRelation

__all__ = ["bioc_drafts", "bioc_of_xml"]

GAP: Final = 10_000
"""Blanks between two passages at most; a larger offset is a fault."""
_VOCABULARIES: Final = {"MESH": "MESH", "MeSH": "MESH", "OMIM": "OMIM", "NCBI Gene": "NCBIGene"}
"""Infons that hold an id, with the prefix of its CURIE."""
_ARGUMENTS: Final = (("entity1", "entity2"), ("Chemical", "Disease"))
"""Infons of relations that name concepts: BioRED's and BC5CDR's."""
_NOVELTY: Final = {"Novel": True, "No": False}


def bioc_of_xml(content: bytes, file: str) -> dict[str, Any]:
    """The collection in the form of BioC JSON, documents with their `line`; raises UsageError."""
    parser = etree.XMLParser(
        load_dtd=False, no_network=True, resolve_entities=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UsageError(f"gold {file} is not well-formed XML: {error}. The file may be cut off.") from error
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):  # type: ignore[union-attr]
        raise UsageError(f"gold {file} declares entities, which medkg does not expand. Remove them.")
    if root.tag != "collection":
        raise UsageError(f"gold {file} is XML of <{root.tag}>, not a BioC <collection>.")
    return {"documents": [_part_of_xml(each) for each in root.iterfind("document")]}


def _part_of_xml(element: etree._Element) -> dict[str, Any]:
    """A document, passage, sentence, annotation or relation."""
    part: dict[str, Any] = {"line": element.sourceline, "infons": {}}
    part |= {str(name): str(value) for name, value in element.attrib.items()}
    for child in element:
        name = str(child.tag)
        if name == "infon":
            part["infons"][child.get("key", "")] = child.text or ""
        elif name in ("id", "text", "offset"):
            part[name] = "".join(map(str, child.itertext()))
        else:
            part.setdefault(f"{name}s", []).append(_part_of_xml(child))
    return part


def bioc_drafts(collection: Mapping[str, Any], file: str) -> Iterator[Draft]:
    """Drafts in the order of the collection; raises UsageError for one without documents."""
    documents = collection.get("documents")
    if not isinstance(documents, list) or not documents:
        raise UsageError(f"gold {file} is a BioC collection without documents.")
    for number, document in enumerate(documents, start=1):
        line = document.get("line") if isinstance(document, dict) else None
        doc_id = str(document.get("id", "")) if isinstance(document, dict) else ""
        draft = Draft(doc_id or f"number {number}", "", line)
        try:
            if not doc_id:
                raise DraftError(line, "it has no id")
            _fill(draft, document)
        except DraftError as error:
            draft.error = error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            draft.error = DraftError(line, f"a part of it is missing or of another type: {error!r}")
        yield draft


def _fill(draft: Draft, document: Mapping[str, Any]) -> None:
    pieces: list[str] = []
    length = 0
    parts: list[Mapping[str, Any]] = [document]
    for passage in document.get("passages", ()):
        sentences: Sequence[Mapping[str, Any]] = passage.get("sentences") or ()
        parts += [passage, *sentences]
        for stretch in [passage] if passage.get("text") else sentences:
            offset, text = int(stretch["offset"]), str(stretch.get("text") or "")
            if not length <= offset <= length + GAP:
                raise DraftError(stretch.get("line"), f"a passage at {offset} follows {length} characters")
            pieces += [" " * (offset - length), text]
            length = offset + len(text)
            if not draft.title and passage.get("infons", {}).get("type") == "title" and offset == 0:
                draft.title = text
    draft.text = "".join(pieces)
    for part in parts:
        for annotation in part.get("annotations") or ():
            draft.mentions.append(_mention(annotation))
        for relation in part.get("relations") or ():
            draft.relations.append(_relation(relation))


def _mention(annotation: Mapping[str, Any]) -> DraftMention:
    infons: Mapping[str, Any] = annotation.get("infons") or {}
    locations = annotation["locations"]
    if len(locations) != 1:
        raise DraftError(
            annotation.get("line"),
            f"annotation {annotation.get('id')} has {len(locations)} locations; medkg has one span a mention",
        )
    start = int(locations[0]["offset"])
    return DraftMention(
        start,
        start + int(locations[0]["length"]),
        str(infons["type"]),
        str(annotation["text"]),
        _concept(infons),
        annotation.get("line"),
        str(annotation["id"]) if annotation.get("id") is not None else None,
    )


def _concept(infons: Mapping[str, Any]) -> str:
    written = infons.get("identifier") or infons.get("Identifier")
    if written:
        return str(written)
    for name, prefix in _VOCABULARIES.items():
        if infons.get(name):
            return "|".join(f"{prefix}:{each}" for each in str(infons[name]).split("|") if each != "-1")
    return ""


def _relation(relation: Mapping[str, Any]) -> DraftRelation:
    infons: Mapping[str, Any] = relation.get("infons") or {}
    line = relation.get("line")
    kind = infons.get("type") or infons.get("relation")
    if not kind:
        raise DraftError(line, f"relation {relation.get('id')} has no infon `type`")
    nodes = [str(node["refid"]) for node in relation.get("nodes") or ()]
    for names in _ARGUMENTS:
        if not nodes and all(infons.get(name) for name in names):
            nodes = [str(infons[name]) for name in names]
    if len(nodes) != 2:
        raise DraftError(line, f"relation {relation.get('id')} joins {len(nodes)} annotations, not two")
    novelty = infons.get("novel")
    return DraftRelation(
        str(kind), nodes[0], nodes[1], directed=kind == "CID", novel=_NOVELTY.get(str(novelty)), line=line
    )
