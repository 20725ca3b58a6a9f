"""Inline content of articles keeps its meaning: each number, power and mark is one that was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from tests.orchestration.parsing.xml.inline_grammar import NOTE_MARKS, Inline, cells, sentences


def text_of(markup: str, *, with_marks: bool = True, note_marks: frozenset[str] = frozenset()) -> str:
    paragraph = etree.fromstring(f'<p xmlns:mml="http://www.w3.org/1998/Math/MathML">{markup}</p>')
    return one_line(inline_text(paragraph, with_marks=with_marks, note_marks=note_marks))


@given(sentences())
def test_inline_content_becomes_the_text_that_it_stands_for(sentence: Inline) -> None:
    assert text_of(sentence.markup) == sentence.text


@given(cells())
def test_superscripts_of_cells_are_powers_or_marks_of_notes(cell: Inline) -> None:
    assert text_of(cell.markup, note_marks=NOTE_MARKS) == cell.text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("n = 10 <sup>2</sup> Adjusted for age", "n = 10 [2] Adjusted for age"),
        ("n = 25 <sup>2</sup> Adjusted for age", "n = 25 [2] Adjusted for age"),
        ("n = 25 <sup>a</sup> P &lt; .05 <sup>b</sup> P &lt; .01", "n = 25 [a] P < .05 [b] P < .01"),
        ("5 × 10 <sup>6</sup> Vero cells", "5 × 10^6 Vero cells"),
        ("1.73 m <sup>2</sup> Body surface", "1.73 m2 Body surface"),
        ("R <sup>2</sup> Adjusted", "R2 Adjusted"),
        ("the 20 <sup>th</sup> Century", "the 20th Century"),
    ],
)
def test_a_superscript_between_blanks_before_a_sentence_is_the_mark_of_a_note(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>6</sup><sup>3</sup>", "10^6^3"),
        ("kg/m<sup>2</sup><sup>a</sup>", "kg/m2^a"),
        ("<sup>9</sup><sup>9m</sup>Tc", "99mTc"),
        ("5th,6<sup>th</sup>, 12.3<sup>e</sup>, 12.3<sup>de</sup>, P<sup>e</sup>",
         "5th,6th, 12.3^e, 12.3^de, P^e"),
        ("le 5<sup>e</sup> et XX<sup>e</sup>, n<sup>ème</sup>", "le 5e et XX^e, nème"),
        ("5例<sup>2</sup>", "5例^2"),
        ("slope<sup>−1</sup>, mmol<sup>−1</sup>, min<sup>−1</sup>, M<sup>−1</sup>",
         "slope^−1, mmol−1, min−1, M−1"),
        ("p<sup>38</sup>, δ<sup>13</sup>C, V<sup>600</sup>E, Cl<sup>−1</sup>, Na<sup>+1</sup>",
         "p38, δ13C, V600E, Cl−1, Na+1"),
        ("x<sup>+1</sup>, (n<sup>−1</sup>), 1.2E<sup>−5</sup>, y<sup>−2</sup>z",
         "x^+1, (n^−1), 1.2E^−5, y^−2 z"),
        ("h<sup>−</sup>1, m<sup>-</sup>2", "h−1, m-2"),
        ("2010<sup>–</sup>2012", "2010–2012"),
    ],
)  # fmt: skip
def test_scripts_beside_letters_and_numbers(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('本文<sup><xref ref-type="bibr">1</xref>）</sup>', "本文[1]"),
        ('5例<sup><xref ref-type="bibr">1</xref>，<xref ref-type="bibr">2</xref>）</sup>', "5例[1，2]"),
        ('(Vane<sup><xref ref-type="bibr">1</xref>)</sup>', "(Vane[1])"),
        ('(12, <xref ref-type="bibr">3</xref>)', "(12, 3)"),
        ('[see Vane, <xref ref-type="bibr">3</xref>]', "[see Vane, 3]"),
        ('(43% <xref ref-type="bibr">3</xref>)', "(43% [3])"),
        ('(>50%<xref ref-type="bibr">3</xref>)', "(>50%[3])"),
    ],
)
def test_brackets_around_marks(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    "markup", ["fell<sup>12,a</sup>", "10<sup>31</sup>", "5<sup>−1</sup>", "1<sup>st</sup>"]
)
def test_superscripts_that_are_no_labels_are_read_as_without_notes(markup: str) -> None:
    assert text_of(markup, note_marks=frozenset({"1", "3", "a", "s", "t"})) == text_of(markup)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("5<inline-graphic/>6 and 5<inline-graphic><alt-text>7</alt-text></inline-graphic>6", "5 6 and 5 6"),
        ("<inline-formula>x^2</inline-formula>n", "x^2 n"),
        ("<inline-formula>n</inline-formula>th", "nth"),
        ('12<xref ref-type="fig">3</xref>', "12 3"),
        ("1<styled-content>2</styled-content> and 1<target id='t'/>2", "12 and 12"),
        ("5<private-char><private-name>7</private-name></private-char>6", "5 7 6"),
        ("CD4<sup>+</sup>5 and Ca<sup>2+</sup>5", "CD4+ 5 and Ca2+ 5"),
        ("5<sup>.</sup>6", "5.6"),
    ],
)
def test_digits_of_separate_elements_stay_apart(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("E = 10<sup>(−1/slope)</sup>−1", "E = 10^(−1/slope)−1"),
        ("10<sup>(n)</sup> and 10<sup>(−n)</sup>", "10^(n) and 10^(−n)"),
        ("(1 − 2)<sup>(a/b)</sup>", "(1 − 2)^(a/b)"),
        ("10<sup>[3]</sup> and fell<sup>[3,4]</sup>", "10[3] and fell[3,4]"),
        ("fell<sup>(3)</sup>", "fell^(3)"),
        ("IFNAR<sup>(−/−)</sup>", "IFNAR(−/−)"),
        ("vitamin D<sup>2,3</sup>", "vitamin D^2,3"),
        ("S<sup>52/178</sup>", "S52/178"),
        ("22<sup>1/2</sup>", "22^(1/2)"),
        ("−<sup>1</sup>/<sub>2</sub>x", "−1/2 x"),
    ],
)
def test_powers_in_brackets_and_fractions(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('SO<sub>4</sub><sup>2−</sup><xref ref-type="bibr">7</xref>', "SO4^2−[7]"),
        ('fell<sup>2–</sup><xref ref-type="bibr">4</xref>', "fell[2–4]"),
        ('fell<sup>2–<xref ref-type="bibr">4</xref></sup>', "fell[2–4]"),
        ('10 <sup>−3</sup><xref ref-type="bibr">7</xref>', "10^−3[7]"),
        ('(<xref ref-type="bibr">3</xref>4)', "(3 4)"),
        ('12<xref ref-type="fn">*</xref>5', "12* 5"),
        ('growth<xref ref-type="table"><sup>1</sup></xref>', "growth[1]"),
        ('Table <xref rid="t">1</xref> and 12<xref rid="r">1</xref>', "Table 1 and 12[1]"),
    ],
)
def test_marks_and_what_stands_beside_them(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('Growth<xref ref-type="bibr">1</xref><sup>,</sup><xref ref-type="bibr">2</xref> of', "Growth of"),
        ('5 m<sup>2(</sup><xref ref-type="bibr"><sup>3</sup></xref><sup>)</sup> of', "5 m2 of"),
        ('Growth [<xref ref-type="bibr">1</xref>] of CD4<xref ref-type="bibr">1</xref>5', "Growth of CD4 5"),
        ('Growth<sup>(<xref ref-type="bibr">1</xref>)</sup>', "Growth"),
    ],
)
def test_a_line_without_marks_keeps_nothing_of_them(markup: str, text: str) -> None:
    assert text_of(markup, with_marks=False) == text
