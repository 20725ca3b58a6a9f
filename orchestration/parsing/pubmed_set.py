"""Finds the articles of a PubMed or PMC set by their tags, without parsing the set.

Comes in: the bytes of a UTF-8 set. Leaves: one stretch an article with what is wrong with it, if anything.
Comments and CDATA are stepped over. No more than one article is held at a time.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import BinaryIO, Final

from orchestration.parsing.byte_stream import GrowingStretch, Stretch, chunks

_MARK = rb"<!--|<!\[CDATA\[|<(?P<end>/?)(?P<name>%b)(?P<gap>[\s/>])"
PUBMED: Final = re.compile(_MARK % rb"Pubmed(?:Book)?Article(?P<set>Set)?")
PMC: Final = re.compile(_MARK % rb"(?P<set>pmc-articleset)|article")
"""Tags of the articles of a set, and of the set."""

_ENDS = {b"<!--": re.compile(rb"-->"), b"<![CDATA[": re.compile(rb"\]\]>")}
_LONGEST_MARK = 32
_CUT = "the file ends inside this article. It is cut off; fetch it again."
_NO_END = "another article begins before this one ends. Fetch the set again."
_OPEN_SET = "the set has no end, so articles may be missing. The file is cut off; fetch it again."


def article_pieces(
    head: bytes, stream: BinaryIO, limit: int, tags: re.Pattern[bytes] = PUBMED
) -> Iterator[tuple[Stretch, str]]:
    """Articles in order, each with '' or what is wrong with it."""
    finder = _ArticleFinder(limit, tags)
    buffer, position = head, 0
    for chunk in chunks(stream):
        used = yield from finder.scan(buffer, position, final=False)
        buffer, position = buffer[used:] + chunk, position + used
    yield from finder.scan(buffer, position, final=True)
    yield from finder.end(position + len(buffer))


class _ArticleFinder:
    def __init__(self, limit: int, tags: re.Pattern[bytes]) -> None:
        self._limit = limit
        self._tags = tags
        self._article: GrowingStretch | None = None
        self._set_open = False
        self._until: re.Pattern[bytes] | None = None

    def scan(self, buffer: bytes, position: int, *, final: bool) -> Generator[tuple[Stretch, str], None, int]:
        """Read what is certain of `buffer`, which starts at byte `position`; returns how much that was.

        The last bytes may be the beginning of a tag and are left for the next call unless `final`.
        """
        at = kept = 0
        while True:
            mark = (self._until or self._tags).search(buffer, at)
            if mark is None:
                break
            at = mark.end()
            if self._until is not None:
                self._until = None
            elif mark.group() in _ENDS:
                self._until = _ENDS[mark.group()]
            elif mark["set"]:
                self._set_open = not mark["end"]
            elif mark["end"]:
                close = buffer.find(b">", mark.start("gap"))
                at = close + 1 if close >= 0 else len(buffer)
                if self._article is not None:
                    self._article.add(buffer[kept:at])
                    yield self._article.finished(), ""
                    self._article = None
                kept = at
            else:
                if self._article is not None:
                    self._article.add(buffer[kept : mark.start()])
                    yield self._article.finished(), _NO_END
                self._article = GrowingStretch(position + mark.start(), self._limit)
                kept = mark.start()
        used = len(buffer) if final else max(at, kept, len(buffer) - _LONGEST_MARK)
        if self._article is not None:
            self._article.add(buffer[kept:used])
        return used

    def end(self, length: int) -> Iterator[tuple[Stretch, str]]:
        """What the end of the file leaves open."""
        if self._article is not None:
            yield self._article.finished(), _CUT
        elif self._set_open:
            yield Stretch(length, 0, b""), _OPEN_SET
