"""The people and groups of a JATS article by what they did: authors, editors, translators, reviewers.

Comes in: the article-meta element. Leaves: names as 'Surname Given'. A contributor's part is its
contrib-type, else the content-type of its contrib-group, else its role. A group (collab) is an author under
its own name; its members are listed apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from orchestration.parsing.jats.languages import language_of
from orchestration.parsing.jats.names import parts_of_name
from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.names import bare_name, without_marks
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.trees import local_name

_PARTS = {
    "non-byline": "investigators",
    "member": "investigators",
    "investigator": "investigators",
    "collaborator": "investigators",
    "editor": "editors",
    "translat": "translators",
    "author": "authors",
    "review": "reviewers",
    "referee": "reviewers",
}
_LISTS = ("authors", "investigators", "editors", "translators", "reviewers", "contributors")
_NAMES = ("name", "string-name", "collab")
_ON_BEHALF = re.compile(r"\A(?:on behalf of|for)\s+(?:the\s+)?", re.IGNORECASE)
_WRAPPERS = ("name-alternatives", "collab-alternatives", "collab-wrap")
_BESIDE_A_GROUP = ("contrib-group", "contrib", "aff", "address", "author-comment", "email")


def people_metadata(meta: etree._Element) -> dict[str, list[str]]:
    """People and groups by their part, in the article's order.

    `authors`, `investigators` (members of groups), `editors`, `translators`, `reviewers`, and `contributors`
    of other parts, named behind them: 'Lee K (photographer)'. `honorifics` are the names that have one, as
    printed ('Sir Ann Walker'); the lists have the names without it, so that an author is found under one
    name. A group of contributors that lists people of an earlier one again adds only the others.
    """
    people: dict[str, list[str]] = {part: [] for part in _LISTS}
    for group in meta.iterchildren("{*}contrib-group"):
        listed = {part: set(names) for part, names in people.items()}
        members = _members_beside(group)
        for contributor in group.iterchildren("{*}contrib"):
            part = "investigators" if contributor in members else _part(contributor, group)
            kind = _part_in_words(contributor, group) if part == "contributors" else ""
            names = [f"{name} ({kind})" if kind else name for name in _names(contributor) if name]
            people[part] += [name for name in names if name not in listed[part]]
            people["investigators"] += filter(None, _members(contributor))
            groups = [name for name in _groups(contributor) if name not in people[part]]
            people[part] += groups
            listed[part] |= set(groups)  # the group may be a contributor too
        people["authors"] += [name for name in _groups(group) if name not in people["authors"]]
    return {**people, "honorifics": _honorifics(meta)}


def person_name(name: etree._Element, *, with_honorific: bool = False) -> str:
    """'Surname Given', as reference lists write it; a name without these parts as it stands.

    A prefix that belongs to the surname ('van der') stands before it; an honorific ('Dr') only with
    `with_honorific`, which is of references and keeps links too. Every other word of the name is kept.
    """
    return parts_of_name(name, keep_links=with_honorific).inverted(with_honorific=with_honorific)


def group_name(collab: etree._Element) -> str:
    """The name of a group without its members and their addresses: 'WHO Unit 5'."""
    name = parts_text(without_marks(collab), without=_BESIDE_A_GROUP, with_marks=False)
    return bare_name(name)


def _honorifics(meta: etree._Element) -> list[str]:
    """Names with an honorific as they are printed: 'Sir Ann Walker Jr'."""
    people = meta.iterfind("{*}contrib-group//{*}*")
    names = [parts_of_name(name) for name in people if local_name(name) in ("name", "string-name")]
    return list(dict.fromkeys(name.printed() for name in names if name.honorific))


def _groups(people: etree._Element) -> list[str]:
    """The groups that one or all contributors wrote for: 'on behalf of the Kite Consortium'."""
    names = (group_name(group) for group in people.iterchildren("{*}on-behalf-of"))
    return [name for name in (_ON_BEHALF.sub("", name) for name in names) if name]


def _part(contributor: etree._Element, group: etree._Element) -> str:
    """The list that a contributor belongs to."""
    stated = _stated_part(contributor, group)
    text = (stated or _role(contributor)).casefold()
    part = next((part for sign, part in _PARTS.items() if sign in text), None)
    known = stated.casefold().replace("_", "-").rstrip("s")
    return part or (
        "authors" if known in ("", "contributor", "collab", "group", "person") else "contributors"
    )


def _stated_part(contributor: etree._Element, group: etree._Element) -> str:
    return contributor.get("contrib-type") or group.get("content-type") or ""


def _role(contributor: etree._Element) -> str:
    return " ".join(inline_text(part) for part in contributor.iterchildren("{*}role"))


def _part_in_words(contributor: etree._Element, group: etree._Element) -> str:
    return one_line(_role(contributor) or _stated_part(contributor, group).replace("-", " "))


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
    """The people and groups inside the groups of a contributor."""
    inside = contributor.iterdescendants("{*}contrib", "{*}contrib-group")
    return [name for member in inside for name in (*_names(member), *_groups(member))]
