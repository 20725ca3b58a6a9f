"""Which pages of a PDF are damaged, so that their text cannot be trusted.

PDFium shows what it can of a broken stream, or nothing, and reports neither. Input: an open document, or
the characters of a page. Output: the streams that the text of each page needs, and whether they decode;
MalformedDocumentError where the page tree and its count of pages differ; whether characters are those of a
damaged page. A stream is sound if its Flate data decode to their end and to their checksum; one that ends
right before its checksum is sound too, as writers with a wrong Length exist. Streams of other filters have
no checksum. Images are not checked: no text depends on them.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from orchestration.pdf.text_layer.characters import BLANK, Character
from orchestration.pdf.text_layer.objects import Reference, Stream, WrittenPdf
from orchestration.pdf.text_layer.opening import broken

__all__ = ["PageStreams", "has_damaged_text", "streams_of_pages"]

PART: Final = 1 << 20
"""Bytes that are decoded at a time, and then dropped."""
MAX_DECODED: Final = 1 << 30
"""Bytes of one stream after which it counts as sound: PDFium's own limits are for it."""
BLANK_PAGE: Final = 500
"""Bytes, encoded, of the longest content stream that may show nothing."""
MAX_FORMS: Final = 50
"""Form XObjects in each other."""
UNCHECKED: Final = frozenset(
    {"LZWDecode", "LZW", "RunLengthDecode", "RL", "CCITTFaxDecode", "CCF", "DCTDecode", "DCT"}
    | {"JBIG2Decode", "JPXDecode", "Crypt"}
)
"""Filters without a checksum."""
SAME_SPOT: Final = 0.1
"""Points between the origins of characters that lie on each other."""
IN_ONE_SPOT: Final = 3
"""Such characters in a row: more than a letter with its accent, or the letters of a ligature."""
MANY: Final = 25
SHARE: Final = 0.05
"""Of a page's characters: as many on others are the sign of widths that are lost."""
OPERATORS: Final = 3
_OPERATOR = re.compile(r"\)\s?\]?\s?T[jJ]\b|\[\([^()]{1,40}\)\s?-\d|\bT[mdDfcwz]\s+T[mdDfcwz]\b")
"""Operators that show text, within text: `654 Tm Tm [(walk)-307(ed)] TJ`."""


@dataclass(frozen=True, slots=True)
class PageStreams:
    """What a page's text is made from."""

    sound: bool
    """Whether all of it is there and decodes."""
    has_content: bool
    """Whether the page has content streams that are not empty."""


def streams_of_pages(document: Any, name: str) -> list[PageStreams]:
    """The streams of each page, in order."""
    from pypdfium2 import PdfiumError, raw

    buffer = io.BytesIO()
    try:
        document.save(buffer, flags=raw.FPDF_NO_INCREMENTAL | raw.FPDF_REMOVE_SECURITY)
    except PdfiumError as error:
        raise broken(name, error) from error
    pdf = WrittenPdf(buffer.getvalue())
    pages = list(pdf.pages())
    if len(pages) != len(document):
        raise broken(name, f"its page tree has {len(pages):,} pages, and counts {len(document):,}")
    checks = _Checks(pdf)
    return [PageStreams(checks.is_sound(page), checks.has_content(page)) for page in pages]


def has_damaged_text(characters: Sequence[Character]) -> bool:
    """Whether many characters of a page lie on each other, or operators are among its text."""
    stacked = run = 0
    for before, after in pairwise(characters):
        apart = abs(after.x - before.x) + abs(after.y - before.y)
        run = run + 1 if apart <= SAME_SPOT and after.text != before.text and after.style is not BLANK else 0
        stacked += run >= IN_ONE_SPOT - 1
    if stacked >= max(MANY, SHARE * len(characters)):
        return True
    text = "".join(character.text for character in characters)
    return len(_OPERATOR.findall(text)) >= OPERATORS


