"""Signs that fonts give under other codes than Unicode's, and the mark for those without a meaning.

Comes in: a code that PDFium gives, and the name of the font. Leaves: the character, or UNMAPPED where
nothing gives it. Known are ligatures, the Symbol font's own encoding (ISO 32000-1, annex D.5) in the
private use area or as plain codes, and the Coptic letters and control pictures that old fonts of
mathematical signs are given as.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LIGATURES", "UNMAPPED", "is_symbol_font", "sign_of"]

UNMAPPED: Final = "\ufffd"
"""Stands for a glyph whose font names no Unicode value."""
LIGATURES: Final = {
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xFB05: "st",
    0xFB06: "st",
}
_GREEK: Final = dict(
    zip(
        b"ABGDEZHQIKLMNXOPRSTUFCYWabgdezhqiklmnxoprsVtufcywJjv",
        "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρσςτυφχψωϑϕϖ",
        strict=True,
    )
)
_SYMBOL: Final = {
    **{code: chr(code) for code in b" !#%&()+,./0123456789:;<=>?[]_{|}"},
    **_GREEK,
    0x22: "∀",
    0x24: "∃",
    0x27: "∋",
    0x2A: "∗",
    0x2D: "−",
    0x40: "≅",
    0x5C: "∴",
    0x5E: "⊥",
    0x7E: "∼",
    **dict(
        zip(
            range(0xA1, 0xC0),
            "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵",
            strict=True,
        )
    ),
    **dict(
        zip(
            range(0xC0, 0xE0),
            "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓",
            strict=True,
        )
    ),
    0xE0: "◊",
    0xE1: "〈",
    0xE5: "∑",
    0xF1: "〉",
    0xF2: "∫",
}
_MATHEMATICAL_PI: Final = {
    **dict(zip(range(0x3E9, 0x3F0), "+−×÷=±∓", strict=True)),
    0x3FD: "<",
    0x3FE: ">",
    0x3F3: "~",
    **dict(zip(range(0x2423, 0x2428), "αβγδε", strict=True)),
    0x242A: "θ",
    0x242C: "κ",
    0x242D: "λ",
    0x242E: "μ",
}
"""Codes of Mathematical Pi in old PDFs; journals have neither Coptic letters nor pictures of controls."""


def is_symbol_font(name: str) -> bool:
    """Whether a base font name is one of Adobe's Symbol font, in any subset or style."""
    plain = name.rpartition("+")[2].casefold()
    return plain.startswith(("symbol", "standardsymbols"))


def sign_of(code: int, symbol_font: bool, unknown: bool) -> str:
    """The characters of a code; `unknown` if its font gives it no Unicode value.

    UNMAPPED for what has no meaning.
    """
    if symbol_font and (unknown or 0xF000 <= code < 0xF100):
        return _SYMBOL.get(code & 0xFF, UNMAPPED)
    if unknown or code < 0x20 or 0xD800 <= code < 0xF900 or code == 0xFFFD or code > 0x10FFFF:
        return UNMAPPED
    if code in _MATHEMATICAL_PI:
        return _MATHEMATICAL_PI[code]
    return " " if code in (0x20, 0xA0) else LIGATURES.get(code) or chr(code)
