"""Claims that disagree: of one predicate about the same two concepts, stated and denied, or opposite effects.

Input: a tenant, perhaps a concept or a predicate. Output: conflicts with the documents on each side. Only
claims that deny or that name a direction can start one, and these have a separate index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import or_, select

from orchestration.contracts import Conflict, Position
from orchestration.ledger.graph.joining import claims_between
from orchestration.ledger.graph.publications import count_publications
from orchestration.ledger.graph.reading import (
    concepts_by_key,
    statements_where,
)
from orchestration.ledger.graph.tables import STATES_EFFECT, graph_claims
from orchestration.ledger.graph.view import View
from orchestration.ledger.graph.visible import claims_of_visible, visible_claims
from orchestration.ledger.rows import batches

__all__ = ["find_conflicts"]

STATEMENTS: Final = 100
"""Statements of a position that are read."""

Triple = tuple[str, str, str]
"""Subject, predicate and object; canonical keys."""

Side = tuple[bool, str | None]
"""Whether it denies, and its direction."""


def find_conflicts(view: View, *, concept: str | None, predicate: str | None, limit: int) -> list[Conflict]:
    """Claims that disagree; see GraphReader.conflicts."""
    claims = graph_claims.c
    conditions: list[Any] = [STATES_EFFECT]
    if concept is not None:
        own = sorted(view.merged([concept]))
        conditions.append(or_(claims.subject_concept.in_(own), claims.object_concept.in_(own)))
    if predicate is not None:
        conditions.append(claims.predicate == predicate)
    ends = (claims.subject_concept, claims.predicate, claims.object_concept)
    query = select(*ends).distinct().select_from(claims_of_visible())
    stated = view.connection.execute(query.where(*visible_claims(view.tenant_id), *conditions)).all()
    canonical = view.canonical_of({key for row in stated for key in (row[0], row[2])})
    triples = {(canonical[subject], name, canonical[object_]) for subject, name, object_ in stated}
    sides = _sides(view, triples)
    conflicting = [triple for triple in triples if _disagree(list(sides[triple]))]
    conflicting.sort(key=lambda each: (-sum(row["documents"] for row in sides[each].values()), each))
    return _described(view, conflicting[:limit], sides)


def _disagree(sides: Sequence[Side]) -> bool:
    """Stated in different directions, or stated and denied: altogether, or in the same direction."""
    stated = {direction for negated, direction in sides if not negated}
    denied = {direction for negated, direction in sides if negated}
    return len(stated - {None}) > 1 or bool(stated & denied) or bool(stated and None in denied)


def _sides(view: View, triples: set[Triple]) -> dict[Triple, dict[Side, Mapping[str, int]]]:
    """What is said of each triple, by whether it denies and its direction, with numbers of claims."""
    keys_of = view.keys_by_canonical({key for first, _, last in triples for key in (first, last)})
    pairs = sorted(
        {
            (subject, object_)
            for first, _, last in triples
            for subject in keys_of[first]
            for object_ in keys_of[last]
        }
    )
    columns = ("negated", "direction")
    sides: dict[Triple, dict[Side, Mapping[str, int]]] = {triple: {} for triple in triples}
    for batch in batches(pairs):
        for row in claims_between(view, batch, columns):
            triple = (row.subject, row.predicate, row.object)
            if triple in sides:
                sides[triple][bool(row.negated), row.direction] = {
                    name: getattr(row, name) for name in ("claims", "documents", "retracted")
                }
    return sides


def _described(
    view: View,
    triples: Sequence[Triple],
    sides: Mapping[Triple, Mapping[Side, Mapping[str, int]]],
) -> list[Conflict]:
    concepts = concepts_by_key(view, [key for each in triples for key in (each[0], each[2])])
    return [
        Conflict(
            subject=concepts[triple[0]],
            predicate=triple[1],
            object=concepts[triple[2]],
            positions=tuple(
                _position(view, triple, side, sides[triple][side])
                for side in sorted(
                    sides[triple],
                    key=lambda side: (-sides[triple][side]["documents"], side[0], side[1] or ""),
                )
            ),
        )
        for triple in triples
    ]


def _position(view: View, triple: Triple, side: Side, counted: Mapping[str, int]) -> Position:
    claims = graph_claims.c
    negated, direction = side
    subjects, objects = (sorted(view.members([key])) for key in (triple[0], triple[2]))
    conditions = [
        claims.subject_concept.in_(subjects),
        claims.object_concept.in_(objects),
        claims.predicate == triple[1],
        claims.negated.is_(negated),
        claims.direction.is_(None) if direction is None else claims.direction == direction,
    ]
    numbers = select(claims.document_number).distinct().select_from(claims_of_visible())
    stating = view.connection.execute(numbers.where(*visible_claims(view.tenant_id), *conditions)).scalars()
    return Position(
        negated=negated,
        direction=direction,
        statements=tuple(statements_where(view, conditions, STATEMENTS)),
        claims=counted["claims"],
        documents=counted["documents"],
        publications=count_publications(view.connection, view.tenant_id, stating.all()),
        retracted_documents=counted["retracted"],
    )
