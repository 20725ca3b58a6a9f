"""The parts of one name of a person: prefix, given names, surname, suffix, each with all of its words.

Input: a `name` or `string-name`, whose parts may repeat and have words between them. Output: the parts. Words
between them belong to the part that they stand at: 'van der' and 'al-' to the surname behind them, 'Q.' to
the given name before it, ', MD' to the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.names import bare_name, without_marks
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import node_text
from orchestration.parsing.xml.trees import local_name

__all__ = ["PersonName", "parts_of_name"]

_HONORIFIC: Final = re.compile(
    r"(?:dr|dra|prof|professor|mr|mrs|ms|mx|sir|dame|lord|lady|rev|hon|miss|madam)\b", re.IGNORECASE
)
_PARTS: Final = frozenset({"prefix", "given-names", "surname", "suffix"})
_BESIDE: Final = frozenset({"degrees"})
_AROUND: Final = " \t\r\n,;"
_JOINING: Final = ("-", "‐", "‑", "'", "’", "ʼ")

_Chunk = tuple[str, str]
"""The name of a part, '' for words between parts, and its text."""


@dataclass(frozen=True, slots=True)
class PersonName:
    """The parts of a name, '' where there is none; `whole` is a name without parts."""

    whole: str = ""
    honorific: str = ""
    prefix: str = ""
    """Particles of the surname: 'van der'."""
    given_names: str = ""
    surname: str = ""
    suffix: str = ""

    def inverted(self, *, with_honorific: bool = False) -> str:
        """'van der Berg Ann Jr'."""
        honorific = self.honorific if with_honorific else ""
        return self._joined(honorific, self.prefix, self.surname, self.given_names, self.suffix)

    def printed(self) -> str:
        """'Sir Ann van der Berg Jr'."""
        return self._joined(self.honorific, self.given_names, self.prefix, self.surname, self.suffix)

    def _joined(self, *parts: str) -> str:
        return self.whole or bare_name(one_line(" ".join(filter(None, parts))))


def parts_of_name(name: etree._Element, *, keep_links: bool = False) -> PersonName:
    """The parts of a `name` or `string-name`, without marks; links and notes stay with `keep_links`."""
    name = without_marks(name, keep_links=keep_links)
    chunks = list(_chunks(name, keep_links=keep_links))
    if not {"surname", "given-names"} & {part for part, _ in chunks}:
        return PersonName(whole=bare_name(parts_text(name, with_marks=keep_links)))
    words = _by_part(chunks)
    prefixes = words["prefix"]
    honorifics = [prefix for prefix in prefixes if _is_honorific(prefix)]
    return PersonName(
        honorific=" ".join(honorifics),
        prefix=" ".join(prefix for prefix in prefixes if prefix not in honorifics),
        given_names=" ".join(words["given-names"]),
        surname=" ".join(words["surname"]),
        suffix=" ".join(words["suffix"]),
    )


def _is_honorific(prefix: str) -> bool:
    """Whether a prefix is none of the particles of a surname, which are small: 'von', 'de la'."""
    return not prefix[:1].islower() or _HONORIFIC.match(prefix) is not None


def _chunks(name: etree._Element, *, keep_links: bool) -> Iterator[_Chunk]:
    """Parts and the texts between them, in order; parts inside of other elements too."""
    yield "", name.text or ""
    for child in name:
        part = local_name(child)
        if part in _PARTS:
            yield part, bare_name(parts_text(child, with_marks=keep_links))
        elif any(local_name(inner) in _PARTS for inner in child.iterdescendants()):
            yield from _chunks(child, keep_links=keep_links)
        elif part not in _BESIDE:
            yield "", node_text(child)
        yield "", child.tail or ""


def _by_part(chunks: list[_Chunk]) -> Mapping[str, list[str]]:
    """The words of each part; words between parts go to one of them, hyphens and apostrophes too."""
    words: dict[str, list[str]] = {part: [] for part in _PARTS}
    merged = _merged(chunks)
    joint: str | None = None
    for number, (part, text) in enumerate(merged):
        before = merged[number - 1][0] if number else ""
        after = merged[number + 1][0] if number + 1 < len(merged) else ""
        bare = text.strip(_AROUND)
        if part:
            _append(words[part], text, joint)
            joint = None
        elif not any(map(str.isalnum, bare)):
            joint = bare if before == after and text in _JOINING else None
        elif before and text[0] not in _AROUND:
            _append(words[before], bare, "")
            joint = None
        else:
            is_glued = text[-1] not in _AROUND
            target = _part_of_words(bare, before, after, is_glued=is_glued)
            words[target].append(bare)
            joint = "" if is_glued and target == after else None
    return words


def _append(words: list[str], text: str, joint: str | None) -> None:
    """Add words to a part: to the last ones with `joint` between them, as separate ones if it is None."""
    if joint is not None and words:
        words[-1] += f"{joint}{text}"
    elif text:
        words.append(text)


def _merged(chunks: list[_Chunk]) -> list[_Chunk]:
    """The chunks with the texts that are next to each other as one; empty ones are left out."""
    merged: list[_Chunk] = []
    for part, text in chunks:
        if not part and merged and not merged[-1][0]:
            merged[-1] = ("", merged[-1][1] + text)
        elif text:
            merged.append((part, text))
    return merged


def _part_of_words(words: str, before: str, after: str, *, is_glued: bool) -> str:
    """The part that words between two parts belong to."""
    if after == "surname" and (is_glued or words[:1].islower()):
        return "surname"
    if not before and _HONORIFIC.match(words):
        return "prefix"
    return "given-names" if after in ("surname", "given-names") else "suffix"
