"""Names that one document has for its mentions: as written, long forms of abbreviations, initials.

Comes in: a document's text and its mentions. Leaves: groups of mentions of the same name, each with the names
by which its concept is looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.contracts import abbreviates, long_forms
from orchestration.records import Entity
from orchestration.vocabularies.candidates import Query

__all__ = ["NamedGroup", "groups_of"]


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


def groups_of(text: str, mentions: Iterable[Entity]) -> list[NamedGroup]:
    """Groups in the order of their first mention."""
    by_concept: dict[str, list[Entity]] = {}
    for mention in mentions:
        by_concept.setdefault(mention.concept, []).append(mention)
    forms = long_forms(text)
    names = {
        kind: sorted(
            {each.name for of_concept in by_concept.values() for each in of_concept if each.kind == kind}
        )
        for kind in sorted({each.kind for of_concept in by_concept.values() for each in of_concept})
    }
    return [
        NamedGroup(concept, of_concept[0].kind, tuple(of_concept), _queries(of_concept, forms, names))
        for concept, of_concept in by_concept.items()
    ]


def _queries(
    mentions: Sequence[Entity], forms: Mapping[str, str], names: Mapping[str, Sequence[str]]
) -> tuple[Query, ...]:
    queries: dict[Query, None] = {}
    for mention in mentions:
        queries[Query(mention.name)] = None
        name = mention.name
        form = forms.get(name) or forms.get(name.removesuffix("s")) or forms.get(f"{name}s")
        if form:
            queries[Query(form, "defined")] = None
            continue
        for other in names[mention.kind]:
            if other != name and abbreviates(name, other):
                queries[Query(other, "initials")] = None
    return tuple(queries)
