"""Facets come from what parsers know, and filters compare them folded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from medkg.testing.builders import a_chunk, a_context
from orchestration.contracts import Filters, chunk_facets, facets_of_metadata


def test_a_trial_s_metadata_give_its_facets() -> None:
    facets = facets_of_metadata(
        {
            "phase": ["EARLY_PHASE1", "PHASE2"],
            "status": "NOT_YET_RECRUITING",
            "conditions": ["Type 2  Diabetes", "type 2 diabetes"],
            "mesh": ["Diabetes Mellitus"],
            "mesh_ancestors": ["Metabolic Diseases"],
            "start_date": "2019-05",
            "year": "2018",
        }
    )
    assert facets == {
        "phase": ["early 1", "2"],
        "status": ["not yet recruiting"],
        "condition": ["type 2 diabetes"],
        "mesh": ["diabetes mellitus", "metabolic diseases"],
        "date": ["2019-05-01"],
    }


@pytest.mark.parametrize("metadata", [{}, {"year": "in press"}, {"phase": None, "mesh": [{"term": 1}]}])
def test_what_says_nothing_gives_no_facet(metadata: dict[str, object]) -> None:
    assert facets_of_metadata(metadata) == {}


def test_a_chunk_s_facets_are_its_key_s_its_section_s_and_its_document_s() -> None:
    chunk = a_chunk().model_copy(
        update={"section": "Side  Effects", "metadata": {"phase": ["2"], "loinc": "34067-9"}}
    )
    facets = chunk_facets(a_context().key, chunk)
    assert facets == {"source": ("clinicaltrials",), "section": ("side effects",), "phase": ("2",)}


def test_an_article_s_metadata_give_its_licence_and_what_a_reader_must_know() -> None:
    metadata = {"licence": "cc-by-nc", "is_retracted": True, "is_corrected": False, "year": "2020"}
    facets = facets_of_metadata(metadata | {"has_expression_of_concern": True, "notice": None})
    assert facets["licence"] == ["cc-by-nc"]
    assert facets["flag"] == ["retracted", "expression-of-concern"]
    assert "flag" not in facets_of_metadata({"is_retracted": False, "is_corrected": None})


@pytest.mark.parametrize("value", ["cc-by-nc", "CC BY-NC", "CC BY-NC 4.0", ["cc0", "cc_by_nc"]])
def test_licences_are_compared_by_code(value: str | list[str]) -> None:
    filters = Filters.model_validate({"licence": value})
    assert filters.matches({"licence": ("cc-by-nc",)})
    assert not filters.matches({"licence": ("cc-by",)})


def test_flags_are_wanted_or_unwanted_and_one_that_there_is_not_is_refused() -> None:
    retracted, sound = {"flag": ("retracted", "corrected")}, {"licence": ("cc0",)}
    assert Filters(flag=("Retracted",)).matches(retracted)
    assert not Filters(flag=("retracted",)).matches(sound)
    assert not Filters(without_flag=("retracted",)).matches(retracted)
    assert Filters(without_flag=("retracted",)).matches(sound)
    assert Filters(without_flag=("expression of concern",)).matches(retracted)
    with pytest.raises(ValidationError, match="no flag 'retratced', only retracted, corrected"):
        Filters(without_flag=("retratced",))


@pytest.mark.parametrize("value", ["2", "Phase 2", "PHASE2", ["1", "phase_2"]])
def test_phases_are_compared_by_number(value: str | list[str]) -> None:
    assert Filters.model_validate({"phase": value}).matches({"phase": ("2",)})


@pytest.mark.parametrize(
    ("since", "until", "matches"),
    [
        ("2019", "", True),
        ("2019-05", "2019-05", True),
        ("2019-06", "", False),
        ("", "2019", True),
        ("", "2018-12-31", False),
        ("2019-05-01", "2019-05-01", True),
    ],
)
def test_dates_are_compared_by_day(since: str, until: str, matches: bool) -> None:
    assert Filters(since=since, until=until).matches({"date": ("2019-05-01",)}) is matches
    assert not Filters(since=since, until=until).matches({})


@pytest.mark.parametrize(
    "value",
    [
        "19",
        "2019-5",
        "last year",
        "2019-05-01T00:00",
        "2020-13",
        "2020-00",
        "2020-02-31",
        "2019-02-29",
        "2020-01-00",
        "0000",
        "٢٠١٩",
        "2019\n",
    ],
)
def test_a_text_that_is_no_date_is_refused(value: str) -> None:
    for option in ("since", "until"):
        with pytest.raises(ValidationError, match=rf"(?s){option}.*write YYYY, YYYY-MM or YYYY-MM-DD"):
            Filters.model_validate({option: value})


@pytest.mark.parametrize(
    ("date", "day"),
    [("2020-02-31", "2020-02-01"), ("2020-13-01", "2020-01-01"), ("2020-00", "2020-01-01"), ("0000", None)],
)
def test_of_a_day_that_does_not_exist_the_month_or_year_is_the_date(date: str, day: str | None) -> None:
    assert facets_of_metadata({"date": date}).get("date") == (None if day is None else [day])
    assert facets_of_metadata({"date": "0000", "year": 2019})["date"] == ["2019-01-01"]
