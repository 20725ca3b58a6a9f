"""Grounding: what the text and the schema do not bear out is dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medkg.testing.builders import a_document
from orchestration.extraction.findings import Findings
from orchestration.extraction.graph_schema import GraphSchema
from orchestration.extraction.grounding import grounded
from orchestration.records import Claim, Entity, Qualifier, Span, local_concept

SCHEMA = GraphSchema.model_validate(
    {
        "kinds": {"Drug": {"biolink": "Drug"}, "Condition": {"biolink": "Disease"}},
        "predicates": {"treats": {"biolink": "treats", "joins": [["Drug", "Condition"]]}},
    }
)
DOCUMENT = a_document(title="Aspirin treats headache")


def span_of(words: str) -> Span:
    start = DOCUMENT.text.index(words)
    return Span(start_char=start, end_char=start + len(words))


def sound() -> tuple[list[Entity], list[Claim]]:
    findings = Findings(DOCUMENT, "toy/1")
    drug = findings.mention("Drug", span_of("Aspirin"))
    disease = findings.mention("Condition", span_of("headache"), identifiers=["MESH:D006261"])
    verb = findings.qualifier("verb", span_of("treats"))
    findings.claim(drug, "treats", disease, [span_of("Aspirin treats headache")], qualifiers=[verb])
    return findings.extraction()


BEYOND = Span(start_char=0, end_char=10_000)


def changed(record: Any, **fields: Any) -> Any:
    return record.model_copy(update=fields)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda e: changed(e, name="Ibuprofen"), {"mention not in the text", "claim without its mentions"}),
        (lambda e: changed(e, span=BEYOND), {"mention not in the text", "claim without its mentions"}),
        (lambda e: changed(e, kind="Gene"), {"kind Gene not in the schema", "claim without its mentions"}),
        (lambda e: changed(e, doc_id="other"), {"mention of another document", "claim without its mentions"}),
        (
            lambda e: changed(e, tenant_id="other"),
            {"mention of another document", "claim without its mentions"},
        ),
        (lambda e: changed(e, kind="Condition"), {"treats may not join Condition and Condition"}),
    ],
)
def test_a_mention_that_is_not_there_is_dropped_with_its_claims(
    change: Callable[[Entity], Entity], reasons: set[str]
) -> None:
    (drug, disease), claims = sound()
    result = grounded(DOCUMENT, ([change(drug), disease], claims), SCHEMA)
    assert set(result.dropped) == reasons
    assert result.extraction[1] == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"evidence": (BEYOND,)}, "evidence not in the text"),
        ({"evidence": (Span(start_char=3, end_char=3),)}, "evidence not in the text"),
        ({"qualifiers": (Qualifier(kind="dose", value="5 mg", span=BEYOND),)}, "qualifier not in the text"),
        (
            {"qualifiers": (Qualifier(kind="dose", value="5 mg", span=Span(start_char=0, end_char=4)),)},
            "qualifier not in the text",
        ),
        ({"object": "invented"}, "claim without its mentions"),
        ({"predicate": "cures"}, "cures may not join Drug and Condition"),
        ({"doc_id": "other"}, "claim of another document"),
    ],
)
def test_a_claim_that_the_text_does_not_bear_out_is_dropped(fields: dict[str, Any], reason: str) -> None:
    mentions, (claim,) = sound()
    result = grounded(DOCUMENT, (mentions, [changed(claim, **fields)]), SCHEMA)
    assert dict(result.dropped) == {reason: 1}
    assert result.extraction == (mentions, [])


def test_what_is_sound_stays_and_repetitions_count_once() -> None:
    mentions, claims = sound()
    result = grounded(DOCUMENT, (mentions * 2, claims * 3), SCHEMA)
    assert result.extraction == (mentions, claims)
    assert dict(result.dropped) == {"mention repeated": 2, "claim repeated": 2}


def test_findings_build_only_what_is_in_the_text() -> None:
    findings = Findings(DOCUMENT, "toy/1")
    for span in (BEYOND, Span(start_char=4, end_char=4)):
        with pytest.raises(ValueError, match="not in the text"):
            findings.mention("Drug", span)
    drug = findings.mention("Drug", span_of("Aspirin"))
    with pytest.raises(ValueError, match="not in the text"):
        findings.claim(drug, "treats", drug, [BEYOND])


def test_a_concept_without_a_key_is_the_one_of_its_kind_and_name() -> None:
    assert local_concept("Drug", "Aspirin  100") == local_concept("Drug", "ASPIRIN 100")
    assert local_concept("Drug", "Aspirin") != local_concept("Condition", "Aspirin")
    assert sound()[0][0].concept == local_concept("Drug", "aspirin")
    assert sound()[0][1].concept == "MESH:D006261"
