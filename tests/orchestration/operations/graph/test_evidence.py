"""Quotes in context, and documents for and against."""

from __future__ import annotations

from typing import Any

import pytest

from medkg.testing.builders import a_document
from orchestration.contracts import agrees, contradicts
from orchestration.operations.graph.evidence import quote_json
from orchestration.records import Claim, Span

LONG = (
    "First sentence here. " * 40 + "Aspirin (75 mg/d) helps 1.5 times. It is cheap. " + "More follows. " * 40
)


def a_quote(text: str, exact: str) -> dict[str, Any]:
    document = a_document(sections={"Results": [text]})
    start = document.text.index(exact)
    return quote_json(document, Span(start_char=start, end_char=start + len(exact)))


def test_a_quote_stands_in_its_whole_block_or_in_the_sentences_of_a_long_one() -> None:
    short = a_quote("Aspirin helps. It is cheap.", "helps")
    assert short["context"] == "Aspirin helps. It is cheap."
    long = a_quote(LONG, "(75 mg/d) helps")
    assert long["context"] == "Aspirin (75 mg/d) helps 1.5 times."
    for quote in (short, long):
        start, end = quote["in_context"]
        assert quote["context"][start:end] == quote["exact"]
        assert quote["context_start_char"] + start == quote["start_char"]


@pytest.mark.parametrize(
    ("around", "exact"),
    [
        ("Aspirin (e.g. 75 mg vs. 81 mg of Fig. 2) helps 1.5 times.", "helps"),
        ("It helps, as T. Smith et al. [3] state.", "helps, as T. Smith et al. [3]"),
        ("Does it help? It is said that it does.", "help? It is said"),
        ('They say "it helps." Others do not.', "Others do not."),
    ],
)
def test_the_context_in_a_long_block_is_whole_sentences(around: str, exact: str) -> None:
    quote = a_quote("More follows. " * 50 + around + " More follows." * 50, exact)
    expected = "Others do not." if exact == "Others do not." else around
    assert quote["context"] == expected


def test_the_context_of_a_sentence_without_end_is_bounded() -> None:
    quote = a_quote("x" * 3000 + " helps " + "y" * 3000, "helps")
    assert quote["exact"] in quote["context"]
    assert len(quote["context"]) <= 2 * 600 + len("helps")


def a_claim(negated: bool = False, direction: Any = None) -> Claim:
    return Claim(
        claim_id="c",
        tenant_id="t",
        doc_id="1",
        subject="a",
        predicate="affects",
        object="b",
        evidence=(Span(start_char=0, end_char=1),),
        negated=negated,
        direction=direction,
        extraction="toy/1",
    )


def test_claims_contradict_by_denial_or_direction() -> None:
    plain, more, less = a_claim(), a_claim(direction="increased"), a_claim(direction="decreased")
    denied, not_more = a_claim(negated=True), a_claim(negated=True, direction="increased")
    for claim, other, conflict in (
        (plain, denied, True),
        (more, denied, True),
        (more, less, True),
        (more, not_more, True),
        (less, not_more, False),
        (plain, not_more, False),
        (plain, more, False),
        (denied, not_more, False),
    ):
        assert contradicts(claim, other) is contradicts(other, claim) is conflict
    assert agrees(plain, more)
    assert not agrees(more, plain)
    assert not agrees(more, less)
