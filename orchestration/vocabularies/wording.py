"""Whether two names say the same in other words: inflections, spellings, and general words for diseases.

Comes in: names as `names.name_keys` writes their words, and names as written. Leaves: yes or no. A
content word in place of another makes another concept: gallbladder cancer is no bladder cancer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from orchestration.contracts import folded_text
from orchestration.vocabularies.names import JOINING_WORDS, name_keys

__all__ = [
    "are_initials",
    "is_narrower",
    "is_short_form",
    "is_strict",
    "is_symbol",
    "is_written_as",
    "letter_count",
    "one_explains",
    "says_the_same",
]

MOST_LETTERS: Final = 6
"""Letters and digits of a name in capitals that may be an abbreviation."""
MOST_DIGITS: Final = 1
"""Digits of an abbreviation; a name with more is a code that nothing else has: MK-801."""
MOST_OF_ANY_CASE: Final = 2
"""Letters and digits of a name that is as good as an abbreviation however it is written: Na, no."""
MOST_STRICT: Final = 4
"""Letters and digits of an abbreviation that is taken only in the case in which it is written."""
LEAST_STEM: Final = 4
LEAST_MISSPELT: Final = 9
"""Letters of a word in which one letter may differ: shorter ones are other words (nitrate, nitrite)."""

_WORDS: Final = frozenset(
    (
        *("am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "no"),
        *("of", "oh", "on", "or", "so", "to", "up", "us", "we"),
    )
)
_DEGREES: Final = frozenset(
    (
        *("severe", "mild", "moderate", "fatal", "advanced", "metastatic", "recurrent", "unilateral"),
        *("bilateral", "sporadic", "hereditary", "inherited", "familial", "premature"),
    )
)
"""Words that say how severe, far or frequent a disease is, and that annotators leave out of its concept."""
_HEADS: Final = frozenset(
    (
        *("disease", "disorder", "syndrome", "illness", "condition", "complication", "disturbance"),
        *("dysfunction", "impairment", "impaired", "function", "abnormality", "abnormal", "anomaly"),
        *("problem", "defect", "deficit", "symptom"),
    )
)
"""Words that say that a name is of a disease, and not of which."""
_ENDINGS: Final = tuple(
    sorted(
        (
            *("ency", "ent", "ence", "icity", "ical", "ic", "tic", "sis", "ity", "al", "ive", "ion"),
            *("ia", "ial", "ous", "y", "es", "e", "ed", "ing", "ism"),
        ),
        key=len,
        reverse=True,
    )
)
_CHEMICAL_ENDINGS: Final = ("ate", "ite", "ide", "ine", "one", "ol")
"""Endings whose letters distinguish substances: phosphate, phosphite."""
_SYNONYMS: Final = {
    word: row[0]
    for row in (
        ("renal", "kidney"),
        ("hepatic", "liver"),
        ("cardiac", "heart"),
        ("pulmonary", "lung"),
        ("cerebral", "brain"),
        ("gastric", "stomach"),
        ("ocular", "eye"),
        ("neoplasm", "neoplastic", "cancer", "cancerous", "tumor", "malignancy"),
        ("hemorrhage", "hemorrhagic", "bleeding", "bleed"),
        ("injury", "damage"),
        ("stone", "calculus", "calculi"),
        ("muscle", "muscular"),
        ("skin", "cutaneous"),
        ("intestinal", "bowel", "intestine"),
        ("fever", "pyrexia"),
        ("ventricular", "ventricle"),
        ("seizure", "convulsion"),
    )
    for word in row
}
"""Words that are taken for the first of their row."""
_LETTERS: Final = re.compile(r"[^\W_]")


def is_short_form(name: str) -> bool:
    """Whether a name looks like an abbreviation: few characters, all in capitals but a plural's s, or two."""
    letters = _letters(name)
    if len(letters) <= MOST_OF_ANY_CASE:
        return True
    stem = letters.removesuffix("s")
    if sum(map(str.isdigit, stem)) > MOST_DIGITS:
        return False
    return len(stem) <= MOST_LETTERS and stem.upper() == stem and any(map(str.isalpha, stem))


