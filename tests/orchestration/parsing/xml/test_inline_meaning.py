"""Inline content of articles keeps its meaning: each number, power and mark is one that was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from tests.orchestration.parsing.xml.inline_grammar import Inline, sentences


def text_of(markup: str, *, with_marks: bool = True) -> str:
    paragraph = etree.fromstring(f'<p xmlns:mml="http://www.w3.org/1998/Math/MathML">{markup}</p>')
    return one_line(inline_text(paragraph, with_marks=with_marks))


@given(sentences())
def test_inline_content_becomes_the_text_that_it_stands_for(sentence: Inline) -> None:
    assert text_of(sentence.markup) == sentence.text


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
