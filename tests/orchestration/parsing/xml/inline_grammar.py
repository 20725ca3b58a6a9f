"""Inline content of known meaning, in the ways in which publishers write it.

Each strategy draws pairs of JATS markup and the text that it must become: numbers, powers, indices, charges,
isotopes, fractions, formulas, references to tables and figures, and the marks of citations and footnotes.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from hypothesis import strategies as st


class Inline(NamedTuple):
    """Markup and the text that it stands for."""

    markup: str
    text: str


def _mathml(markup: str) -> str:
    return f"<mml:math>{markup}</mml:math>"


def _variants(text: str, *markups: str) -> list[Inline]:
    return [Inline(markup, text) for markup in markups]


_TEN: Final = "<mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup>"
_ROOT: Final = "<mml:msqrt><mml:mn>2</mml:mn><mml:mi>x</mml:mi></mml:msqrt>"
_SQUARE: Final = (
    "<mml:msup><mml:mrow><mml:mn>2</mml:mn><mml:mi>x</mml:mi></mml:mrow><mml:mn>2</mml:mn></mml:msup>"
)
_RATIO: Final = (
    "<mml:mfrac><mml:mn>1</mml:mn><mml:mrow><mml:mn>2</mml:mn><mml:mi>x</mml:mi></mml:mrow></mml:mfrac>"
)

BLANKS: Final = (" ", "\u00a0", "\u2009", "\u202f")
"""Blanks that publishers put behind the sign of a power."""

NUMBERS: Final = _variants("12", "12", "1<italic>2</italic>", "<bold>12</bold>") + _variants(
    "7.5", "7.5", "<italic>7.5</italic>"
)
WORDS: Final = [
    Inline(word, word)
    for word in ("growth", "p53", "HbA1c", "in 2010", "60 mg", "[0, 5) of 6%", "(0–5] in 2010")
]
POWERS: Final = [
    *_variants("10^−3", "10<sup>−3</sup>", "10<sup>−</sup><sup>3</sup>", "10 <sup>−3</sup>",
               "10<italic><sup>−3</sup></italic>", "10<sup>−<italic>3</italic></sup>",
               *(f"10<sup>−{blank}3</sup>" for blank in BLANKS), "10<sup>−</sup><sup> 3</sup>"),
    *_variants("10^+3", "10<sup>+3</sup>", "10<sup>+ 3</sup>"),
    *_variants("5 kg m−2", "5 kg m<sup>−2</sup>", "5 kg m<sup>− 2</sup>"),
    *_variants("e^−0.5", "e<sup>−0.5</sup>", "e<sup>− 0.5</sup>"),
    *_variants("2.1e^−5", "2.1e<sup>−5</sup>", "2.1<italic>e</italic><sup>− 5</sup>"),
    *_variants("n^−1", "n<sup>−1</sup>", "<italic>n</italic><sup>− 1</sup>"),
    *_variants("x^0.75", "x<sup>0.75</sup>"),
    *_variants("x^−1.25", "x<sup>−1.25</sup>"),
    *_variants("x^12", "x<sup>12</sup>"),
    *_variants("5 kg^0.75", "5 kg<sup>0.75</sup>"),
    *_variants("e^2", "e<sup>2</sup>"),
    *_variants("10^(−3)", "10<sup>(−3)</sup>", "10<sup>(</sup><sup>−3</sup><sup>)</sup>"),
    *_variants("10^6", "10<sup>6</sup>", "10<sup><bold>6</bold></sup>", "<bold>10<sup>6</sup></bold>"),
    *_variants("5 kg/m2", "5 kg/m<sup>2</sup>", "5 kg/m <sup>2</sup>"),
    *_variants("3 s-1", "3 s<sup>-1</sup>"),
    *_variants("2^−ΔΔCt", "2<sup>−ΔΔCt</sup>", "2<sup>−ΔΔ<italic>Ct</italic></sup>", "2<sup>− ΔΔCt</sup>"),
    *_variants("x^(2)", "<italic>x</italic><sup>(2)</sup>"),
    *_variants("x^(1/2)", "x<sup>1/2</sup>"),
    *_variants("R2", "R<sup>2</sup>", "<italic>R</italic><sup>2</sup>"),
]  # fmt: skip
SYMBOLS: Final = [
    *_variants("CO2", "CO<sub>2</sub>", "CO <sub>2</sub>"),
    *_variants("H2O", "H<sub>2</sub>O"),
    *_variants("SO4^2−", "SO<sub>4</sub><sup>2−</sup>"),
    *_variants("Ca2+", "Ca<sup>2+</sup>", "Ca<sup>2</sup><sup>+</sup>", "Ca<sup>2 +</sup>"),
    *_variants("CD4+", "CD4<sup>+</sup>", "CD4<sup> +</sup>"),
    *_variants("x1", "x<sub>1</sub>", "<italic>x</italic><sub>1</sub>"),
    *_variants("log10", "log<sub>10</sub>"),
    *_variants("of 18F", "of <sup>18</sup>F"),
    *_variants("of 99mTc", "of <sup>99m</sup>Tc"),
]
FRACTIONS: Final = [
    *_variants("22 1/2", "22<sup>1</sup>/<sub>2</sub>", "22<sup>1</sup>⁄<sub>2</sub>",
               "22 <sup>1</sup>/<sub>2</sub>", "22<sup>1/</sup><sub>2</sub>", "22<sup>1</sup><sub>/2</sub>"),
    *_variants("of 3/4", "of <sup>3</sup>/<sub>4</sub>", "of <sup>3</sup>⁄<sub>4</sub>"),
]  # fmt: skip
FORMULAS: Final = [
    *_variants("10^6", f"<inline-formula>{_mathml(_TEN)}</inline-formula>", _mathml(_TEN),
               "<inline-formula>10<sup>6</sup></inline-formula>",
               f"<inline-formula><alternatives>{_mathml(_TEN)}<tex-math>10^6</tex-math></alternatives>"
               "</inline-formula>",
               "<inline-formula><tex-math>10^6</tex-math></inline-formula>"),
    *_variants("5", f"<inline-formula>{_mathml('<mml:mn>5</mml:mn>')}</inline-formula>",
               "<tex-math>5</tex-math>", "<named-content>5</named-content>"),
    *_variants("√(2x)", f"<inline-formula>{_mathml(_ROOT)}</inline-formula>"),
    *_variants("(2x)^2", f"<inline-formula>{_mathml(_SQUARE)}</inline-formula>"),
    *_variants("1/(2x)", f"<inline-formula>{_mathml(_RATIO)}</inline-formula>"),
]  # fmt: skip


def _label(kind: str, number: str) -> list[str]:
    reference = f'<xref ref-type="{kind}" rid="t">'
    return [
        f"{reference}{number}</xref>",
        f"{reference}<sup>{number}</sup></xref>",
        f"<sup>{reference}{number}</xref></sup>",
        f"<italic>{reference}<sup>{number}</sup></xref></italic>",
    ]


LABELS: Final = [
    *(Inline(f"Table {label}", "Table 1") for label in _label("table", "1")),
    *(Inline(f"Fig. {label}", "Fig. 3") for label in _label("fig", "3")),
    *(Inline(f"Section {label}", "Section 2") for label in _label("sec", "2")),
    *(Inline(f"Additional file {label}", "Additional file 4")
      for label in _label("supplementary-material", "4")),
    *(Inline(f"Figs {first},{second}", "Figs 1,2")
      for first, second in zip(_label("fig", "1"), _label("fig", "2"), strict=True)),
    Inline('<xref ref-type="fig" rid="f">Figure 2</xref>', "Figure 2"),
]  # fmt: skip

CARRIERS: Final = NUMBERS + WORDS + POWERS + SYMBOLS + FRACTIONS + FORMULAS + LABELS
_NUMBERED_MARKS: Final = (("7",), ("1", ",", "2"), ("3", "–", "5"), ("1", ",", "4", "–", "6"))
_FOOTNOTES: Final = [
    *_variants("[a]", '<xref ref-type="fn" rid="n">a</xref>',
               '<xref ref-type="fn" rid="n"><sup>a</sup></xref>',
               '<sup><xref ref-type="fn" rid="n">a</xref></sup>'),
    *_variants("[4]", '<xref ref-type="fn" rid="n"><sup>4</sup></xref>',
               '<xref ref-type="table-fn" rid="n">4</xref>'),
    *_variants("†", '<xref ref-type="fn" rid="n">†</xref>',
               '<xref ref-type="fn" rid="n"><sup>†</sup></xref>'),
]  # fmt: skip


def _reference(number: str, *, high: bool = False) -> str:
    content = f"<sup>{number}</sup>" if high else number
    return f'<xref ref-type="bibr" rid="r">{content}</xref>'


def _each(parts: tuple[str, ...], *, high: bool, between: str = "{}") -> str:
    return "".join(_reference(part, high=high) if part.isdigit() else between.format(part) for part in parts)


def _numbered(parts: tuple[str, ...]) -> list[Inline]:
    """One citation of `parts` in the ways in which publishers write it."""
    flat, high = _each(parts, high=False), _each(parts, high=True, between="<sup>{}</sup>")
    pieces = (
        _each(parts, high=True, between="<sup>{}</sup>")
        .replace('<xref ref-type="bibr" rid="r"><sup>', '<sup><xref ref-type="bibr" rid="r">')
        .replace("</sup></xref>", "</xref></sup>")
    )
    markups = [
        flat, high, pieces, _each(parts, high=True), f"<sup>{flat}</sup>", f"<italic>{high}</italic>",
        f"<sup><bold>{flat}</bold></sup>", _reference("".join(parts)), _reference("".join(parts), high=True),
        f"<sup>({flat})</sup>", f"<sup>[{flat}]</sup>", f"[{flat}]", f"[{high}]",
        f"<sup>(</sup>{high}<sup>)</sup>", f"<sup>[</sup>{high}<sup>]</sup>",
        f"<sup>(</sup>{pieces}<sup>)</sup>", f"<sup>(</sup><sup>{flat}</sup><sup>)</sup>",
        f"<bold><sup>(</sup>{high}<sup>)</sup></bold>",
        _reference(f"({''.join(parts)})"), _reference(f"({''.join(parts)})", high=True),
        f"<sup>{_reference(f'({parts[0]})')}</sup>" if len(parts) == 1 else flat,
        _reference(f"[{''.join(parts)}]"), _reference(f"[{''.join(parts)}]", high=True),
    ]  # fmt: skip
    return _variants(f"[{''.join(parts)}]", *markups)


MARKS: Final = [mark for parts in _NUMBERED_MARKS for mark in _numbered(parts)] + _FOOTNOTES
SHARED: Final = [
    *_variants("10^6,[7]", f"10<sup>6,{_reference('7')}</sup>",
               f"10<sup>6</sup><sup>,</sup>{_reference('7', high=True)}"),
    *_variants("10^−3[7]", f"10<sup>−3 {_reference('7')}</sup>", f"10<sup>−3{_reference('7')}</sup>",
               f"10<sup>−3({_reference('7')})</sup>",
               f"10<sup>−3(</sup>{_reference('7', high=True)}<sup>)</sup>",
               *(f"10<sup>−{blank}3{_reference('7')}</sup>" for blank in BLANKS),
               f"10<sup>− 3</sup>{_reference('7', high=True)}"),
    *_variants("s−1[7]", f"s<sup>−1{_reference('7')}</sup>", f"s<sup>− 1 {_reference('7')}</sup>"),
    *_variants("x^−1.5[7]", f"x<sup>−1.5{_reference('7')}</sup>", f"x<sup>− 1.5 {_reference('7')}</sup>"),
    *_variants("2^n[7]", f"2<sup>n{_reference('7')}</sup>"),
    *_variants("the 20th[7]", f"the 20<sup>th{_reference('7')}</sup>",
               f"the 20<sup>th {_reference('7')}</sup>"),
    *_variants("kite®[7]", f"kite<sup>®{_reference('7')}</sup>",
               f"kite<sup>®</sup>{_reference('7', high=True)}"),
    *_variants("12*[7]", f"12<sup>*{_reference('7')}</sup>"),
    *_variants("5 m2[7]", f"5 m<sup>2 {_reference('7')}</sup>", f"5 m<sup>2({_reference('7')})</sup>",
               f"5 m<sup>2[</sup>{_reference('7', high=True)}<sup>]</sup>"),
    *_variants("Ca2+[7]", f"Ca<sup>2+{_reference('7')}</sup>", f"Ca<sup>2+ ({_reference('7')})</sup>"),
    *_variants("SO4^2−[7]", f"SO<sub>4</sub><sup>2−{_reference('7')}</sup>"),
]  # fmt: skip
"""A power, a charge or a sign and a mark in one superscript."""

_HIGH_MARKS: Final = [
    *_variants("[7]", f"<sup>{_reference('7')}</sup>", _reference("7", high=True),
               f"<italic>{_reference('7', high=True)}</italic>"),
    *_variants("[3–5]", f"<sup>{_each(('3', '–', '5'), high=False)}</sup>",
               _each(("3", "–", "5"), high=True, between="<sup>{}</sup>")),
    *_variants("[a]", '<sup><xref ref-type="fn" rid="n">a</xref></sup>',
               '<xref ref-type="table-fn" rid="n">a</xref>'),
]  # fmt: skip
_IN_BRACKETS: Final = [
    ("(", "43%", ")"), ("(", "5.", ")"), ("(", "0.5", ")"), ("(", "12,", " 6)"), ("(", "1.2–3.4;", ")"),
    ("(", ">50%", ")"), ("12 (", "40%", ")"), ("[", "5%", "]"), ("[95% CI ", "1.2–3.4;", " P = .05]"),
    ("[", "[1, 5) 6%", "]"), ("(n = ", "10", ")"), ("(", "10^−3%", ")"),
]  # fmt: skip
_CHARGED: Final = [
    *_variants("HCO3−", "HCO<sub>3</sub><sup>−</sup>"),
    *_variants("Cl−", "Cl<sup>−</sup>"),
    *_variants("Na+", "Na<sup>+</sup>", "Na<sup> +</sup>"),
    *_variants("Ca2+", "Ca<sup>2+</sup>", "Ca<sup>2 +</sup>"),
]

_SEPARATORS: Final = (" ", ", ", ". ", "; ", " of ", " (n = 9) ")


@st.composite
def sentences(draw: st.DrawFn) -> Inline:
    """A sentence of several carriers, with marks behind some of them and numbers directly beside formulas."""
    markup, text = "so ", "so "
    for _ in range(draw(st.integers(1, 4))):
        part = draw(st.sampled_from((marked, marked, beside_formula, shared, in_brackets, beside_charge)))
        piece = draw(part())
        separator = draw(st.sampled_from(_SEPARATORS))
        markup, text = markup + piece.markup + separator, text + piece.text + separator
    return Inline(f"{markup}end", f"{text}end")


@st.composite
def marked(draw: st.DrawFn) -> Inline:
    """A carrier, with or without a mark."""
    carrier = draw(st.sampled_from(CARRIERS))
    mark = draw(st.none() | st.sampled_from(MARKS))
    return carrier if mark is None else Inline(carrier.markup + mark.markup, carrier.text + mark.text)


@st.composite
def beside_formula(draw: st.DrawFn) -> Inline:
    """A formula with a number directly before or behind it."""
    formula, number = draw(st.sampled_from(FORMULAS)), draw(st.sampled_from(NUMBERS))
    if draw(st.booleans()):
        blank = " " if formula.text[0].isdigit() else ""
        return Inline(number.markup + formula.markup, f"{number.text}{blank}{formula.text}")
    blank = " " if formula.text[-1].isdigit() else ""
    return Inline(formula.markup + number.markup, f"{formula.text}{blank}{number.text}")


def shared() -> st.SearchStrategy[Inline]:
    return st.sampled_from(SHARED)


@st.composite
def in_brackets(draw: st.DrawFn) -> Inline:
    """A number in brackets on the line with a mark that is set high."""
    before, inside, after = draw(st.sampled_from(_IN_BRACKETS))
    mark = draw(st.sampled_from(_HIGH_MARKS))
    number = escape(inside).replace("^−3", "<sup>− 3</sup>")
    return Inline(f"{before}{number}{mark.markup}{after}", f"{before}{inside}{mark.text}{after}")


@st.composite
def beside_charge(draw: st.DrawFn) -> Inline:
    """An ion with a number directly behind it."""
    ion, number = draw(st.sampled_from(_CHARGED)), draw(st.sampled_from(NUMBERS))
    return Inline(ion.markup + number.markup, f"{ion.text} {number.text}")


# --- cells of a table whose notes are 1, 2, 3, a, b and * -------------------------------------------------

NOTE_MARKS: Final = frozenset({"1", "2", "3", "a", "b", "*"})
_SQUARES: Final = [
    Inline(base, text)
    for base, text in (
        ("R", "R2"), ("ΔR", "ΔR^2"), ("Δ R", "Δ R2"), ("Adjusted R", "Adjusted R2"), ("\u2206R", "\u2206R2"),
        ("R<sub>adj</sub>", "Radj^2"), ("η<sub>p</sub>", "ηp^2"), ("Partial η", "Partial η2"), ("χ", "χ2"),
        ("χ<sub>3</sub>", "χ3^2"), ("f", "f2"), ("Cohen's f", "Cohen's f2"), ("σ", "σ2"),
        ("σ<sub>u</sub>", "σu^2"), ("I", "I2"), ("T", "T2"), ("5 m", "5 m2"), ("kg/m", "kg/m2"), ("Å", "Å2"),
        ("10", "10^2"), ("5 × 10", "5 × 10^2"),
    )
]  # fmt: skip
"""What stands before a superscript 2 that is a power, and the text with it."""

_OTHER_POWERS: Final = [
    Inline("10<sup>−3", "10^−3"), Inline("10<sup>− 3", "10^−3"), Inline("s<sup>−1", "s−1"),
    Inline("x<sup>−1.5", "x^−1.5"), Inline("Ca<sup>2+", "Ca2+"), Inline("Ca<sup>2 +", "Ca2+"),
    Inline("CD4<sup>+", "CD4+"), Inline("5 cm<sup>3", "5 cm3"),
]  # fmt: skip
_POWERS_OPEN: Final = [Inline(f"{base}<sup>2", text) for base, text in _SQUARES] + _OTHER_POWERS
"""Powers whose superscript element is not closed yet, so that a mark may follow in it."""

_NO_POWERS: Final = [
    Inline(text, text)
    for text in ("5.1", "45", "12 (40%", "5 mg", "Stage I", "n", "P", "Hepatitis D", "24 h", "TNF-α")
]
_ISOTOPES: Final = [
    *_variants("3H-thymidine", "<sup>3</sup>H-thymidine"), *_variants("2H (‰)", "<sup>2</sup>H (‰)"),
    *_variants("δ2H", "δ<sup>2</sup>H"), *_variants("[3H]", "[<sup>3</sup>H]"),
    *_variants("18F", "<sup>18</sup>F"),
]  # fmt: skip
_NUMBER_NOTES: Final = [
    Inline("<sup>1</sup>", "[1]"), Inline("<sup>2</sup>", "[2]"), Inline("<sup>1,3</sup>", "[1,3]"),
    Inline("<sup>1</sup><sup>2</sup>", "[1,2]"), Inline("<sup>1–3</sup>", "[1–3]"),
    Inline("<sup>2,a</sup>", "[2,a]"),
]  # fmt: skip
_LETTER_NOTES: Final = [
    Inline("<sup>a</sup>", "[a]"), Inline("<sup>ab</sup>", "[a,b]"),
    Inline("<sup>a</sup><sup>b</sup>", "[a,b]"),
    Inline("<sup>a–b</sup>", "[a–b]"), Inline("<sup>a,b</sup>", "[a,b]"), Inline("<sup>*a</sup>", "*[a]"),
    Inline("<sup>*</sup><sup>a</sup>", "*[a]"),
]  # fmt: skip


@st.composite
def cells(draw: st.DrawFn) -> Inline:
    """The text of a cell: a value with notes, a power with or without notes, or an isotope."""
    part = draw(st.sampled_from((valued, powered, isotopes)))
    return draw(part())


def isotopes() -> st.SearchStrategy[Inline]:
    return st.sampled_from(_ISOTOPES)


@st.composite
def valued(draw: st.DrawFn) -> Inline:
    """A value with notes."""
    value, note = draw(st.sampled_from(_NO_POWERS)), draw(st.sampled_from(_NUMBER_NOTES + _LETTER_NOTES))
    closing = ")" if "(" in value.markup else ""
    return Inline(f"{value.markup}{note.markup}{closing}", f"{value.text}{note.text}{closing}")


@st.composite
def powered(draw: st.DrawFn) -> Inline:
    """A power and notes, in one superscript with a comma, in one without, or in two."""
    power = draw(st.sampled_from(_POWERS_OPEN))
    way = draw(st.sampled_from(("", "comma", "glued", "elements")))
    if way == "":
        return Inline(f"{power.markup}</sup>", power.text)
    if way == "comma":
        label = draw(st.sampled_from(("1", "3", "a", "a,b")))
        return Inline(f"{power.markup},{label}</sup>", f"{power.text},[{label}]")
    if way == "glued":
        label = draw(st.sampled_from(("a", "b", "a,b")))
        return Inline(f"{power.markup}{label}</sup>", f"{power.text}[{label}]")
    is_sign = power.markup.endswith("+")
    note = draw(st.sampled_from(_LETTER_NOTES[:5] if is_sign else _NUMBER_NOTES[:1] + _LETTER_NOTES[:5]))
    return Inline(f"{power.markup}</sup>{note.markup}", f"{power.text}{note.text}")
