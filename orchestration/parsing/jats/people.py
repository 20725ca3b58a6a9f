"""The people and groups of a JATS article by what they did: authors, editors, translators.

Comes in: the article-meta element. Leaves: names as 'Surname Given'. A contributor's part is its
contrib-type, else the content-type of its contrib-group, else its role. A group (collab) is an author under
its own name; its members are listed apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from orchestration.parsing.jats.languages import language_of
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import InlineText, inline_text
from orchestration.parsing.xml.trees import local_name

_PARTS = {
    "non-byline": "investigators",
    "member": "investigators",
    "investigator": "investigators",
    "collaborator": "investigators",
    "editor": "editors",
    "translat": "translators",
    "author": "authors",
}
_NAMES = ("name", "string-name", "collab")
_ON_BEHALF = re.compile(r"\A(?:on behalf of|for)\s+(?:the\s+)?", re.IGNORECASE)
_WRAPPERS = ("name-alternatives", "collab-alternatives", "collab-wrap")


def people_metadata(meta: etree._Element) -> dict[str, list[str]]:
    """`authors`, `investigators` (members of groups), `editors` and `translators`, in the article's order.

    A group of contributors that lists people of an earlier one again adds only the others.
    """
    people: dict[str, list[str]] = {"authors": [], "investigators": [], "editors": [], "translators": []}
    for group in meta.iterchildren("{*}contrib-group"):
        listed = {part: set(names) for part, names in people.items()}
        members = _members_beside(group)
        for contributor in group.iterchildren("{*}contrib"):
            part = "investigators" if contributor in members else _part(contributor, group)
            if part is None:
                continue
            people[part] += [name for name in _names(contributor) if name and name not in listed[part]]
            if part == "authors":
                people["investigators"] += filter(None, _members(contributor))
                groups = [name for name in _groups(contributor) if name not in people["authors"]]
                people["authors"] += groups
                listed["authors"] |= set(groups)  # the group may be a contributor too
        people["authors"] += [name for name in _groups(group) if name not in people["authors"]]
    return people


def person_name(name: etree._Element) -> str:
    """'Surname Given', as reference lists write it; a name without these parts as it stands."""
    children = {local_name(child): child for child in name}
    parts = [children[part] for part in ("surname", "given-names", "suffix") if part in children]
    if not parts:
        return one_line(inline_text(name))
    return one_line(" ".join(map(inline_text, parts)))


def group_name(collab: etree._Element) -> str:
    """The name of a group without its members and their addresses."""
    line = InlineText(collab.text, with_marks=False)
    for child in collab:
        if local_name(child) not in ("contrib-group", "contrib", "aff", "address", "author-comment", "email"):
            line.add(child)
        line.add_text(child.tail)
    return one_line(line.text()).rstrip(" :;,")


def _groups(people: etree._Element) -> list[str]:
    """The groups that one or all contributors wrote for: 'on behalf of the Kite Consortium'."""
    names = (group_name(group) for group in people.iterchildren("{*}on-behalf-of"))
    return [name for name in (_ON_BEHALF.sub("", name) for name in names) if name]


def _part(contributor: etree._Element, group: etree._Element) -> str | None:
    """The list that a contributor belongs to; None for another part, e.g. of a reviewer."""
    role = " ".join(inline_text(part) for part in contributor.iterchildren("{*}role"))
    stated = contributor.get("contrib-type") or group.get("content-type") or ""
    for text in (stated, role if not stated else ""):
        for sign, part in _PARTS.items():
            if sign in text.casefold():
                return part
    known = stated.casefold().replace("_", "-").rstrip("s")
    return "authors" if known in ("", "contributor", "collab", "group", "person") else None


def _names(contributor: etree._Element) -> list[str]:
    names = []
    for child in _spread(contributor):
        name = local_name(child)
        if name == "collab":
            names.append(group_name(child))
        elif name in _NAMES:
            names.append(person_name(child))
    return names


def _spread(contributor: etree._Element) -> Iterator[etree._Element]:
    """The children of a contributor; of alternatives the one in the article's language, else the first."""
    for child in contributor:
        if local_name(child) in _WRAPPERS:
            yield from sorted(child, key=_is_foreign)[:1]
        else:
            yield child


def _is_foreign(name: etree._Element) -> bool:
    """Whether a form of a name states another language than the article around it."""
    language = language_of(name)
    article = language_of(name.getroottree().getroot()) or "en"
    return bool(language) and language.split("-")[0] != article.split("-")[0]


def _members_beside(group: etree._Element) -> frozenset[etree._Element]:
    """Contributors behind a group that is an author, without a type where others have one: its members."""
    contributors = list(group.iterchildren("{*}contrib"))
    groups = [
        number
        for number, contributor in enumerate(contributors)
        if contributor.get("contrib-type") and contributor.find("{*}collab") is not None
    ]
    behind = contributors[groups[0] :] if groups else []
    return frozenset(
        contributor
        for contributor in behind
        if not contributor.get("contrib-type") and contributor.find("{*}role") is None
    )


def _members(contributor: etree._Element) -> list[str]:
    return [
        person_name(name)
        for member in contributor.iterdescendants("{*}contrib")
        for name in _spread(member)
        if local_name(name) in ("name", "string-name")
    ]
