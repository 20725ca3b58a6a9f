"""Claims of a document that state the same are one with all evidence; those that differ stay."""

from __future__ import annotations

from typing import Any

from orchestration.records import Claim, Entity, Qualifier, Span
from orchestration.stages.claim_joining import without_repetitions

TEXT_MINING, MANUAL = "text_mining_agent", "manual_agent"


def a_mention(number: int, concept: str, kind: str = "Drug") -> Entity:
    return Entity(
        entity_id=f"e{number}",
        tenant_id="default",
        doc_id="1",
        kind=kind,
        name="name",
        span=Span(start_char=number, end_char=number + 4),
        concept=concept,
        extraction="x/1",
    )


MENTIONS = [
    a_mention(1, "MESH:D1"),
    a_mention(2, "MESH:D1"),
    a_mention(3, "MESH:D9", "Condition"),
    a_mention(4, "MESH:D9", "Condition"),
]


def a_claim(number: int, subject: int = 1, object_: int = 3, **fields: Any) -> Claim:
    return Claim(
        claim_id=f"c{number}",
        tenant_id="default",
        doc_id="1",
        subject=f"e{subject}",
        predicate=fields.pop("predicate", "causes"),
        object=f"e{object_}",
        evidence=(Span(start_char=100 * number, end_char=100 * number + 50),),
        extraction="x/1",
        **fields,
    )


def a_qualifier(kind: str, value: str, start: int) -> Qualifier:
    return Qualifier(kind=kind, value=value, span=Span(start_char=start, end_char=start + len(value)))


def test_claims_whose_mentions_have_the_same_concepts_are_one() -> None:
    late = a_claim(2, 2, 4, confidence=0.9, qualifiers=(a_qualifier("dose", "5 mg", 210),))
    early = a_claim(1, 1, 3, confidence=0.6)
    entities, (claim,) = without_repetitions((MENTIONS, [late, early]))
    assert entities == MENTIONS and claim.claim_id == "c2" and claim.confidence == 0.9
    assert [each.start_char for each in claim.evidence] == [100, 200]
    assert [each.value for each in claim.qualifiers] == ["5 mg"]
    assert without_repetitions((entities, [claim])) == (entities, [claim])


def test_denials_other_predicates_and_other_concepts_stay_apart() -> None:
    other = a_mention(5, "MESH:D2")
    claims = [
        a_claim(1),
        a_claim(2, negated=True),
        a_claim(3, predicate="treats"),
        a_claim(4, subject=5),
    ]
    assert without_repetitions(([*MENTIONS, other], claims))[1] == claims


def test_different_directions_stay_apart_and_a_claim_without_one_joins_the_first() -> None:
    claims = [a_claim(1), a_claim(2, direction="increased"), a_claim(3, direction="decreased")]
    joined = without_repetitions((MENTIONS, claims))[1]
    assert [(each.claim_id, each.direction, len(each.evidence)) for each in joined] == [
        ("c1", "increased", 2),
        ("c3", "decreased", 1),
    ]


def test_a_joined_claim_is_supposed_only_where_all_of_them_are() -> None:
    may, might = a_qualifier("speculation", "may", 110), a_qualifier("speculation", "might", 210)
    supposed = [a_claim(1, qualifiers=(may,)), a_claim(2, qualifiers=(might,))]
    assert without_repetitions((MENTIONS, supposed))[1][0].qualifiers == (may, might)
    assert without_repetitions((MENTIONS, [*supposed, a_claim(3)]))[1][0].qualifiers == ()


def test_results_of_a_record_with_other_qualifiers_stay_apart() -> None:
    first = a_claim(1, agent_type=MANUAL, qualifiers=(a_qualifier("effect", "1.2", 110),))
    second = a_claim(2, agent_type=MANUAL, qualifiers=(a_qualifier("effect", "3.4", 210),))
    again = a_claim(3, agent_type=MANUAL, qualifiers=(a_qualifier("effect", "1.2", 310),))
    joined = without_repetitions((MENTIONS, [first, second, again]))[1]
    assert [(each.claim_id, len(each.evidence)) for each in joined] == [("c1", 2), ("c2", 1)]


def test_what_prose_states_and_what_a_record_states_stay_apart() -> None:
    claims = [a_claim(1, agent_type=MANUAL), a_claim(2, agent_type=TEXT_MINING)]
    assert without_repetitions((MENTIONS, claims))[1] == claims
