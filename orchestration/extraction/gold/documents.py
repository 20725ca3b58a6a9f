"""Gold documents as documents: what extractors read.

Input: an annotated document. Output: a Document with the same text and offsets, a block for the title and
one for each paragraph, in one section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestration.records import AnnotatedDocument, Block, BlockKind, Document, Section, content_version

__all__ = ["GOLD_PARSER", "gold_document"]

GOLD_PARSER: Final = "gold/1"
_PARAGRAPH: Final = re.compile(r"\S.*?(?=\s*(?:\n|\Z))", re.DOTALL)


def gold_document(annotated: AnnotatedDocument, tenant_id: str) -> Document:
    """The document; its source is `files`."""
    blocks = tuple(_blocks(annotated))
    text = annotated.text
    section = Section(
        title=annotated.title,
        title_path=(annotated.title,) if annotated.title else (),
        start_char=0,
        end_char=len(text),
        blocks=blocks,
    )
    return Document(
        doc_id=annotated.doc_id,
        tenant_id=tenant_id,
        source="files",
        version=content_version(text.encode("utf-8", "surrogatepass")),
        title=annotated.title,
        text=text,
        sections=(section,),
        parser=GOLD_PARSER,
    )


def _blocks(annotated: AnnotatedDocument) -> Iterator[Block]:
    start = len(annotated.title)
    if annotated.title.strip():
        yield Block(block_id="b0", kind=BlockKind.TITLE, start_char=0, end_char=start)
    for number, match in enumerate(_PARAGRAPH.finditer(annotated.text, start), start=1):
        yield Block(
            block_id=f"b{number}", kind=BlockKind.PARAGRAPH, start_char=match.start(), end_char=match.end()
        )
