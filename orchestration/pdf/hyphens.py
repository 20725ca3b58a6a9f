"""Words that the end of a line parted: put together, their hyphen kept only where it belongs to the word.

Comes in: lines. Leaves: one text. 'treat-' + 'ment' is 'treatment' unless the document itself writes
'treat-ment' within a line; a hyphen before a capital or a number stays, and so does one after a number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["Vocabulary", "joined_lines"]

HYPHENS: Final = "-‐\u00ad"
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_LAST = re.compile(r"([\w\-‐]*\w)[-‐\u00ad]$")
_FIRST = re.compile(r"\w+(?:[-‐]\w+)*")


class Vocabulary:
    """The words of a document as they stand within its lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: Counter[str] = Counter()
        for line in lines:
            found = [match.group() for match in _WORD.finditer(line)]
            if line.rstrip().endswith(tuple(HYPHENS)):
                found = found[:-1]
            self._words.update(word.casefold().replace("‐", "-") for word in found)

    def is_compound(self, first: str, second: str) -> bool:
        """Does the document write these two with a hyphen rather than as one word?

        Where it writes neither elsewhere, two words of their own ('paired', 'catchment') are a compound.
        """
        first, second = first.casefold().replace("‐", "-"), second.casefold().replace("‐", "-")
        parted, whole = self._words[f"{first}-{second}"], self._words[first + second]
        if parted or whole:
            return parted > whole
        both = self._words[first] and self._words[second]
        return "-" in second or bool(both and min(len(first), len(second)) >= 4)


def joined_lines(lines: Sequence[str], vocabulary: Vocabulary) -> str:
    """The text of lines that follow one another."""
    text = ""
    for line in lines:
        text = _continued(text, line, vocabulary) if text else line
    return text


def _continued(text: str, line: str, vocabulary: Vocabulary) -> str:
    last = _LAST.search(text)
    first = _FIRST.match(line)
    if last is None:
        return f"{text} {line}"
    if first is None:
        return text + line
    before = last.group(1)
    soft = text.endswith("\u00ad")
    parted = before[-1].isalpha() and line[0].islower()
    if soft or (parted and not vocabulary.is_compound(before, first.group())):
        return text[:-1] + line
    return text + line
