"""Text as searches compare it: one spelling for what differs only in its encoding or typography.

Words, encoders and rerankers all read folded text, of documents and of queries, so that both sides of every
leg meet. Stored text stays as it is: `folded_parts` keeps the offsets. Folded are compatibility forms
(Unicode's NFKC: ligatures, full width, sub- and superscripts, presentation forms), invisible characters
(soft hyphens, zero width, direction marks), dashes and minus signs, quotes and primes, decimal points and
digits of all scripts. A Greek letter that stands as a symbol is spelled out, between hyphens where it
touches others: TNF\u03b1 is TNF-alpha. A micro sign before a unit is u. A raised number behind a number is
a power: 10^9. Words in Greek, and accents, stay. Source: https://www.unicode.org/reports/tr15/.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

__all__ = ["folded_parts", "folded_text"]

MARKS: Final = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f\uff9e\uff9f"
)
"""Characters that belong to the one before them; half-width voicing marks among them."""

JAMO: Final = "[\u1100-\u115f\ua960-\ua97c][\u1161-\u11a7\ud7b0-\ud7c6]+[\u11a8-\u11ff\ud7cb-\ud7fb]*"
"""A decomposed Hangul syllable."""

UNIT: Final = r"(?:g|m|l|L|M|mol|s|V|A|W|F|N|Ci|Sv|Gy|Eq|IU|U|Pa|S|kat)(?![^\W\d_])"
"""Units that take a micro sign."""

SYMBOL: Final = "[\u0386\u0388-\u03d6\u03f0\u03f1\u03f5\u00b5\u2206\u2126\U0001d6a8-\U0001d7cb]"
GREEK: Final = "[\u0370-\u0386\u0388-\u03ff\u1f00-\u1fff\u00b5\u2206\u2126\U0001d6a8-\U0001d7cb]"
PATTERN: Final = re.compile(
    rf"(?P<micro>[\u00b5\u03bc](?={UNIT}))"
    rf"|(?P<greek>(?<!{GREEK}){SYMBOL}[{MARKS}]*(?:{SYMBOL}[{MARKS}]*)?(?!{GREEK}))"
    r"|(?P<beta>(?<![^\W\d_A-Z])\u00df(?![^\W\d_]))"
    r"|(?P<power>(?<=[0-9])[\u207a\u207b]?[\u00b2\u00b3\u00b9\u2070\u2074-\u2079]+)"
    r"|(?P<fraction>(?<=[0-9])[\u00bc-\u00be\u2150-\u215e])"
    r"|(?P<point>(?<=\d)[\u00b7\u2022\u2024\u2027\u2219\u22c5\u066b](?=\d))"
    r"|(?P<apostrophe>(?<=[^\W\d_])[\u02b9\u02bb-\u02bd\u02c8](?=[^\W\d_]))"
    rf"|(?P<cluster>{JAMO}|[^\x00-\x7f][{MARKS}]*|[\x00-\x7f][{MARKS}]+|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f])"
)

LETTER_NAMES: Final = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
"""From alpha on, by code point; sigma has a form for the end of a word."""

SIGNS: Final[Mapping[str, str]] = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035\u00b4\u05f3\ua78c", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\u301f\u05f4", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2043\u2212\u058a\u05be\u02d7", "-"),
    **dict.fromkeys("\u2014\u2015\u2e3a\u2e3b\ufe31\ufe58", " - "),
    **dict.fromkeys("\u2122\u2120\u00a8\u00af\u00b8", " "),
    **dict.fromkeys("\u2044\u2215", "/"),
    "\u066c": ",",
}
"""What NFKC does not fold, or folds to something worse: a trade mark is no letter of its name."""

IGNORED: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Invisible characters that are not of the category of format characters."""


def folded_text(text: str) -> str:
    """Return the text as searches compare it; never fails, whatever the characters. Idempotent."""
    return text if text.isascii() and text.isprintable() else PATTERN.sub(_folded, text)


def folded_parts(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield (offset in `text`, folded characters, whether they stayed as they are) in order.

    Joined, the parts are `folded_text`.
    """
    end = 0
    for match in PATTERN.finditer(text):
        if match.start() > end:
            yield end, text[end : match.start()], True
        yield match.start(), _folded(match), False
        end = match.end()
    if end < len(text):
        yield end, text[end:], True


def _folded(match: re.Match[str]) -> str:
    characters = match.group()
    if match.lastgroup == "cluster":
        return _cluster(characters)
    if match.lastgroup == "micro":
        return "u"
    if match.lastgroup == "power":
        return "^" + unicodedata.normalize("NFKC", characters).replace("\u2212", "-")
    if match.lastgroup == "fraction":
        return " " + _cluster(characters)
    if match.lastgroup in ("greek", "beta"):
        return _spelled(match)
    return "." if match.lastgroup == "point" else "'"


def _spelled(match: re.Match[str]) -> str:
    """The names of Greek letters, with a hyphen to each letter or digit beside them."""
    text = match.string
    names = "-".join(_names(match.group()))
    before = "-" if match.start() and text[match.start() - 1].isalnum() else ""
    behind = "-" if match.end() < len(text) and text[match.end()].isalnum() else ""
    return f"{before}{names}{behind}" if names else _cluster(match.group())


def _names(letters: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", letters).replace("\u2206", "\u0394").replace("\u00df", "\u03b2")
    for letter in plain.lower():
        place = ord(letter) - 0x03B1
        if 0 <= place < len(LETTER_NAMES):
            yield LETTER_NAMES[place]


@lru_cache(maxsize=8192)
def _cluster(characters: str) -> str:
    """One character with its marks, folded; kept as it is where nothing of a letter would be left."""
    folded = "".join(map(_character, unicodedata.normalize("NFKC", SIGNS.get(characters, characters))))
    if len(folded) > 1 and folded[0] == " " and not folded.strip(" ").isalnum():
        folded = " " if all(unicodedata.combining(mark) for mark in folded[1:]) else folded
    had_letters = any(map(str.isalnum, characters))
    return characters if had_letters and not any(map(str.isalnum, folded)) else folded


def _character(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf" or IGNORED.match(character):
        return ""
    return " " if category in ("Cc", "Cs", "Zs", "Zl", "Zp") else character
