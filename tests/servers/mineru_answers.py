"""What MinerU would find in a PDF, as its files: read by medkg's text layer, in MinerU's format.

Comes in: the bytes of a PDF. Leaves: the texts of `.md`, `_middle.json` and `_content_list.json` as MinerU
3.4.4 writes them, places in thousandths of a page, Markdown's characters escaped.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfPage
from orchestration.errors import MedkgError
from orchestration.pdf.text_layer.reading import Limits, convert

__all__ = ["VERSION", "files_of"]

VERSION: Final = "3.4.4"
ESCAPED: Final = re.compile(r"(?<!\\)([*_`~$])")


def files_of(content: bytes, stem: str) -> dict[str, str]:
    """The files that MinerU writes for one PDF; raises RuntimeError as its loader does."""
    try:
        converted = ConvertedPdf.model_validate_json(convert(content, stem, Limits()))
    except MedkgError as error:
        raise RuntimeError(f"Failed to load file {stem}.pdf: {error.message}") from error
    pages = {page.page_no: page for page in converted.pages}
    items = [item for block in converted.blocks for item in _items(block, pages)]
    items += [_page_number(page) for page in converted.pages]
    items.sort(key=lambda item: item["page_idx"])
    middle = {
        "pdf_info": [_page_info(page) for page in converted.pages],
        "_backend": "pipeline",
        "_version_name": VERSION,
    }
    return {
        "md_content": "\n\n".join(item.get("text", "") for item in items),
        "middle_json": json.dumps(middle),
        "content_list": json.dumps(items, ensure_ascii=False),
    }


def _items(block: PdfBlock, pages: dict[int, PdfPage]) -> list[dict[str, Any]]:
    place = {"bbox": _thousandths(block, pages[block.page_no]), "page_idx": block.page_no - 1}
    text = ESCAPED.sub(r"\\\1", block.text)
    if block.kind is PdfBlockKind.TABLE:
        body = {"table_caption": [text], "table_footnote": list(block.notes), "table_body": _html(block)}
        return [{"type": "table", "img_path": "images/0.jpg", **body, **place}]
    if block.kind is PdfBlockKind.FIGURE_CAPTION:
        return [
            {
                "type": "image",
                "img_path": "images/1.jpg",
                "image_caption": [text],
                "image_footnote": [],
                **place,
            }
        ]
    if block.kind in (PdfBlockKind.TITLE, PdfBlockKind.HEADING):
        level = 1 if block.kind is PdfBlockKind.TITLE else (block.level or 1) + 1
        return [{"type": "text", "text": text, "text_level": level, **place}]
    if block.kind is PdfBlockKind.LIST:
        return [{"type": "text", "text": text.replace("\n", "  \n"), **place}]
    if block.kind is PdfBlockKind.FOOTNOTE:
        return [{"type": "page_footnote", "text": text, **place}]
    return [{"type": "text", "text": text, **place}]


def _thousandths(block: PdfBlock, page: PdfPage) -> list[int]:
    box = block.boxes[0]
    return [
        int(box.left * 1000 / page.width),
        int(box.top * 1000 / page.height),
        int(box.right * 1000 / page.width),
        int(box.bottom * 1000 / page.height),
    ]


def _html(block: PdfBlock) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td{_spans(cell.columns)}>{html.escape(cell.text)}</td>" for cell in row) + "</tr>"
        for row in block.rows
    )
    return f"<html><body><table>{rows}</table></body></html>"


def _spans(columns: int) -> str:
    return f' colspan="{columns}"' if columns > 1 else ""


def _page_number(page: PdfPage) -> dict[str, Any]:
    return {
        "type": "page_number",
        "text": str(page.page_no),
        "bbox": [480, 950, 520, 970],
        "page_idx": page.page_no - 1,
    }


def _page_info(page: PdfPage) -> dict[str, Any]:
    return {
        "page_idx": page.page_no - 1,
        "page_size": [page.width, page.height],
        "para_blocks": [],
        "discarded_blocks": [],
    }
