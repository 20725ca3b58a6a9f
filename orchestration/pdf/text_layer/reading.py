"""The text layer of a PDF as a converted document: the PDF's own characters, arranged by geometry alone.

Comes in: the bytes of one PDF and limits. Leaves: the JSON of a ConvertedPdf, or EncryptedPdfError,
MalformedDocumentError (broken), PdfWithoutTextError (scanned), PdfLimitError (more pages or characters than
the limits). It can take long or much memory on a hostile file, so `converter` runs it in a
separate process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfCell, PdfPage, has_pdf_mark
from orchestration.contracts.pdf import MOST_POINTS
from orchestration.errors import (
    EncryptedPdfError,
    MalformedDocumentError,
    PdfLimitError,
    PdfWithoutTextError,
)
from orchestration.pdf.text_layer.columns import common_gutters, reading_order
from orchestration.pdf.text_layer.glyphs import PageContent, read_page
from orchestration.pdf.text_layer.headings import mark_headings
from orchestration.pdf.text_layer.hyphens import Vocabulary, joined_lines
from orchestration.pdf.text_layer.lines import Line, Piece, pieces_of
from orchestration.pdf.text_layer.margins import without_running_lines
from orchestration.pdf.text_layer.paragraphs import Part, joined, parts_of
from orchestration.pdf.text_layer.tables import TableRegion, find_tables, ruled_pieces
from orchestration.records import PageBox, Record

__all__ = ["NAME", "VERSION", "Limits", "convert"]

NAME: Final = "text-layer"
VERSION: Final = "1"
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


@dataclass(frozen=True, slots=True)
class _Page:
    """One page, its text as pieces of lines."""

    content: PageContent
    pieces: list[Piece]
    characters: int

    @property
    def scanned(self) -> bool:
        return self.content.image_share >= SCANNED and self.characters < MIN_CHARACTERS


def convert(pdf: bytes, name: str, limits: Limits) -> bytes:
    """The ConvertedPdf of a PDF as JSON; `name` is its name in errors."""
    document = _opened(pdf, name)
    try:
        pages = _pages(document, name, limits)
        title = _info_title(document)
        language = _language(document)
    finally:
        document.close()
    _check_readable(pages, name)
    parts = _parts(pages)
    vocabulary = Vocabulary(line.text for part in parts for line in part.lines)
    frames = {page.content.page_no: page.content for page in pages}
    blocks = [_block(part, frames, vocabulary) for part in parts]
    return (
        ConvertedPdf(
            converter=NAME,
            converter_version=VERSION,
            title=title,
            language=language,
            pages=tuple(map(_shown, pages)),
            blocks=tuple(block for block in blocks if block.text.strip() or block.rows),
        )
        .model_dump_json()
        .encode()
    )


# --- the PDF ---------------------------------------------------------------------------------------


def _opened(pdf: bytes, name: str) -> Any:
    import pypdfium2
    from pypdfium2 import raw

    if not has_pdf_mark(pdf):
        raise MalformedDocumentError(f"{name}: it is no PDF (no %PDF- at its start). Fetch it again.")
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise EncryptedPdfError(
                f"{name}: the PDF is encrypted, and opens only with its password. Get a copy without one."
            ) from error
        raise _broken(name, error) from error
    if len(document) == 0:
        document.close()
        raise _broken(name, "it has no pages")
    return document


def _broken(name: str, cause: object) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{name}: the PDF is broken: {cause}. Fetch it again, or repair it with `qpdf` or `mutool clean`."
    )


def _pages(document: Any, name: str, limits: Limits) -> list[_Page]:
    """Every page as pieces of lines; raises PdfLimitError."""
    if len(document) > limits.pages:
        raise PdfLimitError(
            f"{name}: {len(document):,} pages, more than the text layer reads ({limits.pages:,}). Split the "
            "PDF, or raise `pages` of the converter."
        )
    pages: list[_Page] = []
    left = limits.characters
    for index in range(len(document)):
        page = _one_page(document, index, name, limits, min(limits.characters_a_page, left))
        left -= page.characters
        pages.append(page)
    return pages


def _one_page(document: Any, index: int, name: str, limits: Limits, max_characters: int) -> _Page:
    from pypdfium2 import PdfiumError

    try:
        content = read_page(document, index, max_characters)
    except OverflowError as error:
        raise PdfLimitError(
            f"{name}: {error}, more than the text layer reads ({limits.characters_a_page:,} a page, "
            f"{limits.characters:,} in all). Convert it with MinerU, or leave it out."
        ) from error
    except PdfiumError as error:
        raise _broken(name, f"page {index + 1} cannot be read ({error})") from error
    if max(content.width, content.height) > MOST_POINTS:
        raise PdfLimitError(
            f"{name}: page {content.page_no} is {content.width:g} x {content.height:g} points large, which "
            "no page is. Get another copy, or leave it out."
        )
    pieces = pieces_of(content)
    if len(pieces) > limits.pieces_a_page:
        raise PdfLimitError(
            f"{name}: page {content.page_no} has {len(pieces):,} pieces of lines, more than the text layer "
            f"puts in order ({limits.pieces_a_page:,}). Convert it with MinerU, or leave it out."
        )
    characters = sum(glyph.text != " " for glyph in content.glyphs)
    content.glyphs = []  # a thousand pages of them are a gigabyte
    return _Page(content, pieces, characters)


def _check_readable(pages: Sequence[_Page], name: str) -> None:
    """Raise PdfWithoutTextError for scans and for fonts whose characters have no meaning."""
    characters = sum(page.characters for page in pages)
    unmapped = sum(page.content.unmapped for page in pages)
    scanned = sum(page.scanned for page in pages)
    if unmapped > MAX_UNMAPPED * (characters + unmapped):
        cause = "its fonts do not map their glyphs to characters"
    elif characters == 0 or scanned * 2 > len(pages):
        cause = f"{scanned or len(pages)} of its {len(pages)} pages hold images and no text"
    else:
        return
    raise PdfWithoutTextError(f"{name}: {cause}. The text layer reads no images: convert it with MinerU.")


def _info_title(document: Any) -> str:
    """The title in the PDF's metadata, unless it is a file's name or a template's."""
    title = " ".join(str(document.get_metadata_dict().get("Title") or "").split())
    words = title.split()
    file_name = title.casefold().endswith((".pdf", ".doc", ".docx", ".tex", ".indd", ".dvi", ".qxd", ".fm"))
    return title if len(words) >= 3 and not file_name and len(title) <= 400 else ""