def is_strict(name: str) -> bool:
    """Whether a name is so short a form that in another case it is another word: AIDS, NO, Na."""
    return is_short_form(name) and letter_count(name) <= MOST_STRICT


def is_symbol(name: str) -> bool:
    """Whether a name is a capital and a small letter, and no word that may start a sentence."""
    return len(name) == 2 and name.istitle() and name.isalpha() and name.casefold() not in _WORDS


def is_written_as(name: str, other: str) -> bool:
    """Whether two names have the same letters and digits in the same case, but for a plural's s."""
    return _letters(name).removesuffix("s") == _letters(other).removesuffix("s")


def letter_count(name: str) -> int:
    """Number of letters and digits, without a plural's s after capitals: SNPs has three."""
    letters = _letters(name)
    return len(letters) - (letters.endswith("s") and letters[:-1].isupper() and len(letters) > 2)


def are_initials(short: str, name: str) -> bool:
    """Whether a short form has exactly the first letters of a name's words: ALF, acute liver failure."""
    letters = _letters(short).casefold()
    words = name_keys(name).words.split()
    content = [word for word in words if word not in JOINING_WORDS]
    return letters in ("".join(word[0] for word in each) for each in (words, content))


def says_the_same(words: str, other: str) -> bool:
    """Whether each content word of a mention is one of the other name in another form, and the reverse.

    The other name may have a word such as disease in addition, the mention may not: frontal lobe syndrome is
    no frontal lobe.
    """
    content, others = _content(words), _content(other)
    heads = [word in _HEADS for word in words.split()]
    if any(heads) and not any(word in _HEADS for word in other.split()):
        return False
    return bool(content and others) and _all_in(content, others) and _all_in(others, content)


def is_narrower(words: str, other: str) -> bool:
    """Whether a mention has all content words of another name, two at least, the last one last, and more."""
    content, others = _content(words), _content(other)
    is_long = len(others) > 1
    return (
        is_long and _is_same_word(content[-1], others[-1]) and _all_in(others, content) if content else False
    )


def one_explains(words: str, other: str) -> bool:
    """Whether one of two names has all content words of the other: hereditary hemochromatosis gene."""
    content, others = _content(words), _content(other)
    return bool(content and others) and (_all_in(content, others) or _all_in(others, content))


def _letters(name: str) -> str:
    return "".join(_LETTERS.findall(folded_text(name)))


def _content(words: str) -> list[str]:
    without = _HEADS | _DEGREES | JOINING_WORDS
    return [word for word in words.split() if word not in without]


def _all_in(words: Sequence[str], others: Sequence[str]) -> bool:
    return all(any(_is_same_word(word, other) for other in others) for word in words)


@lru_cache(maxsize=65536)
def _is_same_word(word: str, other: str) -> bool:
    if word == other:
        return True
    if not (word.isalpha() and other.isalpha()):
        return False
    word, other = _SYNONYMS.get(word, word), _SYNONYMS.get(other, other)
    return _stem(word) == _stem(other) or _is_misspelt(word, other)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= LEAST_STEM:
            return word[: -len(ending)]
    return word


def _is_misspelt(word: str, other: str) -> bool:
    """One letter left out, added or replaced, or two exchanged, after the first and not in the ending."""
    shorter, longer = sorted((word, other), key=len)
    if len(shorter) < LEAST_MISSPELT or len(longer) - len(shorter) > 1 or word[0] != other[0]:
        return False
    ending, other_ending = (
        next((each for each in _CHEMICAL_ENDINGS if each_word.endswith(each)), "")
        for each_word in (word, other)
    )
    if ending and other_ending and ending != other_ending:
        return False
    place = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    rest, longer_rest = shorter[place:], longer[place:]
    return longer_rest[1:] in (rest, rest[1:]) or (
        rest[:2] == longer_rest[1::-1] and rest[2:] == longer_rest[2:]
    )
