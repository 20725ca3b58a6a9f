"""Marks, hyphens, web addresses and right-to-left text, word by word."""

from __future__ import annotations

import pytest

from orchestration.pdf.text_layer.compounds import keeps_hyphen
from orchestration.pdf.text_layer.hyphens import Vocabulary, joined_lines
from orchestration.pdf.text_layer.marks import Stretch, spelled
from orchestration.pdf.text_layer.right_to_left import in_reading_order
from orchestration.pdf.text_layer.signs import UNMAPPED, sign_of


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("mortality|12", "mortality[12]"),
        ("500|7", "500[7]"),
        ("disease.|13,14", "disease.[13,14]"),
        ("45%|12", "45%[12]"),
        ("3.5|3,4", "3.5[3,4]"),
        ("210|3", "210[3]"),
        ("31|a,b", "31[a,b]"),
        ("Smith|1,2,*", "Smith[1,2,*]"),
        ("|1|Department", "[1] Department"),
        ("10|9|/L", "10^9/L"),
        ("10|5.5", "10^5.5"),
        ("10|1,8", "10[1,8]"),
        ("10|27", "10[27]"),
        ("×10|27", "×10^27"),
        ("10|−8", "10^−8"),
        ("7|5.5", "7^5.5"),
        ("m|2", "m2"),
        ("kg/m|2", "kg/m2"),
        ("min|−1", "min−1"),
        ("Ca|2+", "Ca2+"),
        ("CD4|+", "CD4+"),
        ("R|2", "R2"),
        ("N|6|-methyladenosine", "N6-methyladenosine"),
        ("1|st", "1st"),
        ("|18|F-FDG", "18F-FDG"),
        ("|99m|Tc", "99mTc"),
        ("5|1|/2", "5 1/2"),
        ("500|⁷", "500[7]"),
        ("10|⁹", "10^9"),
        ("m|²", "m²"),
        ("kg/m|218", "kg/m2[18]"),
        ("kg/m|2,18", "kg/m2[18]"),
        ("mL/min/1.73m|218", "mL/min/1.73m2[18]"),
    ],
)
def test_what_is_set_high_is_apart_from_what_it_would_change(parts: str, expected: str) -> None:
    stretches = [Stretch(part, number % 2 == 1) for number, part in enumerate(parts.split("|")) if part]
    assert spelled(stretches) == expected


@pytest.mark.parametrize(
    ("before", "parts", "expected"),
    [
        ("1.73", "m|218", "m2[18]"),
        ("1.73", "m|2", "m2"),
        ("5", "m|18", "m[18]"),
        ("×", "10|30", "10^30"),
        ("of", "10|30", "10[30]"),
    ],
)
def test_the_word_before_decides_where_the_word_alone_does_not(
    before: str, parts: str, expected: str
) -> None:
    stretches = [Stretch(part, number % 2 == 1) for number, part in enumerate(parts.split("|")) if part]
    assert spelled(stretches, before) == expected


def words(text: str) -> list[str]:
    return text.split()


WITH_HYPHEN = words(
    """
    double-blind X-ray β-blocker T-cells meta-analysis non-inferiority long-term well-known
    end-of-life state-of-the-art follow-up all-cause mRNA-based anti-inflammatory re-evaluate
    open-label single-arm age-matched placebo-controlled self-reported high-risk dose-dependent
    year-old life-threatening cost-effective low-density quality-adjusted cross-sectional well-being
    COVID-related
    """
)
AS_ONE = words(
    """
    anti-bodies inflam-mation re-corded post-operative treat-ment low-ered hospital-ized
    general-ized high-est small-er the-rapy in-flammation out-come thresh-old adrena-line compo-site
    pheno-type al-lowed ten-dency second-ary cor-related un-known cardio-vascular short-ened
    mean-ing real-ity classi-fied through-out
    """
)


@pytest.mark.parametrize("word", [*WITH_HYPHEN, *AS_ONE])
def test_a_hyphen_at_the_end_of_a_line_stays_where_the_word_has_one(word: str) -> None:
    first, _, second = word.rpartition("-")
    assert keeps_hyphen(first, second, {}) == (word in WITH_HYPHEN)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["https://doi.org/1", "0.1016/S0360-3016(97)00284-8."],
            "https://doi.org/10.1016/S0360-3016(97)00284-8.",
        ),
        (["doi:10.1016/j.radonc.2005.03.", "003."], "doi:10.1016/j.radonc.2005.03.003."),
        (["https://who.example/news-", "room/fact-sheets"], "https://who.example/news-room/fact-sheets"),
        (["at https://x.example", "12 patients"], "at https://x.example 12 patients"),
        (["at https://x.example/a", "3.5 mg"], "at https://x.example/a 3.5 mg"),
        (["of interleukin-", "6 and 5-", "fluorouracil"], "of interleukin-6 and 5-fluorouracil"),
        (["(range 5–", "8) in mL/", "min"], "(range 5–8) in mL/min"),
        (["of walks –", "8 in all"], "of walks – 8 in all"),
        (["(UMIN00000", "3052) of"], "(UMIN000003052) of"),
        (["NCT0123", "4567;"], "NCT01234567;"),
        (["EudraCT 202", "0-001827-15)"], "EudraCT 2020-001827-15)"),
        (["NCT01234567", "2020"], "NCT01234567 2020"),
        (["of 11", "663 walkers in 2020", "12 slept"], "of 11 663 walkers in 2020 12 slept"),
    ],
)
def test_lines_are_joined_without_changing_numbers(lines: list[str], expected: str) -> None:
    assert joined_lines(lines, Vocabulary(lines)) == expected


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("רמת הסוכר ירדה", "הדרי רכוסה תמר"),
        ("קיבלו 500 מג ליום (טווח 250)", "(250 חווט) םוילגמ 500 ולביק".replace("םוילגמ", "םויל גמ")),
        ("רמת HbA1c ירדה 1.5% מאז", "זאמ 1.5% הדרי HbA1c תמר"),
        ("Walking (הליכה) helps", "Walking (הכילה) helps"),
        ("plain 55 text", "plain 55 text"),
    ],
)
def test_right_to_left_text_is_read_from_its_right_and_numbers_from_their_left(
    logical: str, visual: str
) -> None:
    assert in_reading_order(visual) == logical


def test_arabic_forms_are_letters() -> None:
    assert in_reading_order("\ufef1\ufead\ufedc\ufeb4\ufedf\ufe8d") == "السكري"


def test_codes_of_symbol_fonts_have_their_signs_and_others_none() -> None:
    assert [sign_of(code, True, True) for code in (0x61, 0xF0A3, 0xF06D, 0xB3)] == ["α", "≤", "μ", "≥"]
    assert sign_of(0xF0A3, False, False) == sign_of(0x21, False, True) == sign_of(1, False, False) == UNMAPPED
    assert sign_of(0x3FD, False, False) == "<"
