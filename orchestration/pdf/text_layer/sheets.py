"""The pages of a PDF as sheets: the text of one page in one direction, as pieces of lines.

Comes in: an open PDF and limits. Leaves: for each page its main sheet, and one for each other quarter turn
of text on it (a table set on its side); PdfLimitError beyond a limit, PdfWithoutTextError where pages have
no text that can be read, MalformedDocumentError where more than half of them are damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestration.contracts.pdf import MOST_POINTS
from orchestration.errors import PdfLimitError, PdfWithoutTextError
from orchestration.pdf.text_layer.damage import PageStreams, streams_of_pages
from orchestration.pdf.text_layer.glyphs import read_page
from orchestration.pdf.text_layer.lines import pieces_of
from orchestration.pdf.text_layer.opening import broken
from orchestration.pdf.text_layer.page_content import PageContent
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.typed_values import pieces_of_value
from orchestration.records import Record

__all__ = ["Limits", "Sheet", "check_readable", "sheets_of"]

SCANNED: Final = 0.5
"""Share of a page that images cover: with fewer than MIN_CHARACTERS it is a scan."""
MIN_CHARACTERS: Final = 25
MAX_UNMAPPED: Final = 0.3
"""Share of characters without a Unicode value beyond which the text layer is no text."""


class Limits(Record):
    """Limits of one PDF."""

    pages: int = 2_000
    characters_a_page: int = 100_000
    pieces_a_page: int = 15_000
    characters: int = 10_000_000


@dataclass(slots=True)
class Sheet:
    """The text of one page in one direction."""

    content: PageContent
    pieces: list[Piece]
    characters: int
    main: bool
    """Whether most of the page's text has this direction; each page has one such sheet."""

    @property
    def scanned(self) -> bool:
        return self.main and self.content.image_share >= SCANNED and self.characters < MIN_CHARACTERS

    @property
    def unread(self) -> bool:
        return self.scanned or self.content.damaged


def sheets_of(document: Any, name: str, limits: Limits) -> list[Sheet]:
    """The sheets of all pages, in order; raises PdfLimitError."""
    if len(document) > limits.pages:
        raise PdfLimitError(
            f"{name}: {len(document):,} pages, more than the text layer reads ({limits.pages:,}). Split the "
            "PDF, or raise `pages` of the converter."
        )
    sheets: list[Sheet] = []
    left = limits.characters
    for index, streams in enumerate(streams_of_pages(document, name)):
        most = min(limits.characters_a_page, left)
        of_page = _sheets_of_page(document, index, name, limits, most, streams)
        left -= sum(sheet.characters for sheet in of_page)
        sheets.extend(of_page)
    return sheets


def _sheets_of_page(
    document: Any, index: int, name: str, limits: Limits, max_characters: int, streams: PageStreams
) -> list[Sheet]:
    from pypdfium2 import PdfiumError

    try:
        contents = read_page(document, index, max_characters, streams)
    except OverflowError as error:
        raise PdfLimitError(
            f"{name}: {error}, more than the text layer reads ({limits.characters_a_page:,} a page, "
            f"{limits.characters:,} in all). Convert it with MinerU, or leave it out."
        ) from error
    except PdfiumError as error:
        raise broken(name, f"page {index + 1} cannot be read ({error})") from error
    _check_size(contents[0], name)
    sheets = []
    for content in contents:
        pieces = pieces_of(content)
        pieces += [piece for value, box in content.values for piece in pieces_of_value(value, box, pieces)]
        if len(pieces) > limits.pieces_a_page:
            raise PdfLimitError(
                f"{name}: page {content.page_no} has {len(pieces):,} pieces of lines, more than the text "
                f"layer puts in order ({limits.pieces_a_page:,}). Convert it with MinerU, or leave it out."
            )
        characters = sum(glyph.text != " " for glyph in content.glyphs)
        content.glyphs = []  # a thousand pages of them are a gigabyte
        sheets.append(Sheet(content, pieces, characters, main=content is contents[0]))
    return sheets


def _check_size(content: PageContent, name: str) -> None:
    if max(content.width, content.height) > MOST_POINTS:
        raise PdfLimitError(
            f"{name}: page {content.page_no} is {content.width:g} x {content.height:g} points large, which "
            "no page is. Get another copy, or leave it out."
        )


def check_readable(sheets: Sequence[Sheet], name: str) -> None:
    """Raise PdfWithoutTextError for scans, for pages without text, and for fonts without characters.

    Raises MalformedDocumentError where more than half of the pages are damaged, or damaged and scanned.
    """
    pages = sum(sheet.main for sheet in sheets)
    damaged = sum(sheet.content.damaged for sheet in sheets)
    characters = sum(sheet.characters for sheet in sheets)
    unmapped = sum(sheet.content.unmapped for sheet in sheets)
    scanned = sum(sheet.scanned for sheet in sheets)
    if damaged and sum(sheet.unread for sheet in sheets) * 2 > pages and scanned * 2 <= pages:
        raise broken(name, f"{damaged} of its {pages} pages are damaged, and their text cannot be read")
    has_text = characters > 0 or any(sheet.pieces for sheet in sheets)
    if unmapped > MAX_UNMAPPED * characters:
        cause = f"its fonts map {unmapped:,} of its {characters:,} glyphs to no characters"
    elif scanned * 2 > pages:
        cause = f"{scanned} of its {pages} pages hold images and no text"
    elif not has_text:
        cause = f"its {pages} pages hold no text: they are empty, or their words are drawn as lines and areas"
    else:
        return
    raise PdfWithoutTextError(f"{name}: {cause}. The text layer reads no images: convert it with MinerU.")
