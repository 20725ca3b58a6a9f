"""What is set high beside a word or number: citation marks apart from it, powers and charges with it.

Comes in: a word as stretches of characters, each on the line or raised. Leaves: its text. A citation or
note is in brackets, as the JATS parser writes one ('500[7]', 'mortality[12,13]'); a power of ten and a
power with a sign has a caret ('10^9', '10^-3'); exponents of units (m2), charges (Ca2+), ordinals (1st),
isotopes (18F) and what follows letters of one kind (R2, CD4+) are written as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["ASTERISKS", "POINTS", "SUPERSCRIPTS", "Stretch", "spelled", "takes_exponent"]


class Stretch(NamedTuple):
    """Characters of one word, on the line or above it."""

    text: str
    raised: bool


ASTERISKS: Final = frozenset("*∗")
POINTS: Final = ",;.:)"
"""What follows a mark, and never a mark that stands before its word."""
SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+−")
_TEN = re.compile(r"(?<![\d.,·])10$")
_TIMES = re.compile(r"[×xX*∗⋅·•]\s?(?:10)?$")
"""A sign of multiplication before, or with, a 10."""
_EXPONENT = re.compile(r"\d+(?:\.\d+)?")
MOST_EXPONENT: Final = 24
"""A larger whole number above a 10 that nothing is multiplied by is a citation."""
_FRACTION = re.compile(r"[/⁄]\d")
_SIGNED = re.compile(r"[-−–+]\d")
_CHARGE = re.compile(r"\d?[+−–-]{1,2}")
_NUMBERS = re.compile(r"\d{1,3}(?:\s*[,;–—−-]\s*(?:\d{1,3}|[*†‡§¶#‖]|[a-z](?![a-z])))*[*†‡§¶#‖]*[,;]?")
_LETTERS = re.compile(r"[a-z](?:\s*[,;]\s*(?:[a-z]|\d{1,3}|[*†‡§¶#‖]))*[*†‡§¶#‖]*[,;]?")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|e|ème|º|ª)")
_LENGTH = re.compile(r"(?:^|[\W\d_])(?:[kcmdnpµμf]?m|ft|s)$")
_UNIT = re.compile(
    r"(?:^|[\W\d_])(?:[kcmdnpµμf]?m|[kmµμn]?g|[mµμdc]?[lL]|m?s|sec|min|hr?|d|day|wk|yr|[kM]?Hz|[mk]?Pa|[mnµμ]?mol|k?J|M|K)$"
)
_AREA = re.compile(r"(?:/|1[.·]73\s?)m$|(?:^|[\W\d_])(?:[kcdmnµμ]m)$")
_SURFACE = re.compile(r"1[.·]73$")
_EXPONENT_AND_MARK = re.compile(rf"([23])[,;]?\s*({_NUMBERS.pattern})")
"""What follows a unit of area, its exponent and citations set high together: kg/m2[8,9]."""
_VARIABLE = re.compile(r"(?:^|[^\w])[A-Za-zα-ωΑ-Ω]$")
_ELEMENT = re.compile(
    r"(?:Ac|Al|Am|Ar|As|At|Ba|Be|Bi|Br|Ca|Cd|Ce|Cl|Co|Cr|Cs|Cu|Fe|Ga|Gd|Ge|He|Hg|Ho|In|Ir|Kr|La|Lu|Mg|Mn|Mo"
    r"|Na|Nb|Nd|Ne|Ni|Os|Pb|Pd|Pm|Po|Pt|Pu|Ra|Rb|Re|Rh|Rn|Ru|Sb|Sc|Se|Si|Sm|Sn|Sr|Tb|Tc|Te|Th|Ti|Tl|Tm|Xe|Zn|Zr"
    r"|B|C|F|H|I|K|N|O|P|S|U|V|W|Y)(?![a-z])"
)


def spelled(stretches: Sequence[Stretch], before: str = "") -> str:
    """The text of one word of which some stretches are raised; `before` is the word before it."""
    text = ""
    for number, (part, raised) in enumerate(stretches):
        if not raised:
            text += part
            continue
        following = stretches[number + 1].text if number + 1 < len(stretches) else ""
        if _FRACTION.match(following) and part.isdigit() and not _TEN.search(text):  # 5 1/2
            text += f" {part}" if text[-1:].isdigit() else part
        else:
            text += _after(text, part, following, before) if text else _before(part, following)
    return text


def takes_exponent(base: str, raised: str) -> bool:
    """Whether characters set high are the exponent of a 10 or unit, though there is room between the two."""
    plain = raised.translate(SUPERSCRIPTS)
    if _TEN.search(base):
        return _SIGNED.match(plain) is not None or _is_exponent_of_ten(base, plain, "")
    return bool(_LENGTH.search(base) or _UNIT.search(base)) and _is_power(base, plain, "")


def _after(base: str, raised: str, following: str, before: str) -> str:
    """Raised characters behind others."""
    plain = raised.translate(SUPERSCRIPTS)
    if base[-1:].isdigit():
        return _after_number(base, raised, plain, before)
    if _is_power(base, plain, following) or _CHARGE.fullmatch(plain):
        return raised
    area = _AREA.search(base) or (base == "m" and _SURFACE.search(before))
    if area and (both := _EXPONENT_AND_MARK.fullmatch(plain)):
        return both[1] + _set_apart(both[2])
    if _NUMBERS.fullmatch(plain) or _LETTERS.fullmatch(plain):
        return _set_apart(plain)
    return raised


def _is_exponent_of_ten(base: str, plain: str, before: str) -> bool:
    """Whether a number above a 10 is its exponent: any behind a sign of multiplication, else a small one."""
    if _EXPONENT.fullmatch(plain) is None or _TEN.search(base) is None:
        return False
    return float(plain) <= MOST_EXPONENT or bool(_TIMES.search(base) or _TIMES.search(before))


def _after_number(base: str, raised: str, plain: str, before: str) -> str:
    """Raised characters behind a digit: never such that they read as more digits of it."""
    if _SIGNED.match(plain) or _is_exponent_of_ten(base, plain, before):
        return f"^{plain}"
    if _NUMBERS.fullmatch(plain) or (_LETTERS.fullmatch(plain) and not _ORDINAL.fullmatch(plain)):
        return _set_apart(plain)
    return f"^{plain}" if plain[:1].isdigit() or plain[:1] in ".," else raised


def _is_power(base: str, plain: str, following: str) -> bool:
    """Whether it is the exponent of a unit or variable (m2, s-1, R2, χ2) or a position (N6-methyl)."""
    if _LENGTH.search(base) and plain in ("2", "3"):
        return True
    if _UNIT.search(base) and re.fullmatch(r"[−–-][1-4]", plain):
        return True
    if _VARIABLE.search(base) is None:
        return False
    position = following[:1] == "-" or following[:1].isalpha()
    return re.fullmatch(r"\d" if position else r"[234]|[−–-]\d|[inkmtx*]", plain) is not None


def _before(raised: str, following: str) -> str:
    """Raised characters at the beginning of a word: a mark before a name or note, or a mass number."""
    plain = raised.translate(SUPERSCRIPTS)
    isotope = re.fullmatch(r"\d{1,3}m?", plain) and _ELEMENT.match(following)
    if isotope or not (_NUMBERS.fullmatch(plain) or (_LETTERS.fullmatch(plain) and following[:1].isupper())):
        return raised
    return _set_apart(plain) + (" " if following[:1].isalnum() else "")


def _set_apart(mark: str) -> str:
    tail = mark[-1] if mark[-1] in ",;" else ""
    return f"[{mark.rstrip(',;')}]{tail}"
