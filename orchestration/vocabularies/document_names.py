"""Names that one document has for its mentions: as written, long forms of abbreviations, initials.

Comes in: a document's text and its mentions. Leaves: groups of mentions of the same name, each with the names
by which its concept is looked up. The long form that a document defines decides;
by the short form only concepts that fit it are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts import abbreviates, long_forms
from orchestration.records import Entity
from orchestration.vocabularies.candidates import Query
from orchestration.vocabularies.wording import are_initials, is_short_form, is_symbol

__all__ = ["GroupKey", "NamedGroup", "defined_form", "definitions", "group_key", "groups_of"]

_DEFINITION: Final = re.compile(r"\s\([^()]*\)")

_WORD: Final = re.compile(r"[^\W_]+")

GroupKey = tuple[str, str]
"""Unlinked concept, and the name as written if it is short: "NO" and "no" have one local concept."""


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """Mentions that have the same unlinked concept, and so the same kind."""

    concept: str
    kind: str
    mentions: tuple[Entity, ...]
    queries: tuple[Query, ...]

    @property
    def name(self) -> str:
        """As it is first written."""
        return self.mentions[0].name

    @property
    def key(self) -> GroupKey:
        return group_key(self.mentions[0])

    @property
    def is_undefined(self) -> bool:
        """It is written short, and the document has no definition of it."""
        return bool(self.key[1]) and all(query.way != "defined" for query in self.queries)


def group_key(mention: Entity) -> GroupKey:
    """Key of the group of a mention."""
    return mention.concept, mention.name if is_short_form(mention.name) else ""


def definitions(text: str) -> dict[str, str]:
    """Long form by short form, without what is no definition: normal [Na], Na+ binding (Na)."""
    return {
        short: form
        for short, form in long_forms(text).items()
        if short not in _WORD.findall(form) and not (is_symbol(short) and f"({short}" not in text)
    }


def defined_form(name: str, forms: Mapping[str, str]) -> str | None:
    """The long form of a name, in the singular or the plural, among those that a document defines."""
    return forms.get(name) or forms.get(name.removesuffix("s")) or forms.get(f"{name}s")


def _in_full(name: str, forms: Mapping[str, str]) -> Iterator[str]:
    """A longer name without the abbreviation that it defines, and with the long form of one that it has."""
    without = " ".join(_DEFINITION.sub(" ", name).split())
    if without not in (name, ""):
        yield without
    written = " ".join(forms.get(word, word) for word in name.split())
    if len(name.split()) > 1 and written != name:
        yield written


def groups_of(text: str, mentions: Iterable[Entity]) -> list[NamedGroup]:
    """Groups in the order of their first mention."""
    by_key: dict[GroupKey, list[Entity]] = {}
    for mention in mentions:
        by_key.setdefault(group_key(mention), []).append(mention)
    forms = definitions(text)
    names = {
        kind: sorted({each.name for of_key in by_key.values() for each in of_key if each.kind == kind})
        for kind in sorted({each.kind for of_key in by_key.values() for each in of_key})
    }
    return [
        NamedGroup(
            key[0],
            of_key[0].kind,
            tuple(of_key),
            _queries(of_key, forms, names, by_key.get((key[0], ""), ())),
        )
        for key, of_key in by_key.items()
    ]


def _queries(
    mentions: Sequence[Entity],
    forms: Mapping[str, str],
    names: Mapping[str, Sequence[str]],
    in_full: Sequence[Entity],
) -> tuple[Query, ...]:
    """`in_full`: mentions with longer names that the extractor gave the same concept."""
    queries: dict[Query, None] = {}
    for name, kind in dict.fromkeys((each.name, each.kind) for each in mentions):
        if form := defined_form(name, forms):
            queries |= dict.fromkeys((Query(form, "defined"), Query(name, long_form=form)))
        elif is_short_form(name) and in_full:
            queries |= dict.fromkeys(Query(each.name, "defined") for each in in_full)
        else:
            queries[Query(name)] = None
            queries |= dict.fromkeys(Query(each) for each in _in_full(name, forms))
            others = (
                other for other in names[kind] if abbreviates(name, other) and are_initials(name, other)
            )
            queries |= dict.fromkeys(Query(other, "initials") for other in others)
    return tuple(queries)
