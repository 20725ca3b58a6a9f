"""Keys by which names of concepts are compared: the same for the index and for mentions.

Comes in: a name as written. Leaves: its keys. The text is folded first (`contracts.folded_text`: NFKC, signs,
Greek letters spelled out), without accents and in lower case. British spellings become American ones (ae and
oe are e, tumour is tumor), plurals lose their ending, and what separates words makes no difference.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from orchestration.contracts import folded_text

__all__ = ["JOINING_WORDS", "MOST_CHARACTERS", "NAMES_VERSION", "NameKeys", "name_keys", "written_alike"]

NAMES_VERSION: Final = 1
"""Changes whenever the keys of the same name change: indexes are then made again."""

MOST_CHARACTERS: Final = 500
"""Of a name; what follows is cut off."""

_WORD: Final = re.compile(r"[^\W_]+")
_POSSESSIVE: Final = re.compile(r"(?<=\w)'s\b")
JOINING_WORDS: Final = frozenset(
    ("of", "the", "and", "in", "with", "to", "by", "for", "a", "an", "on", "due", "type")
)
"""Words without which two names are still the same in any order."""
_PLURALS: Final = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("oses", "osis"), ("ases", "ase"), ("s", ""))
_SINGULAR: Final = ("ss", "us", "is", "ies")


class NameKeys(NamedTuple):
    """Keys of one name, from the strictest to the widest."""

    words: str
    """Normalised words in their order."""
    joined: str
    """The same without what separates them: FK 506 and FK-506 are fk506."""
    bag: str
    """The words of meaning in alphabetical order: diabetes mellitus, type 2."""


def written_alike(name: str) -> str:
    """The name in lower case with single blanks: equal for names that differ in nothing else."""
    return " ".join(folded_text(name).casefold().split())


@lru_cache(maxsize=65536)
def name_keys(name: str) -> NameKeys:
    """Keys of a name; all are empty for one without letters and digits."""
    text = _POSSESSIVE.sub("", folded_text(name[:MOST_CHARACTERS]).casefold())
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    words = [_normal(word) for word in _WORD.findall(text)]
    bag = sorted({word for word in words if word not in JOINING_WORDS}) or sorted(set(words))
    return NameKeys(" ".join(words), "".join(words), " ".join(bag))


def _normal(word: str) -> str:
    word = _singular(word)
    if len(word) > 4:
        word = (
            word.replace("ae", "e").replace("oe", "e").replace("isation", "ization").replace("ising", "izing")
        )
    return f"{word[:-2]}r" if len(word) > 5 and word.endswith("our") else word


def _singular(word: str) -> str:
    if len(word) < 4 or word[-1] != "s" or word.endswith(_SINGULAR[:3]):
        return word
    for ending, singular in _PLURALS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + singular
    return word
