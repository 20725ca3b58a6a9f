"""The people and groups of a JATS article by what they did: authors, editors, translators.

Comes in: the article-meta element. Leaves: names as 'Surname Given'. A contributor's part is its
contrib-type, else the content-type of its contrib-group, else its role. A group (collab) is an author under
its own name; its members are listed apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml import first_child, local_name
from orchestration.parsing.xml_inline import InlineText, inline_text

_PARTS = {"editor": "editors", "translat": "translators", "author": "authors"}
_NAMES = ("name", "string-name", "collab")
_WRAPPERS = ("name-alternatives", "collab-alternatives", "collab-wrap")


def people_metadata(meta: etree._Element) -> dict[str, Any]:
    """`authors`, `group_members`, `editors` and `translators`, each in the order of the article."""
    people: dict[str, list[str]] = {"authors": [], "group_members": [], "editors": [], "translators": []}
    for group in _groups(meta):
        for contributor in group.iterchildren("{*}contrib"):
            part = _part(contributor, group)
            if part:
                people[part] += _names(contributor)
            if part == "authors":
                people["group_members"] += _members(contributor)
    return {part: list(dict.fromkeys(filter(None, names))) for part, names in people.items()}


def person_name(name: etree._Element) -> str:
    """'Surname Given', as reference lists write it; a name without these parts as it stands."""
    parts = [first_child(name, part) for part in ("surname", "given-names", "suffix")]
    if all(part is None for part in parts):
        return one_line(inline_text(name))
    return one_line(" ".join(inline_text(part) for part in parts if part is not None))


def group_name(collab: etree._Element) -> str:
    """The name of a group without its members and their addresses."""
    line = InlineText(collab.text, with_marks=False)
    for child in collab:
        if local_name(child) not in ("contrib-group", "contrib", "aff", "address", "author-comment", "email"):
            line.add(child)
        line.add_text(child.tail)
    return one_line(line.text()).rstrip(" :;,")


def _groups(meta: etree._Element) -> Iterator[etree._Element]:
    for child in meta:
        if local_name(child) == "contrib-group":
            yield child


def _part(contributor: etree._Element, group: etree._Element) -> str | None:
    """The list that a contributor belongs to; None for another part, e.g. of a reviewer."""
    role = " ".join(inline_text(part) for part in contributor.iterchildren("{*}role"))
    stated = contributor.get("contrib-type") or group.get("content-type") or ""
    for text in (stated, role if not stated else ""):
        for sign, part in _PARTS.items():
            if sign in text.casefold():
                return part
    known = stated.casefold().replace("_", "-").rstrip("s")
    return "authors" if known in ("", "contributor", "collab", "group", "non-byline", "person") else None


def _names(contributor: etree._Element) -> list[str]:
    names = []
    for child in _spread(contributor):
        name = local_name(child)
        if name == "collab":
            names.append(group_name(child))
        elif name in _NAMES:
            names.append(person_name(child))
    for group in contributor.iterchildren("{*}on-behalf-of"):
        names.append(group_name(group))
    return names


def _spread(contributor: etree._Element) -> Iterator[etree._Element]:
    """The children of a contributor; of alternatives the first."""
    for child in contributor:
        if local_name(child) in _WRAPPERS:
            yield from list(child)[:1]
        else:
            yield child


def _members(contributor: etree._Element) -> list[str]:
    return [
        person_name(name)
        for collab in contributor.iter("{*}collab")
        for member in collab.iter("{*}contrib")
        for name in _spread(member)
        if local_name(name) in ("name", "string-name")
    ]
