"""The reference list of a JATS article, kept apart from its text.

Comes in: the article. Leaves: one Reference per entry, wherever the lists are in the article, with the
cited pmid and DOI for citation graphs.
"""

from __future__ import annotations

from lxml import etree

from orchestration.parsing.jats_front import person_name, plain_doi
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml import local_name
from orchestration.parsing.xml_inline import inline_text

_CITATIONS = ("element-citation", "mixed-citation", "nlm-citation", "citation", "note", "p")
_PEOPLE = frozenset({"person-group", "name", "collab", "string-name"})


def add_references(builder: DocumentBuilder, root: etree._Element) -> None:
    """Append every entry of every reference list of the article, but not those of articles inside it."""
    for entry in root.iter("{*}ref"):
        if not any(local_name(above) in ("sub-article", "response") for above in entry.iterancestors()):
            _add_reference(builder, entry)


def _add_reference(builder: DocumentBuilder, entry: etree._Element) -> None:
    label = entry.find("{*}label")
    citations = [child for child in entry if local_name(child) in _CITATIONS] or [entry]
    pmid = doi = None
    for identifier in entry.iter("{*}pub-id"):
        kind, text = identifier.get("pub-id-type"), one_line(inline_text(identifier))
        pmid = pmid or (text if kind == "pmid" else None)
        doi = doi or (plain_doi(text) if kind == "doi" else None)
    builder.reference(
        " ".join(_citation_text(citation) for citation in citations),
        label=inline_text(label) if label is not None else "",
        pmid=pmid,
        doi=doi,
    )


def _citation_text(citation: etree._Element) -> str:
    """A mixed citation as it stands; the parts of a structured one separated by blanks."""
    if one_line("".join(child.tail or "" for child in citation)):
        return inline_text(citation)
    parts = []
    for child in citation:
        name = local_name(child)
        if name in ("label", "pub-id"):
            continue
        people = [person_name(person) for person in child.iter("{*}name")] if name in _PEOPLE else []
        groups = [inline_text(group) for group in child.iter("{*}collab")] if name in _PEOPLE else []
        parts.append(", ".join([*people, *groups]) or inline_text(child))
    return (citation.text or "") + " ".join(filter(None, map(one_line, parts)))
