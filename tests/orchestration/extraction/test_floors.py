"""Floors: how they are written, and which figure each is compared with."""

from __future__ import annotations

import pytest

from orchestration.errors import UsageError
from orchestration.extraction.scoring import Score, checked_floors, parse_floor, score
from tests.orchestration.extraction.annotated import a_mention, an_annotated


def scores() -> list[Score]:
    gold = an_annotated(a_mention("Aspirin", "Drug"), a_mention("nausea", "Condition"))
    return score([gold], [an_annotated(a_mention("Aspirin", "Drug"))])


@pytest.mark.parametrize(
    ("floor", "figure", "met"),
    [
        ("mentions.recall=0.5", 0.5, True),
        ("mentions.recall=0.51", 0.5, False),
        ("mentions.f1=0", 0.6667, True),
        ("mentions.Drug.f1=1", 1.0, True),
        ("registry:mentions.Condition.recall=0.1", 0.0, False),
    ],
)
def test_a_floor_is_met_by_a_figure_that_is_at_least_it(floor: str, figure: float, met: bool) -> None:
    (result,) = checked_floors([parse_floor(floor)], {"registry": scores()})
    assert (result.extractor, result.figure, result.met) == ("registry", figure, met)


def test_a_floor_without_an_extractor_is_that_of_each() -> None:
    results = checked_floors([parse_floor("mentions.f1=0.5")], {"a": scores(), "b": scores()})
    assert [result.extractor for result in results] == ["a", "b"]


@pytest.mark.parametrize(
    "floor", ["", "mentions", "mentions=0.5", "mentions.f2=0.5", "mentions.f1=1.5", "mentions.f1=.", "f1=0.5"]
)
def test_a_floor_that_is_written_otherwise_is_wrong_use(floor: str) -> None:
    with pytest.raises(UsageError, match=r"is not \[EXTRACTOR:\]MEASURE"):
        parse_floor(floor)


@pytest.mark.parametrize(
    ("floor", "message"),
    [
        ("encoder:mentions.f1=0.5", "names 'encoder', which is not measured; measured: registry"),
        ("mentions.Gene.f1=0.5", r"nothing to measure it with for registry; measured: mentions\.all"),
        ("relations.f1=0.5", "nothing to measure it with"),
        ("mentions.Condition.precision=0", "nothing to measure it with"),  # nothing was predicted
    ],
)
def test_a_floor_of_what_is_not_measured_is_wrong_use(floor: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked_floors([parse_floor(floor)], {"registry": scores()})
