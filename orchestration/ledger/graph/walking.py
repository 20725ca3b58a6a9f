"""Paths between two concepts, walked from both ends at once.

Input: two concepts and bounds. Output: paths, the shortest and most specific first. A concept of many
documents joins everything (a phase, a status) and is not passed through. The neighbours of each end are read
once, up to a bound; where one has more, those of the other end are looked up among them, so that all paths of
two steps are found unless both ends have more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice, pairwise
from typing import Final

from sqlalchemy import select

from orchestration.contracts import Concept, Link, Path, Paths
from orchestration.ledger.graph.joining import claims_between, pairs_around
from orchestration.ledger.graph.prepared import TENANT, Prepared
from orchestration.ledger.graph.reading import concepts_by_key
from orchestration.ledger.graph.tables import graph_concepts
from orchestration.ledger.graph.view import View
from orchestration.ledger.rows import batches, one_of_parameter

__all__ = ["find_paths"]

MOST_NEIGHBOURS: Final = 5_000
"""Neighbours of an end that are read."""

MOST_FOLLOWED: Final = 500
"""Neighbours of an end, those of fewest documents first, whose own neighbours are read."""

MOST_CANDIDATES: Final = 50_000
"""Paths of three or four steps that are compared."""

HUBS_NAMED: Final = 10

ALL: Final = 2**31 - 1

Keys = tuple[str, ...]

_DOCUMENTS: Final = Prepared(
    select(graph_concepts.c.concept, graph_concepts.c.documents).where(
        graph_concepts.c.tenant_id == TENANT, one_of_parameter(graph_concepts.c.concept, "keys")
    )
)


@dataclass(slots=True)
class _Walk:
    """One search: where it reads, between which concepts, and what it knows by now."""

    view: View
    predicates: Collection[str] | None
    max_documents: int
    truncated: bool = False
    documents: dict[str, int] = field(default_factory=dict)

    def around(self, concept: str) -> tuple[set[str], bool]:
        """Neighbours of a concept, and whether these are all."""
        pairs = self._pairs([concept], None, MOST_NEIGHBOURS + 1)
        neighbours = {other for _, other in pairs} - {concept}
        return neighbours, len(pairs) <= MOST_NEIGHBOURS

    def among(self, concept: str, others: Collection[str]) -> set[str]:
        """Those of other concepts that claims join to a concept."""
        return {other for batch in batches(sorted(others)) for _, other in self._pairs([concept], batch)}

    def around_each(self, concepts: Sequence[str]) -> dict[str, set[str]]:
        """Neighbours of each of some concepts, none of which is a hub."""
        neighbours: dict[str, set[str]] = {concept: set() for concept in concepts}
        for batch in batches(concepts):
            for concept, other in self._pairs(batch, None):
                neighbours[concept].add(other)
        return neighbours

    def passable(self, concepts: Collection[str]) -> list[str]:
        """Those that paths may go through, of fewest documents first."""
        self._count(concepts)
        chosen = [each for each in concepts if self.documents.get(each, 0) <= self.max_documents]
        return sorted(chosen, key=lambda each: (self.documents.get(each, 0), each))

    def _count(self, concepts: Collection[str]) -> None:
        for batch in batches(sorted(set(concepts) - self.documents.keys())):
            rows = _DOCUMENTS.rows(self.view.connection, tenant_id=self.view.tenant_id, keys=batch)
            self.documents |= dict(map(tuple, rows))

    def _pairs(
        self, concepts: Sequence[str], others: Sequence[str] | None, limit: int = ALL
    ) -> set[tuple[str, str]]:
        """(concept, neighbour) pairs of canonical keys; at most `limit` for each end of the claims."""
        own = self.view.members(concepts)
        theirs = None if others is None else sorted(self.view.members(others))
        pairs = pairs_around(self.view, sorted(own), theirs, self.predicates, limit)
        if not self.view.any_alias:
            return pairs
        canonical = self.view.canonical_of({other for _, other in pairs})
        return {(own[this], canonical[other]) for this, other in pairs}


def find_paths(
    view: View,
    start: str,
    end: str,
    *,
    max_hops: int,
    predicates: Collection[str] | None,
    max_documents: int,
    limit: int,
) -> Paths:
    """Paths between two concepts; see GraphReader.paths."""
    first, last = view.canonical_of([start, end]).values() if start != end else (start, end)
    if first == last:
        return Paths(paths=())
    walk = _Walk(view, predicates, max_documents)
    from_first, from_last = _around_both(walk, first, last)
    routes: list[Keys] = [(first, last)] if last in from_first else []
    middle = (from_first & from_last) - {first, last} if max_hops > 1 else set()
    passable = walk.passable(middle)
    routes += [(first, each, last) for each in passable]
    if max_hops > 2 and len(routes) < limit:
        routes += _longer(walk, (first, last), (from_first, from_last), max_hops, limit - len(routes))
    return Paths(
        paths=_described(view, routes[:limit], predicates),
        hubs=_hubs(view, middle - set(passable)),
        truncated=walk.truncated,
    )


def _around_both(walk: _Walk, first: str, last: str) -> tuple[set[str], set[str]]:
    """Neighbours of both ends; all that both have, unless both have more than are read."""
    from_first, all_first = walk.around(first)
    from_last, all_last = walk.around(last)
    if not all_first:
        from_first |= walk.among(first, {*from_last, last})
    if not all_last:
        from_last |= walk.among(last, {*from_first, first})
    walk.truncated = not (all_first or all_last)
    return from_first, from_last


def _longer(
    walk: _Walk, ends: tuple[str, str], around: tuple[set[str], set[str]], max_hops: int, limit: int
) -> list[Keys]:
    """Paths of three and four steps."""
    first, last = ends
    followed: list[list[str]] = []
    for neighbours in around:
        passable = walk.passable(neighbours - {first, last})
        walk.truncated |= len(passable) > MOST_FOLLOWED
        followed.append(passable[:MOST_FOLLOWED])
    beyond_first = walk.around_each(followed[0])
    three = _bounded(walk, _three(ends, beyond_first, set(followed[1])))
    routes = nsmallest(limit, three, key=lambda keys: _rank(walk, keys))
    if max_hops > 3 and len(routes) < limit:
        beyond_last = walk.around_each(followed[1])
        met = set().union(*beyond_first.values()) & set().union(*beyond_last.values()) - {first, last}
        allowed = set(walk.passable(met))
        four = _bounded(walk, _four(ends, beyond_first, beyond_last, allowed))
        routes += nsmallest(limit - len(routes), four, key=lambda keys: _rank(walk, keys))
    return routes


def _three(ends: tuple[str, str], beyond: Mapping[str, set[str]], near_last: set[str]) -> Iterator[Keys]:
    for near, others in beyond.items():
        for second in sorted(others & near_last - {near, *ends}):
            yield ends[0], near, second, ends[1]


def _four(
    ends: tuple[str, str],
    beyond_first: Mapping[str, set[str]],
    beyond_last: Mapping[str, set[str]],
    allowed: set[str],
) -> Iterator[Keys]:
    for near, others in beyond_first.items():
        middle = others & allowed - {near}
        for third, theirs in beyond_last.items() if middle else ():
            if third != near:
                for second in sorted(middle & theirs - {third}):
                    yield ends[0], near, second, third, ends[1]


def _bounded(walk: _Walk, candidates: Iterator[Keys]) -> list[Keys]:
    some = list(islice(candidates, MOST_CANDIDATES))
    walk.truncated |= len(some) == MOST_CANDIDATES
    return some


def _rank(walk: _Walk, keys: Keys) -> tuple[int, Keys]:
    """Documents of the concepts in between, then the keys."""
    return sum(walk.documents.get(key, 0) for key in keys[1:-1]), keys


def _hubs(view: View, keys: Collection[str]) -> tuple[Concept, ...]:
    hubs = concepts_by_key(view, keys).values()
    return tuple(sorted(hubs, key=lambda each: (-each.documents, each.concept))[:HUBS_NAMED])


def _described(view: View, routes: Sequence[Keys], predicates: Collection[str] | None) -> tuple[Path, ...]:
    """The paths with their concepts, and the claims of each step."""
    concepts = concepts_by_key(view, [key for keys in routes for key in keys])
    steps = {step for keys in routes for step in pairwise(keys)}
    links = _links(view, steps, predicates)
    return tuple(
        Path(
            concepts=tuple(concepts[key] for key in keys),
            links=tuple(links[step] for step in pairwise(keys)),
        )
        for keys in routes
    )


def _links(
    view: View,
    steps: Collection[tuple[str, str]],
    predicates: Collection[str] | None,
) -> dict[tuple[str, str], tuple[Link, ...]]:
    """The claims of each step, by predicate and direction."""
    keys_of = view.keys_by_canonical({key for step in steps for key in step})
    both = sorted({*steps, *((last, first) for first, last in steps)})
    pairs = [
        (subject, object_) for first, last in both for subject in keys_of[first] for object_ in keys_of[last]
    ]
    links: dict[tuple[str, str], list[Link]] = {step: [] for step in steps}
    for batch in batches(pairs):
        for row in claims_between(view, batch, (), predicates):
            subject, object_, predicate, claims, documents, retracted = row
            for outgoing, step in ((True, (subject, object_)), (False, (object_, subject))):
                if step in links:
                    links[step].append(
                        Link(
                            predicate=predicate,
                            outgoing=outgoing,
                            claims=claims,
                            documents=documents,
                            retracted_documents=retracted,
                        )
                    )
    return {
        step: tuple(sorted(of_step, key=lambda each: (-each.documents, each.predicate, not each.outgoing)))
        for step, of_step in links.items()
    }
