"""Finds the articles of an XML set (of PubMed, of PMC) by their tags, without parsing the set.

Comes in: the bytes of a UTF-8 set. Leaves: one range per article with its problem, if any.
Comments, CDATA and processing instructions are skipped. No more than one article is held at a time.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from orchestration.errors import MalformedDocumentError
from orchestration.parsing.byte_stream import GrowingStretch, Stretch, chunks
from orchestration.parsing.xml.trees import refuse_entities

_ENDS = {b"<!--": re.compile(rb"-->"), b"<![CDATA[": re.compile(rb"\]\]>"), b"<?": re.compile(rb"\?>")}
_LONGEST_MARK = 32
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["']""")
_UTF8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_CUT = "the file ends inside this article. It is cut off; fetch it again."
_NO_END = "another article begins before this one ends. Fetch the set again."
_OPEN_SET = "the set has no end, so articles may be missing. The file is cut off; fetch it again."


@dataclass(frozen=True, slots=True)
class SetTags:
    """The names of a set's elements and of the articles in it; no article may hold another of that name.

    `refusals` replace articles in the set; inside an article these names mean nothing.
    """

    articles: tuple[str, ...]
    sets: tuple[str, ...]
    refusals: tuple[str, ...] = ()

    def mark(self) -> re.Pattern[bytes]:
        """The kind of tag that begins or ends an article or the set."""
        articles, sets = "|".join(self.articles), "|".join(self.sets)
        refusals = "|".join(self.refusals) or "(?!)"
        return re.compile(
            rf"<!--|<!\[CDATA\[|<\?|<(?:{articles})(?=[\s/>])|</(?P<end>{articles})\s{{0,4}}>"
            rf"|<(?P<refusal>{refusals})(?=[\s/>])|</(?P<end_of_refusal>{refusals})\s{{0,4}}>"
            rf"|<(?P<end_of_set>/?)(?P<set>{sets})(?=[\s/>])".encode()
        )


def article_pieces(head: bytes, stream: BinaryIO, limit: int, tags: SetTags) -> Iterator[tuple[Stretch, str]]:
    """Yield articles in order, each with its problem or ''."""
    finder = _ArticleFinder(limit, tags)
    buffer, position = head, 0
    for chunk in chunks(stream):
        used = yield from finder.scan(buffer, position, final=False)
        buffer, position = buffer[used:] + chunk, position + used
    yield from finder.scan(buffer, position, final=True)
    yield from finder.end(position + len(buffer))


def check_prolog(head: bytes, uri: str) -> None:
    """Raise MalformedDocumentError if the set is not in UTF-8, UnsafeXmlError if it declares entities."""
    declared = _ENCODING.search(head[:300])
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        declared is not None and declared.group(1).lower() not in _UTF8
    ):
        raise MalformedDocumentError(
            f"{uri}: the set is not in UTF-8. Convert it: `xmllint --encode UTF-8 old.xml > new.xml`."
        )
    refuse_entities(head, uri)


class _ArticleFinder:
    def __init__(self, limit: int, tags: SetTags) -> None:
        self._limit = limit
        self._mark = tags.mark()
        self._article: GrowingStretch | None = None
        self._refusal = False
        self._set_open = False
        self._until: re.Pattern[bytes] | None = None

    def scan(self, buffer: bytes, position: int, *, final: bool) -> Generator[tuple[Stretch, str], None, int]:
        """Read the complete tags of `buffer`, which starts at byte `position`; returns the bytes read.

        The last bytes may be the start of a tag and are left for the next call unless `final`.
        """
        at = consumed = 0
        while True:
            mark = (self._until or self._mark).search(buffer, at)
            if mark is None:
                break
            at = mark.end()
            if self._until is not None:
                self._until = None
            elif mark.group() in _ENDS:
                self._until = _ENDS[mark.group()]
            elif mark["set"]:
                self._set_open = not mark["end_of_set"]
            elif (mark["refusal"] and self._article) or (mark["end_of_refusal"] and not self._refusal):
                continue
            elif mark["end"] or mark["end_of_refusal"]:
                if self._article is not None:
                    self._article.add(buffer[consumed:at])
                    yield self._article.finished(), ""
                    self._article = None
                self._refusal = False
                consumed = at
            else:
                if self._article is not None:
                    self._article.add(buffer[consumed : mark.start()])
                    yield self._article.finished(), _NO_END
                self._article = GrowingStretch(position + mark.start(), self._limit)
                self._refusal = bool(mark["refusal"])
                consumed = mark.start()
        used = len(buffer) if final else max(at, consumed, len(buffer) - _LONGEST_MARK)
        if self._article is not None:
            self._article.add(buffer[consumed:used])
        return used

    def end(self, length: int) -> Iterator[tuple[Stretch, str]]:
        """Report what the end of the file leaves open."""
        if self._article is not None:
            yield self._article.finished(), _CUT
        elif self._set_open:
            yield Stretch(length, 0, b""), _OPEN_SET
