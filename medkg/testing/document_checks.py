"""What every parsed document must keep, whatever its format: offsets, order, nesting, coverage."""

from __future__ import annotations

import json
from collections.abc import Iterator

from orchestration.records import NOT_INDEXED, Block, BlockKind, Document, Section, all_sections


def assert_sound(document: Document) -> None:
    """Every offset of `document` points at what it names."""
    assert document.text.strip()
    assert document.text.encode()  # no lone surrogates
    json.dumps(document.metadata, allow_nan=False, default=str)
    position = 0
    for section in document.sections:
        assert section.start_char >= position
        position = _assert_section(section, document, ())
    assert position == len(document.text), "the sections cover the text to its end"
    blocks = list(blocks_of(document))
    assert [block.block_id for block in blocks] == list(dict.fromkeys(block.block_id for block in blocks))
    in_order = sorted(blocks, key=lambda block: block.start_char)
    covered = "\n\n".join(document.text[block.start_char : block.end_char] for block in in_order)
    assert covered == document.text, "blocks, joined by a blank line, are the text"
    assert_annotated(document)
    by_id = {block.block_id for block in blocks}
    for table in document.tables:
        assert table.block_id in by_id
        assert len({len(row) for row in table.rows}) == 1
        assert table.header_rows <= len(table.rows)


def assert_annotated(document: Document) -> None:
    """Every annotation is words of the text; they are in order, and no two have one id."""
    ids = [each.annotation_id for each in document.annotations]
    assert len(set(ids)) == len(ids)
    position = 0
    for annotation in document.annotations:
        words = document.text[annotation.start_char : annotation.end_char]
        assert words and words == words.strip()
        assert position <= annotation.start_char < annotation.end_char <= len(document.text)
        position = annotation.start_char


def indexed_part(document: Document) -> Document:
    """The document without its last sections whose blocks are not indexed: publication record, references."""
    sections = list(document.sections)
    while sections and _is_not_indexed(sections[-1]):
        sections.pop()
    end = sections[-1].end_char if sections else 0
    annotations = tuple(each for each in document.annotations if each.end_char <= end)
    return document.model_copy(
        update={"sections": tuple(sections), "text": document.text[:end], "annotations": annotations}
    )


def _is_not_indexed(section: Section) -> bool:
    kinds = {block.kind for inner in _with_inner(section) for block in inner.blocks}
    return bool(kinds & NOT_INDEXED) and kinds <= NOT_INDEXED | {BlockKind.HEADING}


def _with_inner(section: Section) -> Iterator[Section]:
    yield section
    for inner in section.sections:
        yield from _with_inner(inner)


def blocks_of(document: Document) -> Iterator[Block]:
    """All blocks, section by section."""
    stack = list(document.sections)
    while stack:
        section = stack.pop()
        yield from section.blocks
        stack.extend(section.sections)


def sections_of(document: Document) -> Iterator[Section]:
    """All sections, outermost first, in reading order."""
    return all_sections(document.sections)


def _assert_section(section: Section, document: Document, path: tuple[str, ...]) -> int:
    own_path = (*path, section.title) if section.title else path
    assert section.title_path == own_path
    assert document.text.startswith(section.title, section.start_char)
    position = section.start_char
    for block in section.blocks:
        assert block.start_char >= position or position == section.start_char
        assert section.start_char <= block.start_char < block.end_char <= section.end_char
    for child in section.sections:
        assert section.start_char <= child.start_char
        position = _assert_section(child, document, own_path)
        assert position <= section.end_char
    return section.end_char
