"""The graph leg: which names of a question are concepts, and which chunks are about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import pytest

from medkg.testing.builders import TENANT, a_context
from orchestration.contracts import ANYTHING, Filters, GraphReader, MentioningDocument, PlacedConcept
from orchestration.retrieval.graph_leg import GraphLeg, recognised
from tests.orchestration.stores.data_folder import DataFolder

NAMES = {
    "aspirin": ["MESH:D001241"],
    "heart failure": ["MESH:D006333"],
    "heart": ["MESH:D006321"],
    "failure": ["TOY:failure"],
    "Crohn's disease": ["MESH:D003424"],
}


def known(names: Sequence[str]) -> dict[str, Collection[str]]:
    return {name: NAMES[name] for name in names if name in NAMES}


@pytest.mark.parametrize(
    ("question", "concepts"),
    [
        ("Does aspirin prevent heart failure?", {"MESH:D001241", "MESH:D006333"}),
        ("heart or failure", {"MESH:D006321", "TOY:failure"}),
        ("What about Crohn's disease?", {"MESH:D003424"}),
        ("Who could join?", set()),
        ("", set()),
    ],
)
def test_the_longest_names_of_a_question_are_its_concepts(question: str, concepts: set[str]) -> None:
    assert recognised(question, known) == concepts


class Graph:
    """One document of two chunks: `walking` mentions two concepts that a claim joins, `walking again` one."""

    def __init__(self, data: DataFolder) -> None:
        self.data = data

    def documents_on(self, tenant_id: str, concepts: Collection[str], limit: int) -> list[MentioningDocument]:
        key = a_context("1", source="files").key
        (commit,) = self.data.ledger.commits.committed(tenant_id)
        first, second = self.data.search.document_chunks(key, commit.intent_id)
        places = (
            PlacedConcept("MESH:D001241", 1.0, first.start_char, first.start_char + 2, True),
            PlacedConcept("MESH:D006333", 3.0, first.start_char + 3, first.end_char, True),
            PlacedConcept("MESH:D001241", 1.0, second.start_char, second.end_char, False),
        )
        return [MentioningDocument(key, commit.intent_id, places)]


def test_a_chunk_with_the_rarer_concepts_and_their_claim_comes_first(data: DataFolder) -> None:
    data.ingest({"1": "walking"})
    leg = GraphLeg(cast(GraphReader, Graph(data)), data.search, lambda tenant_id: known)

    def scores(query: str, filters: Filters = ANYTHING, **fields: Any) -> list[float]:
        visible = fields.get("visible", lambda ref: True)
        return [each.score for each in leg.search(TENANT, query, 10, filters, visible)]

    assert scores("aspirin and heart failure") == [4 + 0.5 * 4, 1 + 0.25 * 3]
    assert scores("nothing known") == []
    assert scores("aspirin", Filters(source=("pmc",))) == []
    assert scores("aspirin", visible=lambda ref: False) == []
