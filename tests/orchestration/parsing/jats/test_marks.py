"""Marks, powers, indices, isotopes and charges in the running text of an article."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound, indexed_part
from orchestration.parsing.jats import JatsParser


def text_of(paragraph: str) -> str:
    article = an_article(f"<p>{paragraph}</p>")
    document = JatsParser().parse(a_payload(article, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert_sound(document)
    return indexed_part(document).text.partition("Walking helps.")[2].strip()


def bibr(number: str, *, high: bool = False) -> str:
    mark = f"<sup>{number}</sup>" if high else number
    return f'<xref ref-type="bibr" rid="r">{mark}</xref>'


@pytest.mark.parametrize("high", [True, False])
@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("more than 500", " walkers", "more than 500[7] walkers"),
        ("loss of p53", " and", "loss of p53[7] and"),
        ("growth", ", again", "growth[7], again"),
        ("it fell.", " Then", "it fell.[7] Then"),
        ("12.5", "%", "12.5[7]%"),
        ("H<sub>2</sub>O", " kept", "H2O[7] kept"),
        ("10<sup>5</sup>", " steps", "10^5[7] steps"),
        ("<bold>30</bold>", " mg", "30[7] mg"),
        ("20 ", " mg", "20 [7] mg"),
    ],
)
def test_a_citation_mark_is_set_apart_from_numbers_and_words(
    before: str, after: str, text: str, high: bool
) -> None:
    assert text_of(before + bibr("7", high=high) + after) == text
    assert text_of(f"{before}<sup>{bibr('7')}</sup>{after}") == text
    assert text_of(f"{before}<italic>{bibr('7', high=high)}</italic>{after}") == text


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (f"fell{bibr('3', high=True)}<sup>,</sup>{bibr('4', high=True)}", "fell[3,4]"),
        (f"fell{bibr('3', high=True)}<sup>–</sup>{bibr('6', high=True)} again", "fell[3–6] again"),
        (f"20{bibr('3')},{bibr('4')} mg", "20[3,4] mg"),
        (f"<sup>{bibr('1')},{bibr('2')}–{bibr('4')}</sup> Start", "[1,2–4] Start"),
        (f"20<sup>1,</sup>{bibr('2', high=True)} mg", "20[1,2] mg"),
        (f"20{bibr('1', high=True)}<sup>,2</sup> mg", "20[1,2] mg"),
        (f"rise{bibr('1')}{bibr('2')}", "rise[1,2]"),
        (f"rise {bibr('1')}, {bibr('2')} and {bibr('3')}", "rise [1, 2] and [3]"),
    ],
)
def test_marks_of_a_list_or_a_range_stand_in_one_pair_of_brackets(marked: str, text: str) -> None:
    assert text_of(marked) == text


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (f"10<sup>9</sup><sup>,</sup>{bibr('1', high=True)} a", "10^9,[1] a"),
        (f"18 kg/m<sup>2</sup><sup>,</sup>{bibr('3', high=True)} a", "18 kg/m2,[3] a"),
        (f"R<sup>2,</sup>{bibr('3', high=True)} a", "R2,[3] a"),
        (f"10<sup>6 {bibr('1')}</sup> a", "10^6[1] a"),
        (f"10<sup>6{bibr('1')}</sup> a", "10^6[1] a"),
        (f"10<sup>9,{bibr('1')}</sup> a", "10^9,[1] a"),
        (f"5 m<sup>2 {bibr('1')},{bibr('2')}</sup> a", "5 m2[1,2] a"),
        (f"Ca<sup>2+{bibr('1')}</sup> a", "Ca2+[1] a"),
        (f"CD4<sup>+{bibr('3')}</sup> a", "CD4+[3] a"),
        (f"20<sup>1,{bibr('2')}</sup> mg", "20[1,2] mg"),
        (f"fell<sup>2,{bibr('3')}</sup> a", "fell[2,3] a"),
        (f"5 mg<sup>2,{bibr('3')}</sup> a", "5 mg[2,3] a"),
        (f"of 10<sup>1,{bibr('2')}</sup> a", "of 10[1,2] a"),
        (f"fell{bibr('1', high=True)}<sup>–{bibr('3')}</sup> a", "fell[1–3] a"),
        (f"in 2010<sup>({bibr('2')},{bibr('3')})</sup> a", "in 2010[2,3] a"),
        (f"5 mg<sup>({bibr('2')})</sup> a", "5 mg[2] a"),
        (f"10<sup>−8</sup><sup>({bibr('2')})</sup> a", "10^−8[2] a"),
    ],
)
def test_a_power_or_a_charge_beside_a_mark_is_no_mark(marked: str, text: str) -> None:
    assert text_of(marked) == text


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        (f"so [{bibr('3')}] and [{bibr('4')}, {bibr('5')}]", "so [3] and [4, 5]"),
        (f"so [{bibr('3')}{bibr('4')}]", "so [3,4]"),
        (f"so ({bibr('3')}–{bibr('5')})", "so (3–5)"),
        (f"Roe<sup>[{bibr('3')}]</sup> and Poe<sup>[</sup>{bibr('4')}<sup>]</sup>", "Roe[3] and Poe[4]"),
        (f"30{bibr('[3]')} and {bibr('[4]')},{bibr('[5]')}", "30[3] and [4],[5]"),
        (f"({bibr('Roe, 2003')}; {bibr('Poe et al., 2004')})", "(Roe, 2003; Poe et al., 2004)"),
        (f"Roe ({bibr('2003')})", "Roe (2003)"),
        ('see <xref ref-type="fig" rid="f">Figure 2</xref>a', "see Figure 2a"),
    ],
)
def test_marks_that_stand_in_brackets_or_are_words_stay_as_printed(marked: str, text: str) -> None:
    assert text_of(marked) == text


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ('2012<xref ref-type="fn" rid="f">4</xref> again', "2012[4] again"),
        (
            'walks<xref ref-type="fn" rid="f">*</xref> and<xref ref-type="fn"><sup>†</sup></xref>',
            "walks* and†",
        ),
        ('note <xref ref-type="table-fn" rid="f">a</xref>', "note [a]"),
        ('30<xref ref-type="other" rid="f">5</xref> and 30<xref rid="f">5</xref>', "30[5] and 30[5]"),
        ("walks<fn><label>a</label><p>By day.</p></fn> help", "walks (a By day.) help"),
    ],
)
def test_marks_of_footnotes_are_kept_and_set_apart(marked: str, text: str) -> None:
    assert text_of(marked) == text


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("150 × 10<sup>9</sup>/L and 10<sup>-3</sup>", "150 × 10^9/L and 10^-3"),
        ("10<sup>−</sup><sup>3</sup> M", "10^−3 M"),
        ("10<sup>−<italic>n</italic></sup>, 2<sup>−ΔΔCt</sup>, e<sup>x+1</sup>",
         "10^−n, 2^−ΔΔCt, e^(x+1)"),
        ("1.73 m<sup>2</sup>, 5 mm<sup>3</sup>, 3 s<sup>-1</sup>, R<sup>2</sup>",
         "1.73 m2, 5 mm3, 3 s-1, R2"),
        ("(a + b)<sup>2</sup> and weight/height<sup>2</sup>", "(a + b)^2 and weight/height^2"),
        ("CO<sub>2</sub>, log<sub>10</sub> 4, 10<sub>2</sub>", "CO2, log10 4, 10_2"),
        ("Ca<sup>2+</sup>, Na<sup>+</sup>, SO<sub>4</sub><sup>2−</sup>, CD4<sup>+</sup>",
         "Ca2+, Na+, SO4^2−, CD4+"),
        ("<sup>18</sup>F, <sup>99m</sup>Tc, [<sup>14</sup>C]urea, <sup>3</sup>H",
         "18F, 99mTc, [14C]urea, 3H"),
        ("the 20<sup>th</sup> and i<sup>th</sup> of p27<sup>Kip1</sup>", "the 20th and ith of p27Kip1"),
        ("mortality<sup>12</sup>, HIV<sup>3</sup>, <sup>a</sup>Adjusted", "mortality^12, HIV^3, a Adjusted"),
        ("5<sup>*</sup> and 5×10<sup>6</sup>cells", "5* and 5×10^6 cells"),
    ],
)  # fmt: skip
def test_powers_indices_isotopes_and_charges_stay_what_they_are(marked: str, text: str) -> None:
    assert text_of(marked) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("P &amp;lt; 0.05 of &amp;alpha;, R&amp;D &amp;#946;", "P < 0.05 of α, R&D β"),
        ("e&#xFB03;cacy of in&#xAD;&#xFB02;ammation", "efficacy of inflammation"),
    ],
)
def test_characters_escaped_twice_and_ligatures_are_read(written: str, text: str) -> None:
    assert text_of(written) == text


def test_code_keeps_what_is_escaped() -> None:
    assert text_of("<code>if a &amp;lt; b</code>") == "if a &lt; b"


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("10 <sup>6</sup> cells", "10^6 cells"),
        ("10\n   <sup>6</sup> cells", "10^6 cells"),
        ("CO <sub>2</sub> in air", "CO2 in air"),
        ("Ca <sup>2+</sup> and CD4 <sup>+</sup> cells", "Ca2+ and CD4+ cells"),
        ("kg/m <sup>2</sup> and s <sup>−1</sup>", "kg/m2 and s−1"),
        ("with\n<sup>18</sup>F-FDG", "with 18F-FDG"),
        ("with <sup>18</sup> F-FDG or <sup>3</sup>H", "with 18 F-FDG or 3H"),
        ("37 <sup>°</sup>C", "37 °C"),
    ],
)
def test_a_blank_before_a_script_is_dropped_where_the_script_belongs_to_what_is_before_it(
    marked: str, text: str
) -> None:
    assert text_of(marked) == text


def formula(markup: str) -> str:
    return text_of(f"is <inline-formula><mml:math>{markup}</mml:math></inline-formula>").removeprefix("is ")


def test_numbers_of_a_formula_that_stand_side_by_side_stay_apart() -> None:
    half = "<mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac>"
    power = (
        "<mml:msup><mml:mn>10</mml:mn><mml:mrow><mml:mo>−</mml:mo><mml:mn>3</mml:mn></mml:mrow></mml:msup>"
    )
    total = "<mml:mrow><mml:mi>a</mml:mi><mml:mo>+</mml:mo><mml:mi>b</mml:mi></mml:mrow>"
    assert formula(f"<mml:mn>3</mml:mn>{half}") == "3 1/2"
    assert formula(f"{half}<mml:mi>x</mml:mi>") == "1/2 x"
    assert formula(power) == "10^−3"
    assert formula(f"{power}<mml:mn>5</mml:mn>") == "10^−3 5"
    assert formula("<mml:mi>x</mml:mi><mml:mo>=</mml:mo><mml:mo>−</mml:mo><mml:mn>5</mml:mn>") == "x = −5"
    assert formula(f"<mml:msup>{total}<mml:mn>2</mml:mn></mml:msup>") == "(a + b)^2"
