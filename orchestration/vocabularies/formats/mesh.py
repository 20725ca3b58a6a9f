"""MeSH as the National Library of Medicine offers it: descriptors and supplementary concepts, XML or ASCII.

Comes in: desc2026.xml, supp2026.xml, d2026.bin or c2026.bin. Leaves: headings with entry terms; their kinds
and broader headings from tree numbers. Headings of branches without a kind (organisms, anatomy, geography)
are left out unless the user names a kind. Source: https://www.nlm.nih.gov/mesh/xml_data_elements.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestration.vocabularies.formats.reading import (
    Concepts,
    FileOptions,
    ReadVocabulary,
    fault,
    open_bytes,
    text_lines,
)

__all__ = ["read_mesh_ascii", "read_mesh_xml"]

_KINDS: Final[Mapping[str, str]] = {
    "C": "Condition",
    "F01.145": "Behavior",
    "F03": "Condition",
    "D": "Drug",
    "E07": "Device",
    "E": "Procedure",
}
"""By the start of a tree number; the longest one counts."""
_CLASSES: Final[Mapping[str, str]] = {"1": "Drug", "2": "Procedure", "3": "Condition"}
"""Kinds of supplementary concepts by class."""


@dataclass
class _Heading:
    """One record of a file."""

    line: int | None
    ui: str = ""
    name: str = ""
    terms: list[str] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)
    mapped: list[str] = field(default_factory=list)
    """Ids or names of headings that a supplementary concept is mapped to."""
    kinds: set[str] = field(default_factory=set)


def read_mesh_xml(path: Path, options: FileOptions) -> ReadVocabulary:
    """Headings of an XML file; raises VocabularyUnreadableError with file and line."""
    return _gathered(path, options, "mesh-xml", list(_xml_headings(path)))


def read_mesh_ascii(path: Path, options: FileOptions) -> ReadVocabulary:
    """Headings of an ASCII file; raises VocabularyUnreadableError with file and line."""
    return _gathered(path, options, "mesh-ascii", list(_ascii_headings(path)))


def _gathered(
    path: Path, options: FileOptions, format_name: str, headings: Iterable[_Heading]
) -> ReadVocabulary:
    headings = list(headings)
    by_tree = {tree: heading.ui for heading in headings for tree in heading.trees}
    by_name = {heading.name: heading.ui for heading in headings}
    concepts = Concepts(path, options)
    left_out = 0
    for heading in headings:
        if not heading.ui or not heading.name:
            raise fault(path, heading.line, f"a record has no {'name' if heading.ui else 'id'}.")
        kinds = heading.kinds | {kind for tree in heading.trees if (kind := _kind_of(tree))}
        if not kinds and not options.kinds:
            left_out += 1
            continue
        curie = f"MESH:{heading.ui}"
        concepts.add_name(curie, heading.name, heading.line, scope="preferred")
        for term in heading.terms:
            concepts.add_name(curie, term, heading.line)
        concepts.add_kinds(curie, *sorted(kinds))
        parents = [by_tree.get(tree.rpartition(".")[0]) for tree in heading.trees]
        parents += [by_name.get(each, each if each[1:].isdecimal() else None) for each in heading.mapped]
        for parent in filter(None, parents):
            concepts.add_parent(curie, f"MESH:{parent}")
    counted = {"of branches without a kind": left_out} if left_out else {}
    return ReadVocabulary(format_name, concepts.gathered(), left_out=counted)


def _kind_of(tree: str) -> str | None:
    starts = [start for start in _KINDS if tree.startswith(start)]
    return _KINDS[max(starts, key=len)] if starts else None


def _xml_headings(path: Path) -> Iterator[_Heading]:
    from lxml import etree

    with open_bytes(path) as content:
        try:
            records = etree.iterparse(
                content,
                tag=("DescriptorRecord", "SupplementalRecord"),
                load_dtd=False,
                no_network=True,
                resolve_entities=False,
                huge_tree=True,
            )
            for _, record in records:
                yield _xml_heading(record)
                record.clear()
                while record.getprevious() is not None:
                    del record.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise fault(path, error.lineno, f"is no XML: {error.msg}.") from error


def _xml_heading(record: Any) -> _Heading:
    own = "Descriptor" if record.tag == "DescriptorRecord" else "SupplementalRecord"
    kinds = {_CLASSES[each] for each in [record.get("SCRClass")] if own != "Descriptor" and each in _CLASSES}
    return _Heading(
        record.sourceline,
        record.findtext(f"{own}UI", "").strip(),
        record.findtext(f"{own}Name/String", "").strip(),
        [term.text or "" for term in record.iterfind("ConceptList/Concept/TermList/Term/String")],
        [tree.text or "" for tree in record.iterfind("TreeNumberList/TreeNumber")],
        [
            (each.text or "").lstrip("*")
            for each in record.iterfind(
                "HeadingMappedToList/HeadingMappedTo/DescriptorReferredTo/DescriptorUI"
            )
        ],
        kinds,
    )


def _ascii_headings(path: Path) -> Iterator[_Heading]:
    heading: _Heading | None = None
    for line, text in text_lines(path):
        if text.strip() == "*NEWRECORD":
            if heading is not None:
                yield heading
            heading = _Heading(line)
            continue
        what, equals, value = text.partition(" = ")
        if not text.strip() or not equals:
            continue
        if heading is None:
            raise fault(path, line, "stands before the first *NEWRECORD.")
        _take(heading, what.strip(), value.strip())
    if heading is not None:
        yield heading


def _take(heading: _Heading, what: str, value: str) -> None:
    """Add one element of an ASCII record."""
    if what in ("MH", "NM"):
        heading.name = value
    elif what == "UI":
        heading.ui = value
    elif what in ("ENTRY", "PRINT ENTRY", "SY"):
        heading.terms.append(value.split("|", 1)[0])
    elif what == "MN":
        heading.trees.append(value)
    elif what == "HM":
        heading.mapped.append(value.lstrip("*").split("/", 1)[0])
    elif what == "RECTYPE" and value == "C":
        heading.kinds.add("Drug")
