"""Scores: what holds for any gold and predictions, and figures that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from orchestration.extraction.scoring import ALL, Score, score
from orchestration.records import AnnotatedDocument
from tests.orchestration.extraction.annotated import (
    PAIRS,
    a_claim,
    a_mention,
    a_relation,
    an_annotated,
)

Pair = tuple[list[AnnotatedDocument], list[AnnotatedDocument]]


def by_row(scores: list[Score]) -> dict[tuple[str, str], Score]:
    return {(each.measure, each.kind): each for each in scores}


def counts(gold: AnnotatedDocument, predicted: AnnotatedDocument, measure: str, kind: str = ALL) -> object:
    """(right, predicted, gold) of one document."""
    row = by_row(score([gold], [predicted])).get((measure, kind))
    return None if row is None else (row.right, row.predicted, row.gold)


# --- what holds for any documents ------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_what_is_predicted_as_the_gold_has_it_is_right(pair: Pair) -> None:
    gold, _ = pair
    for each in score(gold, gold, intervals=False):
        assert each.right == each.predicted == each.gold
        assert each.f1 is None or each.f1.value == 1.0


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_gold_and_predictions_exchanged_exchange_precision_and_recall(pair: Pair) -> None:
    rows, exchanged = (by_row(score(*sides, intervals=False)) for sides in (pair, pair[::-1]))
    assert rows.keys() == exchanged.keys()
    for row, each in rows.items():
        assert (each.right, each.predicted, each.gold) == (
            exchanged[row].right,
            exchanged[row].gold,
            exchanged[row].predicted,
        )
        assert (each.precision, each.f1) == (exchanged[row].recall, exchanged[row].f1)


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_intervals_contain_the_figure_and_stay_within_0_and_1(pair: Pair) -> None:
    for each in score(*pair):
        for estimate in (each.precision, each.recall, each.f1):
            if estimate is not None and estimate.low is not None and estimate.high is not None:
                assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_the_order_of_documents_does_not_matter(pair: Pair) -> None:
    gold, predicted = pair
    assert score(gold, predicted) == score(gold[::-1], predicted[::-1])


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_what_is_repeated_counts_once(pair: Pair) -> None:
    gold, predicted = pair
    repeated = [replace(each, mentions=each.mentions * 2, relations=each.relations * 2) for each in predicted]
    assert score(gold, repeated, intervals=False) == score(gold, predicted, intervals=False)


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_all_kinds_together_are_the_sum_of_each(pair: Pair) -> None:
    rows = by_row(score(*pair, intervals=False))
    for measure in ("mentions", "mentions_overlap", "links", "relations", "negations"):
        parts = [each for (name, kind), each in rows.items() if name == measure and kind != ALL]
        if parts:
            whole = rows[measure, ALL]
            assert whole.right == sum(each.right for each in parts)
            assert whole.gold == sum(each.gold for each in parts)


# --- mentions and links ----------------------------------------------------------------------------------


def test_a_span_that_differs_by_a_word_is_right_by_overlap_alone() -> None:
    gold = an_annotated(a_mention("headache", "Condition"))
    predicted = an_annotated(a_mention("relieved headache", "Condition"))
    assert counts(gold, predicted, "mentions") == (0, 1, 1)
    assert counts(gold, predicted, "mentions_overlap") == (1, 1, 1)


def test_two_predictions_in_one_gold_mention_are_matched_once() -> None:
    gold = an_annotated(a_mention("Aspirin relieved headache"))
    predicted = an_annotated(a_mention("Aspirin"), a_mention("headache"))
    assert counts(gold, predicted, "mentions_overlap") == (1, 2, 1)


def test_a_mention_of_another_kind_is_wrong_for_both_kinds() -> None:
    gold, predicted = (
        an_annotated(a_mention("nausea", "Condition")),
        an_annotated(a_mention("nausea", "Drug")),
    )
    assert counts(gold, predicted, "mentions", "Condition") == (0, 0, 1)
    assert counts(gold, predicted, "mentions", "Drug") == (0, 1, 0)


def test_kinds_that_the_gold_did_not_annotate_are_not_judged() -> None:
    gold = an_annotated(a_mention("nausea", "Condition"), kinds=frozenset({"Condition"}))
    predicted = an_annotated(a_mention("nausea", "Condition"), a_mention("Aspirin", "Drug"))
    assert counts(gold, predicted, "mentions") == (1, 1, 1)


@pytest.mark.parametrize(
    ("in_gold", "predicted", "expected"),
    [
        (["MESH:D1"], ["mesh:D1"], (1, 1, 1)),
        (["MESH:D1", "MESH:D2"], ["MESH:D2"], (1, 1, 1)),  # composite: any is right
        (["MESH:D1"], ["MESH:D3"], (0, 1, 1)),
        (["MESH:D1"], [], (0, 0, 1)),
        ([], ["MESH:D1"], (0, 1, 0)),
        ([], [], None),
    ],
)
def test_links_of_right_mentions(in_gold: list[str], predicted: list[str], expected: object) -> None:
    gold = an_annotated(a_mention("nausea", "Condition", *in_gold))
    extracted = an_annotated(a_mention("nausea", "Condition", *predicted))
    assert counts(gold, extracted, "links") == expected


def test_links_of_wrong_mentions_are_not_judged() -> None:
    gold = an_annotated(a_mention("nausea", "Condition", "MESH:D1"))
    assert counts(gold, an_annotated(a_mention("headache", "Condition", "MESH:D1")), "links") is None


# --- relations -------------------------------------------------------------------------------------------


def test_a_relation_is_right_by_predicate_concepts_and_negation() -> None:
    gold = an_annotated(a_relation("A", "B"))
    for predicted, expected in [
        (a_relation("A", "B"), (1, 1, 1)),
        (a_relation("B", "A"), (0, 1, 1)),
        (a_relation("A", "B", "treats"), (0, 1, 1)),
        (a_relation("A", "B", negated=True), (0, 1, 1)),
    ]:
        assert counts(gold, an_annotated(predicted), "relations") == expected
        assert counts(gold, an_annotated(predicted), "relation_pairs") == (1, 1, 1)


def test_relations_without_direction_are_right_either_way_and_count_once() -> None:
    gold = an_annotated(a_relation("A", "B", directed=False))
    predicted = an_annotated(a_relation("B", "A"), a_relation("A", "B"))
    assert counts(gold, predicted, "relations") == (1, 1, 1)


def test_negations_are_those_that_either_side_denies() -> None:
    gold = an_annotated(a_relation("A", "B", negated=True), a_relation("C", "D"))
    predicted = an_annotated(a_relation("A", "B", negated=True), a_relation("C", "D", negated=True))
    assert counts(gold, predicted, "negations") == (1, 2, 1)


def test_negations_are_not_judged_by_gold_that_has_none() -> None:
    gold = replace(an_annotated(a_relation("A", "B")), negations=False)
    predicted = an_annotated(a_relation("A", "B"), a_relation("C", "D", negated=True))
    assert counts(gold, predicted, "relations") == (1, 1, 1)


def test_direction_and_evidence_of_relations_that_are_right() -> None:
    gold = an_annotated(a_relation("A", "B", direction="increased", evidence=((0, 10),)))
    right = an_annotated(a_relation("A", "B", direction="increased", evidence=((9, 12),)))
    wrong = an_annotated(a_relation("A", "B", direction="decreased", evidence=((10, 12),)))
    assert counts(gold, right, "directions") == (1, 1, 1)
    assert counts(gold, right, "relation_evidence") == (1, 1, 1)
    assert counts(gold, wrong, "directions") == (0, 1, 1)
    assert counts(gold, wrong, "relation_evidence") == (0, 1, 1)


# --- claims ----------------------------------------------------------------------------------------------


def test_a_claim_is_right_if_its_direction_is_that_of_most_judgements() -> None:
    gold = an_annotated(a_claim("q", ("increased", 0, 10), ("unchanged", 5, 15), ("unchanged", 20, 30)))
    assert counts(gold, an_annotated(a_claim("q", ("unchanged", 0, 1))), "claims") == (1, 1, 1)
    assert counts(gold, an_annotated(a_claim("q", ("increased", 0, 1))), "claims") == (0, 1, 1)
    assert counts(gold, an_annotated(), "claims") == (0, 0, 1)
    assert counts(gold, an_annotated(a_claim("other", ("increased", 0, 1))), "claims") == (0, 0, 1)


def test_evidence_is_right_if_it_overlaps_that_of_any_judgement() -> None:
    gold = an_annotated(a_claim("q", ("increased", 0, 10), ("increased", 20, 30)))
    inside, beside = (an_annotated(a_claim("q", ("increased", *span))) for span in ((25, 35), (10, 20)))
    assert counts(gold, inside, "evidence") == (1, 1, 1)
    assert counts(gold, inside, "evidence_characters") == (5, 10, 20)
    assert counts(gold, beside, "evidence") == (0, 1, 1)


def test_the_macro_row_is_the_mean_over_directions_of_the_gold_and_predictions() -> None:
    gold = an_annotated(a_claim("p", ("increased", 0, 1)), a_claim("q", ("decreased", 0, 1)))
    predicted = an_annotated(a_claim("p", ("increased", 0, 1)), a_claim("q", ("increased", 0, 1)))
    macro = by_row(score([gold], [predicted]))["claims", "macro"]
    assert macro.f1 is not None
    assert macro.f1.value == pytest.approx((2 / 3 + 0) / 2)


# --- intervals and wrong use -----------------------------------------------------------------------------


def test_intervals_are_of_documents_and_need_two() -> None:
    right, wrong = an_annotated(a_mention("nausea")), an_annotated()
    (alone, *_) = score([right], [right])
    assert alone.f1 is not None
    assert (alone.f1.low, alone.f1.high) == (None, None)
    gold = [replace(right, doc_id=str(number)) for number in range(20)]
    half = [replace(right if number % 2 else wrong, doc_id=str(number)) for number in range(20)]
    recall = score(gold, half)[0].recall
    assert recall is not None and recall.low is not None and recall.high is not None
    assert recall.value == 0.5
    assert recall.low == pytest.approx(0.3, abs=0.05)
    assert recall.high == pytest.approx(0.7, abs=0.05)


def test_documents_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="only one side has the documents 2"):
        score([an_annotated()], [an_annotated(), an_annotated(doc_id="2")])
    with pytest.raises(ValueError, match="other texts"):
        score([an_annotated()], [an_annotated(text="Other.")])
    with pytest.raises(ValueError, match="repeated"):
        score([an_annotated(), an_annotated()], [an_annotated()])