class _Checks:
    """Checks streams, each once."""

    def __init__(self, pdf: WrittenPdf) -> None:
        self._pdf = pdf
        self._sound: dict[int, bool] = {}

    def is_sound(self, page: dict[str, Any]) -> bool:
        """Whether all that a page's text needs is there and decodes."""
        resolved, contents = self._pdf.resolved, page.get("Contents")
        if contents is None:
            return True
        parts = resolved(contents)
        for part in parts if isinstance(parts, list) else [contents]:
            stream = resolved(part)
            if not isinstance(stream, Stream) or not self._decodes(stream):
                return False
        return self._resources_are_sound(page.get("Resources"), 0)

    def has_content(self, page: dict[str, Any]) -> bool:
        """Whether a page has a content stream that is longer than those of blank pages."""
        parts = self._pdf.resolved(page.get("Contents"))
        streams = map(self._pdf.resolved, parts if isinstance(parts, list) else [parts])
        return sum(len(stream.content) for stream in streams if isinstance(stream, Stream)) >= BLANK_PAGE

    def _resources_are_sound(self, resources: Any, depth: int) -> bool:
        entries = self._pdf.dictionary(resources)
        fonts = self._pdf.dictionary(entries.get("Font"))
        objects = self._pdf.dictionary(entries.get("XObject"))
        return all(self._font_is_sound(font) for font in fonts.values()) and all(
            self._object_is_sound(value, depth) for value in objects.values()
        )

    def _object_is_sound(self, value: Any, depth: int) -> bool:
        stream = self._pdf.resolved(value)
        if not isinstance(stream, Stream):
            return False
        if self._pdf.resolved(stream.dictionary.get("Subtype")) != "Form" or depth >= MAX_FORMS:
            return True
        if stream.number in self._sound:
            return self._sound[stream.number]
        self._decodes(stream)  # first, as forms can hold each other
        below = self._resources_are_sound(stream.dictionary.get("Resources"), depth + 1)
        self._sound[stream.number] = self._sound[stream.number] and below
        return self._sound[stream.number]

    def _font_is_sound(self, value: Any) -> bool:
        number = value.number if isinstance(value, Reference) else 0
        if number not in self._sound or not number:
            font = self._pdf.resolved(value)
            self._sound[number] = isinstance(font, dict) and all(map(self._decodes, self._streams_of(font)))
        return self._sound[number]

    def _streams_of(self, font: dict[str, Any]) -> Iterator[Any]:
        """What gives the characters and widths of a font."""
        descendants = self._pdf.resolved(font.get("DescendantFonts"))
        fonts = [font, *map(self._pdf.dictionary, descendants if isinstance(descendants, list) else [])]
        for entries in fonts:
            descriptor = self._pdf.dictionary(entries.get("FontDescriptor"))
            values = [entries.get(key) for key in ("ToUnicode", "Encoding", "CIDToGIDMap")]
            values += [descriptor.get(key) for key in ("FontFile", "FontFile2", "FontFile3")]
            for value in values:
                if isinstance(value, Reference):
                    yield self._pdf.resolved(value)

    def _decodes(self, value: Any) -> bool:
        """Whether a stream decodes; False for a missing object, True for one that is no stream."""
        if not isinstance(value, Stream):
            return value is not None
        if value.number not in self._sound:
            filters = self._pdf.resolved(value.dictionary.get("Filter"))
            names = [self._pdf.resolved(name) for name in filters] if isinstance(filters, list) else [filters]
            self._sound[value.number] = _is_sound(value.content, names)
        return self._sound[value.number]


def _is_sound(content: memoryview, filters: list[Any]) -> bool:
    """Whether bytes decode by their filters, up to the first one that has a checksum."""
    for name in filters:
        if name in ("FlateDecode", "Fl"):
            return _inflates(content)
        try:
            if name in ("ASCII85Decode", "A85"):
                text = re.sub(rb"\s", b"", bytes(content)).removeprefix(b"<~").partition(b"~")[0]
                content = memoryview(base64.a85decode(text))
            elif name in ("ASCIIHexDecode", "AHx"):
                text = re.sub(rb"\s", b"", bytes(content)).partition(b">")[0]
                content = memoryview(binascii.unhexlify(text + b"0" * (len(text) % 2)))
            else:
                return name is None or name in UNCHECKED
        except ValueError:
            return False
    return True


def _inflates(content: memoryview) -> bool:
    """Whether zlib data decode to their end, and their checksum, if it is there, is theirs."""
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    head = bytes(content[:2])
    if len(head) < 2 or head[0] & 0x0F != zlib.DEFLATED or int.from_bytes(head, "big") % 31:
        return not len(content)
    checksum, decoded, rest = 1, 0, bytes(content[2:])
    try:
        while not decoder.eof and decoded < MAX_DECODED:
            part = decoder.decompress(rest, PART)
            if not part and not decoder.unconsumed_tail and not decoder.eof:
                return False
            rest = decoder.unconsumed_tail
            checksum, decoded = zlib.adler32(part, checksum), decoded + len(part)
    except zlib.error:
        return False
    trailer = decoder.unused_data[:4]
    return not decoder.eof or len(trailer) < 4 or trailer == checksum.to_bytes(4, "big")