def _language(document: Any) -> str:
    import ctypes

    from pypdfium2 import raw

    length = raw.FPDFCatalog_GetLanguage(document.raw, None, 0)
    if not 2 < length < 200:
        return "en"
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFCatalog_GetLanguage(document.raw, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    tag = buffer.raw.decode("utf-16-le", "ignore").rstrip("\0").strip()
    return tag if tag.replace("-", "").isalnum() and tag.isascii() else "en"


# --- the document ----------------------------------------------------------------------------------


def _parts(pages: Sequence[_Page]) -> list[Part]:
    """All text in reading order, with its kinds."""
    contents = [page.content for page in pages]
    pieces = [page.pieces for page in pages]
    body = _body_size(piece for page_pieces in pieces for piece in page_pieces)
    ruled = [
        ruled_pieces(page_pieces, content.rules)
        for content, page_pieces in zip(contents, pieces, strict=True)
    ]
    body_pieces = without_running_lines(pieces, [content.frame_height for content in contents], body, ruled)
    flows: list[list[Part]] = []
    gutters = common_gutters(body_pieces)
    tables = [
        find_tables(page_pieces, content.rules, body, gutters)
        for content, page_pieces in zip(contents, body_pieces, strict=True)
    ]
    gutters = common_gutters([rest for _, rest in tables])
    for content, (found_tables, rest) in zip(contents, tables, strict=True):
        for flow in reading_order(rest, found_tables, gutters):
            flows.append(parts_of(flow, content.page_no, content.frame_height, body))
    parts = joined(flows)
    mark_headings(parts, body)
    return parts


def _body_size(pieces: Iterable[Piece]) -> float:
    """The size of most characters, in half points."""
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[round(piece.size * 2) / 2] += sum(len(word.text) for word in piece.words)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _block(part: Part, pages: dict[int, PageContent], vocabulary: Vocabulary) -> PdfBlock:
    boxes = tuple(_boxes(part, pages))
    table = part.table
    if table is not None:
        notes = [line for region in (table, *(rest for _, rest in part.continued)) for line in region.notes]
        return PdfBlock(
            kind=PdfBlockKind.TABLE,
            text=_joined(table.caption, vocabulary),
            boxes=boxes,
            rows=(*table.rows, *(row for _, rest in part.continued for row in _new_rows(table, rest))),
            header_rows=table.header_rows,
            notes=(_joined(notes, vocabulary),) if notes else (),
        )
    lines = part.lines
    if part.kind is PdfBlockKind.LIST:
        ends = [*part.items[1:], len(lines)]
        items = [lines[begin:end] for begin, end in zip(part.items, ends, strict=True)]
        text = "\n".join(_joined(item, vocabulary) for item in items)
    else:
        text = _joined(lines, vocabulary)
    return PdfBlock(kind=part.kind, text=text, level=part.level, boxes=boxes)


def _new_rows(table: TableRegion, rest: TableRegion) -> Sequence[tuple[PdfCell, ...]]:
    """The rows of a table's rest without the header that each page repeats."""
    header = table.rows[: table.header_rows]
    return rest.rows[len(header) :] if rest.rows[: len(header)] == header else rest.rows


def _joined(lines: Sequence[Line], vocabulary: Vocabulary) -> str:
    return joined_lines([line.text for line in lines], vocabulary)


def _boxes(part: Part, pages: dict[int, PageContent]) -> Iterable[PageBox]:
    """One box per stretch, or per page of a table."""
    places: list[tuple[int, Sequence[Line | TableRegion]]] = [
        (stretch.page_no, stretch.lines) for stretch in part.stretches
    ]
    if part.table is not None:
        places = [(part.page_no, [part.table]), *((page_no, [rest]) for page_no, rest in part.continued)]
    for page_no, items in places:
        page = pages[page_no]
        left, top, right, bottom = page.shown(
            max(0.0, min(item.left for item in items)),
            max(0.0, min(item.top for item in items)),
            min(page.frame_width, max(item.right for item in items)),
            min(page.frame_height, max(item.bottom for item in items)),
        )
        yield PageBox(
            page_no=page_no,
            left=round(left, 1),
            top=round(top, 1),
            right=round(right, 1),
            bottom=round(bottom, 1),
        )


def _shown(page: _Page) -> PdfPage:
    content = page.content
    return PdfPage(page_no=content.page_no, width=content.width, height=content.height, unread=page.scanned)
