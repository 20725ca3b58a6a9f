"""Every word of a name is kept once, and no mark that is set behind it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, an_article
from orchestration.parsing.jats import JatsParser

_PARTS = ("surname", "given-names", "prefix", "suffix")
_JOINTS = ("", " ", ", ", "-", "’", ". ", " (")
_MARKS = ("<sup>1</sup>", "<sup>1,*</sup>", '<xref ref-type="aff">2</xref>', "<sup>a</sup>", "<sup>*</sup>",
          '<sup><xref ref-type="aff">1</xref>,3</sup>', "<fn><p>4</p></fn>")  # fmt: skip


def listed(contributors: str) -> dict[str, Any]:
    article = an_article(meta=f"<contrib-group>{contributors}</contrib-group>")
    return JatsParser().parse(a_payload(article, "jats", doc_id="PMC1", source="pmc"), "default").metadata


def author(name: str) -> str:
    names: list[str] = listed(f'<contrib contrib-type="author">{name}</contrib>')["authors"]
    return names[-1]


@st.composite
def names(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A string-name with repeated parts, words between them and marks behind them, and its words."""
    words: list[str] = []

    def word() -> str:
        words.append(f"{draw(st.sampled_from(['W', 'w']))}{'x' * (len(words) + 2)}z")
        return words[-1]

    pieces = []
    for part in draw(st.lists(st.sampled_from((*_PARTS, "")), min_size=1, max_size=6)):
        mark = draw(st.sampled_from(("", *_MARKS))) if part in ("surname", "given-names") else ""
        pieces.append(f"<{part}>{word()}{mark}</{part}>" if part else f" {word()} ")
        pieces.append(draw(st.sampled_from(_JOINTS)))
    return f"<string-name>{''.join(pieces)}</string-name>", words


@settings(deadline=None)
@given(name=names())
def test_every_word_of_a_name_is_kept_once_without_its_marks(name: tuple[str, list[str]]) -> None:
    marked, words = name
    read = listed(f'<contrib contrib-type="author">{marked}</contrib>')
    honorific = " ".join(read.get("honorifics", []))
    word_counts = Counter(re.findall(r"[Ww]x+z", read["authors"][-1]))
    assert max(word_counts.values(), default=0) < 2, marked
    assert {*word_counts, *re.findall(r"[Ww]x+z", honorific)} == set(words), marked
    assert not set("0123456789^[]*") & set("".join(read["authors"])), marked


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("<given-names>John</given-names> <given-names>Q.</given-names> <surname>Vane</surname>",
         "Vane John Q."),
        ("<surname>Garcia</surname> <surname>Lopez</surname>, <given-names>A</given-names>",
         "Garcia Lopez A"),
        ("<surname>Garcia</surname>-<surname>Lopez</surname>, <given-names>A</given-names>, MD",
         "Garcia-Lopez A MD"),
        ("<given-names>Abd</given-names> al-<surname>Kite</surname>", "al-Kite Abd"),
        ("<given-names>Jan</given-names> van der <surname>Berg</surname>", "van der Berg Jan"),
        ("<surname>Sun</surname>-<given-names>Li</given-names>", "Sun Li"),
        ("<surname>Toy</surname>", "Toy"),
        ("<given-names>Ann</given-names> Mc<surname>Kite</surname> III", "McKite Ann III"),
        ("Dr. <given-names>Ann</given-names> <surname>Kite</surname>", "Kite Ann"),
        ("<bold><given-names>Jan</given-names> van <surname>Berg</surname></bold>", "van Berg Jan"),
        ('Ann Vane<xref ref-type="aff" rid="a">1</xref>,<sup>2</sup>', "Ann Vane"),
        ('Bob Vane<xref ref-type="aff">1</xref><xref ref-type="corresp">*</xref>', "Bob Vane"),
        ("<surname>M<sup>c</sup>Kite</surname> <given-names>M<sup>a</sup> Jo</given-names>", "McKite Ma Jo"),
    ],
)  # fmt: skip
def test_words_between_the_parts_of_a_name_belong_to_them(name: str, expected: str) -> None:
    assert author(f"<string-name>{name}</string-name>") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "<name><surname>Li<sup>1</sup></surname><given-names>Ana<sup>*</sup></given-names></name>",
            "Li Ana",
        ),
        ("<name><surname>Li*</surname><given-names>Ana</given-names></name>", "Li Ana"),
        ("<collab>Kite Group<sup>a</sup></collab>", "Kite Group"),
        ('<collab>Kite Group<sup>a,</sup><xref ref-type="fn" rid="q">2</xref></collab>', "Kite Group"),
        ("<collab>N<sup>3</sup>C Consortium</collab>", "N3C Consortium"),
        ("<collab>C<sup>3</sup> Group</collab>", "C3 Group"),
        ("<collab>2<sup>nd</sup> Kite Group</collab>", "2nd Kite Group"),
    ],
)
def test_names_have_marks_but_no_powers(name: str, expected: str) -> None:
    assert author(name) == expected


def test_the_honorific_of_a_name_in_words_is_kept_beside_it() -> None:
    name = "<string-name>Dr. <given-names>Ann</given-names> <surname>Kite</surname></string-name>"
    read = listed(f'<contrib contrib-type="author">{name}</contrib>')
    assert (read["authors"][-1], read["honorifics"]) == ("Kite Ann", ["Dr. Ann Kite"])


def test_names_in_articles_inside_and_in_references_are_read_alike() -> None:
    name = "<given-names>Jan</given-names> van der <surname>Berg<sup>1</sup></surname>"
    inner = (
        '<sub-article article-type="reply"><front-stub><contrib-group><contrib contrib-type="author">'
        f"<string-name>{name}</string-name></contrib></contrib-group></front-stub><body><p>Yes.</p></body>"
        "</sub-article>"
    )
    cited = (
        "<ref-list><ref><element-citation><name><surname>Berg<sup>1</sup></surname><given-names>Jan"
        "</given-names></name><year>2005</year></element-citation></ref></ref-list>"
    )
    article = an_article(back=cited, extra=inner)
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1", source="pmc"), "default")
    assert document.metadata["sub_articles"][0]["authors"] == ["van der Berg Jan"]
    assert document.references[0].text == "Berg Jan. 2005"
