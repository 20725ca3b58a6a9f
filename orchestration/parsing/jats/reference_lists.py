"""Which part of an article a reference list belongs to.

Comes in: the entries of an article in order. Leaves: the heading of the part whose marks an entry answers: an
article inside the article, an appendix, a box or a section with its own list. Each of these numbers its
entries from 1, so a label alone does not name an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from lxml import etree

from orchestration.parsing.jats.titles import numbered, part_heading
from orchestration.parsing.xml.trees import local_name

Part = etree._Element | None

BETWEEN_PARTS: Final = " > "
_PARTS = frozenset({"app", "boxed-text", "response", "sub-article"})
_INNER_ARTICLES = ("{*}sub-article", "{*}response")
_USUAL = {"app": "Appendix"}


class ReferenceLists:
    """The parts of one article, and what their lists hold so far."""

    def __init__(self, headings: Mapping[etree._Element, str]) -> None:
        """`headings` are those of the articles inside."""
        self._inner = headings.keys()
        self._headings: dict[etree._Element, str] = {}
        self._part_by_list: dict[Part, Part] = {}
        self._used: Counter[str] = Counter()
        self._first_list: dict[tuple[Part, str], Part] = {}
        self._texts: dict[tuple[Part, str], str] = {}
        self._without_label: set[tuple[Part, str]] = set()
        for inner, heading in headings.items():
            self._headings[inner] = self._behind_inner_article(inner, heading)

    def place(self, entry: etree._Element, label: str, text: str) -> tuple[str | None, bool]:
        """The heading of an entry's part, None for the article; whether an article around has the entry."""
        part = self._part_around(entry)
        if part in self._inner and self._is_repeated(part, label, text):
            return None, True
        if label:
            around = next(reversed(list(entry.iterancestors("{*}ref-list"))), None)
            first = self._first_list.setdefault((part, label), around)
            part = part if first is around else around  # a second list of one part that starts again
            self._texts.setdefault((part, label), text)
        else:
            self._without_label.add((part, text))
        return self._heading(part) if part is not None else None, False

    def _part_around(self, entry: etree._Element) -> Part:
        """The part of an entry; entries of one list are in one part."""
        around = entry.getparent()
        if around not in self._part_by_list:
            self._part_by_list[around] = _part_of(entry)
        return self._part_by_list[around]

    def _is_repeated(self, part: Part, label: str, text: str) -> bool:
        """Whether a mark in `part` finds this very entry in an article around it."""
        assert part is not None
        for above in (*part.iterancestors(*_INNER_ARTICLES), None):
            if not label and (above, text) in self._without_label:
                return True
            if label and (above, label) in self._texts:
                return (part, label) not in self._texts and self._texts[above, label] == text
        return False

    def _heading(self, part: etree._Element) -> str:
        """The heading of a part, behind those of the articles inside that it is in: 'Reply > Appendix'.

        It is numbered where an earlier part has the same.
        """
        if part not in self._headings:
            own = part_heading(part) or _USUAL.get(local_name(part), "References")
            heading = self._behind_inner_article(part, own)
            self._used[heading] += 1
            self._headings[part] = numbered(heading, self._used[heading])
        return self._headings[part]

    def _behind_inner_article(self, part: etree._Element, heading: str) -> str:
        inner = next(part.iterancestors(*_INNER_ARTICLES), None)
        return heading if inner is None else f"{self._headings[inner]}{BETWEEN_PARTS}{heading}"


def _part_of(entry: etree._Element) -> Part:
    """The innermost part around an entry that may have its own list; None for the article itself."""
    for above in entry.iterancestors():
        name = local_name(above)
        if name == "article":
            return None
        if name in _PARTS or (name == "sec" and _has_more_than_a_list(above)):
            return above
    return None


def _has_more_than_a_list(section: etree._Element) -> bool:
    """Whether a section of a body is a text with a list: an abstract of a conference, a chapter."""
    in_body = next(section.iterancestors("{*}body"), None) is not None
    return in_body and any(local_name(child) not in ("label", "title", "ref-list") for child in section)
