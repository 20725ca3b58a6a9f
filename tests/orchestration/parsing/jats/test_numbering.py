"""The marks of the items of a list, over any number of lists that continue each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, an_article
from orchestration.parsing.jats import JatsParser

ITEM = "<list-item><p>kites</p></list-item>"


def marks(lists: list[int], kind: str) -> list[str]:
    """The marks of lists with these numbers of items, each of which continues the one before."""
    body = "".join(
        f'<list id="l{number}" list-type="{kind}" continued-from="l{number - 1}">{ITEM * items}</list>'
        "<p>Rest.</p>"
        for number, items in enumerate(lists)
    )
    document = JatsParser().parse(a_payload(an_article(body), "jats", doc_id="1", source="pmc"), "default")
    return [line.split()[0] for line in document.text.split("\n") if line.endswith(" kites")]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.sampled_from(["order", "alpha-lower", "roman-lower"]),
)
def test_lists_that_continue_each_other_are_marked_as_one(lists: list[int], kind: str) -> None:
    assert marks(lists, kind) == marks([sum(lists)], kind)


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("order", "54."), ("alpha-lower", "bb."), ("alpha-upper", "BB."), ("roman-lower", "liv.")],
)
def test_numbers_go_on_beyond_the_alphabet(kind: str, mark: str) -> None:
    assert marks([54], kind)[-1] == mark
