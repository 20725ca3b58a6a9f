"""Predictions: what an extractor found in the form of gold, and gold mentions given to a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from medkg.testing.builders import a_document
from orchestration.contracts import Extraction
from orchestration.extraction.findings import Findings
from orchestration.extraction.scoring import agreement, aligned, annotated, on_gold_mentions, score
from orchestration.records import Document, Entity, Span
from tests.orchestration.extraction.annotated import TEXT, a_mention, a_relation, an_annotated


def document() -> Document:
    return a_document(title=TEXT)


def found(*claims: tuple[str, str], **concepts: str) -> Extraction:
    """Mentions of the words as drugs, with CURIEs by word, and claims between them."""
    findings = Findings(document(), "toy/1")
    mentions: dict[str, Entity] = {}
    for words in dict.fromkeys([*concepts, *(word for pair in claims for word in pair)]):
        start = TEXT.index(words)
        span = Span(start_char=start, end_char=start + len(words))
        identifiers = concepts.get(words, "").split()
        mentions[words] = findings.mention("Drug", span, identifiers=identifiers)
    for subject, object_ in claims:
        findings.claim(mentions[subject], "causes", mentions[object_])
    return findings.extraction()


GOLD = an_annotated(
    a_mention("Aspirin", "Drug", "MESH:D1"),
    a_mention("nausea", "Drug", "MESH:D2"),
    a_relation("MESH:D1", "MESH:D2"),
)


def right(gold: Any, predicted: Any) -> dict[str, tuple[int, int, int]]:
    rows = score([gold], [predicted], intervals=False)
    return {each.measure: (each.right, each.predicted, each.gold) for each in rows if each.kind == "all"}


def test_linked_mentions_and_their_claims_are_right() -> None:
    counts = right(GOLD, annotated(GOLD, found(("Aspirin", "nausea"), Aspirin="MESH:D1", nausea="MESH:D2")))
    assert counts["mentions"] == counts["links"] == (2, 2, 2)
    assert counts["relations"] == (1, 1, 1)


def test_any_curie_of_a_concept_that_the_document_joins_is_right() -> None:
    extraction = found(("Aspirin", "nausea"), Aspirin="MONDO:7", headache="MESH:D1 MONDO:7", nausea="MESH:D2")
    assert right(GOLD, annotated(GOLD, extraction))["relations"] == (1, 1, 1)


def test_unlinked_claims_are_right_only_where_concepts_are_aligned_by_mention() -> None:
    predicted = annotated(GOLD, found(("Aspirin", "nausea")))
    assert right(GOLD, predicted)["relations"] == (0, 1, 1)
    assert right(GOLD, aligned(GOLD, predicted))["relations"] == (1, 1, 1)


def test_alignment_takes_no_concept_from_a_mention_that_is_wrong() -> None:
    predicted = annotated(GOLD, found(("Aspirin", "headache")))
    assert right(GOLD, aligned(GOLD, predicted))["relations"] == (0, 1, 1)


def test_gold_without_concepts_is_named_as_unlinked_predictions_are() -> None:
    aspirin, nausea = a_mention("Aspirin"), a_mention("nausea")
    gold = an_annotated(aspirin, nausea, a_relation(aspirin.key[0], nausea.key[0]))
    assert right(gold, annotated(gold, found(("Aspirin", "nausea"))))["relations"] == (1, 1, 1)


@pytest.mark.parametrize("linked", [True, False])
def test_gold_mentions_become_entities_with_concepts_only_if_they_are_to_be_given(linked: bool) -> None:
    entities = on_gold_mentions(GOLD, document(), linked=linked)
    assert [entity.name for entity in entities] == ["Aspirin", "nausea"]
    assert [entity.concept.startswith("local:") for entity in entities] == [not linked] * 2
    assert annotated(GOLD, (entities, [])).mentions == tuple(
        mention if linked else a_mention(mention.text) for mention in GOLD.mentions
    )


def test_a_composite_gold_mention_is_given_once_per_concept_and_its_relations_stay_apart() -> None:
    composite = replace(a_mention("nausea", "Condition", "MESH:D2", "MESH:D3"), composite=True)
    gold = an_annotated(
        a_mention("Aspirin", "Drug", "MESH:D1"),
        composite,
        a_relation("MESH:D1", "MESH:D2"),
        a_relation("MESH:D1", "MESH:D3"),
    )
    drug, *conditions = on_gold_mentions(gold, document(), linked=True)
    assert [(each.concept, each.identifiers) for each in conditions] == [("MESH:D2", ()), ("MESH:D3", ())]
    findings = Findings(document(), "toy/1")
    claims = [findings.claim(drug, "causes", each) for each in conditions]
    (relations,) = (
        row
        for row in score([gold], [annotated(gold, ([drug, *conditions], claims))])
        if (row.measure, row.kind) == ("relations", "all")
    )
    assert (relations.right, relations.predicted, relations.gold) == (2, 2, 2)
    (unlinked,) = on_gold_mentions(gold, document(), linked=False)[1:]
    assert unlinked.concept.startswith("local:")


def test_agreement_of_equal_extractors_is_complete_and_of_different_ones_is_not() -> None:
    first = [annotated(GOLD, found(("Aspirin", "nausea")))]
    second = [annotated(GOLD, found(("Aspirin", "headache")))]
    same, half = agreement("a", first, "b", first), agreement("a", first, "b", second)
    assert same.mentions_f1 is not None and half.mentions_f1 is not None
    assert (same.mentions_f1.value, same.kappa) == (1.0, 1.0)
    assert half.mentions_f1.value == 0.5
    expected = (2 / 13) ** 2 + (11 / 13) ** 2  # of 13 tokens each labels 2, one of them as the other does
    assert half.kappa == pytest.approx((11 / 13 - expected) / (1 - expected))


def test_extractors_that_find_nothing_have_no_agreement() -> None:
    nothing = [an_annotated()]
    assert agreement("a", nothing, "b", nothing).as_json() == {
        "a": "a",
        "b": "b",
        "mentions_f1": None,
        "relations_f1": None,
        "kappa": None,
    }
