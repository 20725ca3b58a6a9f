"""Dates in parts and in words: as precise as they are stated, of a range the begin."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.parsing.dates import date_in_words, iso_date


@pytest.mark.parametrize(
    ("month", "day", "expected"),
    [
        ("Jul-Aug", "", "2012-07"),
        ("July–August", "5", "2012-07"),
        ("7/8", "", "2012-07"),
        ("May to June", "", "2012-05"),
        ("Spring", "3", "2012"),
        ("Dec", "23-30", "2012-12-23"),
        ("2", "30", "2012-02"),
    ],
)
def test_of_a_range_the_begin_is_taken(month: str, day: str, expected: str) -> None:
    assert iso_date("2012", month, day) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("5–7 March 2010", "2010-03-05"),
        ("15 July - 3 August 1998", "1998-07-15"),
        ("Jul/Aug 1998", "1998-07"),
        ("1998 Dec-1999 Jan", "1998-12"),
        ("Dec 1998-Jan 1999", "1998-12"),
        ("1998-1999", "1998"),
        ("Summer 1998", "1998"),
        ("03/04/2010", "2010"),
        ("the 3rd of May, 2010", "2010-05-03"),
        ("2010-05-03", "2010-05-03"),
        ("Marchers of 2010", "2010"),
        ("2563", ""),
    ],
)
def test_words_state_a_date(words: str, expected: str) -> None:
    assert date_in_words(words) == expected


_FORMS = ("%d %B %Y", "%B %d, %Y", "%b. %d, %Y", "%Y %b %d", "%Y-%m-%d", "%dth %b %Y")


@given(day=st.dates(date(1600, 1, 1), date(2099, 12, 31)), form=st.sampled_from(_FORMS))
def test_a_day_is_read_from_every_form(day: date, form: str) -> None:
    assert date_in_words(day.strftime(form)) == day.isoformat()
