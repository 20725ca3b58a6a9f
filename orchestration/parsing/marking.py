"""Marks in the values of a record, so that a document knows where each value stands in its text.

Input: a record's values. Output: the same values between two marks, which every rendering (labels, lists,
tables) carries along, and which the document's builder takes out again when it writes a block: what stood
between them becomes an annotation. The first place where a value is written counts.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestration.records import Annotation

__all__ = ["Marks"]

_OPEN, _SEPARATOR, _CLOSE = "\ufdd0", "\ufdd1", "\ufdd2"
"""Noncharacters of Unicode: no text that is exchanged has them."""
_BRACKETS: Final = re.compile(f"[{_OPEN}{_CLOSE}]")


@dataclass(frozen=True, slots=True)
class _Mark:
    kind: str
    annotation_id: str
    identifiers: tuple[str, ...]
    of: str | None
    attributes: Mapping[str, str]


@dataclass(slots=True)
class Marks:
    """The marked values of one record; a secret separates marks from the same characters in the record."""

    _secret: str = field(default_factory=lambda: secrets.token_hex(6))
    _marks: list[_Mark] = field(default_factory=list)
    _written: set[int] = field(default_factory=set)

    def mark(
        self,
        value: str,
        kind: str,
        annotation_id: str,
        *,
        of: str | None = None,
        identifiers: Sequence[str] = (),
        **attributes: str,
    ) -> str:
        """The first line of `value` between marks; what follows it as it is. '' stays ''."""
        first, line_end, rest = value.partition("\n")
        if not first.strip():
            return value
        filled = {name: text for name, text in attributes.items() if text}
        self._marks.append(_Mark(kind, annotation_id, tuple(identifiers), of, filled))
        number = len(self._marks) - 1
        name = f"{self._secret}{number}{_SEPARATOR}"
        return f"{_OPEN}{name}{first.strip()}{_CLOSE}{name}{line_end}{rest}"

    def plain(self, text: str) -> str:
        """The text without marks."""
        return self._pattern.sub("", text) if _BRACKETS.search(text) else text

    def take(self, text: str, start: int) -> tuple[str, list[Annotation]]:
        """The text without marks, and the annotations of values that it is the first to show.

        `start` is the position of the text in its document.
        """
        if not _BRACKETS.search(text):
            return text, []
        pieces: list[str] = []
        length, position = start, 0
        opened: dict[int, int] = {}
        annotations: list[Annotation] = []
        for match in self._pattern.finditer(text):
            pieces.append(text[position : match.start()])
            length += match.start() - position
            position = match.end()
            number = int(match[2])
            if match[1] == _OPEN:
                opened[number] = length
            elif number in opened and number not in self._written and opened[number] < length:
                self._written.add(number)
                annotations.append(_annotation(self._marks[number], opened.pop(number), length))
        pieces.append(text[position:])
        return "".join(pieces), sorted(annotations, key=lambda each: (each.start_char, each.end_char))

    def not_written(self) -> list[str]:
        """Ids of the marked values that no text has shown."""
        numbers = range(len(self._marks))
        return [self._marks[number].annotation_id for number in numbers if number not in self._written]

    @property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(f"([{_OPEN}{_CLOSE}]){self._secret}(\\d+){_SEPARATOR}")


def _annotation(mark: _Mark, start: int, end: int) -> Annotation:
    return Annotation(
        annotation_id=mark.annotation_id,
        kind=mark.kind,
        start_char=start,
        end_char=end,
        identifiers=mark.identifiers,
        of=mark.of,
        attributes=dict(mark.attributes),
    )
