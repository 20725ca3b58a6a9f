"""Words split at the end of a line: joined, with the hyphen kept only where it belongs to the word.

Comes in: lines. Leaves: one text. 'treat-' + 'ment' is 'treatment' unless the document itself writes
'treat-ment' within a line. What the document does not show, `compounds` decides: 'double-blind' and
'β-blocker' are written so. A hyphen before a capital or a number stays, and so
does one after a number. Web addresses, DOIs, numbers of registrations, ranges and units with a stroke are
put together without a blank.

"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from orchestration.pdf.text_layer.compounds import keeps_hyphen

__all__ = ["Vocabulary", "joined_lines"]

SOFT_HYPHEN: Final = "\u00ad"
HYPHENS: Final = f"-‐{SOFT_HYPHEN}"
MAX_WORD: Final = 60
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_WORD_END = re.compile(r"(?<!\w)\w++(?:[-‐]\w++)*$")
_FIRST = re.compile(r"\w{1,60}(?:[-‐]\w{1,60})*")
_ADDRESS = re.compile(r"(?:https?://|www\.|doi\.org/|doi:|^10\.\d{4,9}/)\S*$", re.IGNORECASE)
_ADDRESS_REST = re.compile(r"(?![A-Z][a-z]+[\s.,]|[\d.,]+(?:\s|$))[\w()]+[./_=-][\w./_=()-]*(?:[\s,;]|$)")
_ADDRESS_END = re.compile(r"[a-z\d]++[.,;]?(?:\s|$)")
"""What may follow an address that ends with a dot, a stroke or the beginning of a DOI."""


_DIGITS = re.compile(r"\d[\d-]*")
_REGISTRATION = re.compile(
    r"(?:NCT|ISRCTN|DRKS)\d{8}|UMIN\d{9}|ACTRN\d{14}|KCT\d{7}|ChiCTR\d{10}|\d{4}-\d{6}-\d{2}"
)
"""Numbers of trial registries, the last one of EudraCT."""


class Vocabulary:
    """The words of a document as they appear within its lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: Counter[str] = Counter()
        for line in lines:
            words = [match.group() for match in _WORD.finditer(line)]
            if line.rstrip().endswith(tuple(HYPHENS)):
                words = words[:-1]
            self._words.update(word.casefold().replace("‐", "-") for word in words)

    def is_compound(self, first: str, second: str) -> bool:
        """Whether the document writes these two with a hyphen rather than as one word.

        If it has neither elsewhere, general rules decide.
        """
        begin, end = first.casefold().replace("‐", "-"), second.casefold().replace("‐", "-")
        parted, whole = self._words[f"{begin}-{end}"], self._words[begin + end]
        if parted or whole:
            return parted > whole
        return "-" in end or keeps_hyphen(first.replace("‐", "-"), end, self._words)


def joined_lines(lines: Sequence[str], vocabulary: Vocabulary) -> str:
    """The text of consecutive lines."""
    parts: list[str] = []
    last = ""
    for line in lines:
        if parts:
            length, separator = _joint(last, line, vocabulary)
            parts[-1] = parts[-1][: len(parts[-1]) - len(last) + length]
            parts.append(separator)
        parts.append(line)
        last = line.rpartition(" ")[2]
    return "".join(parts)


def _joint(last: str, line: str, vocabulary: Vocabulary) -> tuple[int, str]:
    """The number of characters of a line's last word to keep, and the separator before the next line."""
    before = last[:-1]
    if _ADDRESS.search(last) and _address_goes_on(last, line):
        return len(last), ""
    if _goes_on_in_word(last, line):
        return len(last), ""
    if not last.endswith(tuple(HYPHENS)) or not before or not before[-1].isalnum():
        return len(last), " "
    first = _FIRST.match(line)
    if first is None:
        return len(last), ""
    word = _WORD_END.search(before[-MAX_WORD:])
    parted = before[-1].isalpha() and line[0].islower() and word is not None
    if last.endswith(SOFT_HYPHEN) or (
        parted and word is not None and not vocabulary.is_compound(word.group(), first.group())
    ):
        return len(before), ""
    return len(last), ""


def _goes_on_in_word(last: str, line: str) -> bool:
    """Whether the line continues a range, a unit with a stroke or the number of a registration."""
    if (last[-1:] == "–" and last[-2:-1].isdigit() and line[:1].isdigit()) or (
        last[-1:] == "/" and last[-2:-1].isalnum() and line[:1].isalnum()
    ):
        return True
    rest = _DIGITS.match(line)
    return rest is not None and _REGISTRATION.fullmatch(last.lstrip("([") + rest.group()) is not None


def _address_goes_on(last: str, line: str) -> bool:
    cut = last.endswith((".", "/", "-", "_", "=", "doi.org/1", "doi:1"))
    return bool(_ADDRESS_REST.match(line) or (cut and _ADDRESS_END.match(line)))
