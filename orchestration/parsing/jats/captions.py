"""Figures, media and supplementary files of a JATS article: labels, captions, and what else stands in them.

Comes in: the element. Leaves: its label and caption as one block, then its other contents.
"""

from __future__ import annotations

from lxml import etree

from orchestration.parsing.jats.blocks import BlockReader
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.elements import LEFT_OUT
from orchestration.parsing.xml.inline import child_text, inline_text, node_text
from orchestration.parsing.xml.trees import first_child, local_name
from orchestration.records import BlockKind


def read_figure(reader: BlockReader, figure: etree._Element, kind: BlockKind) -> None:
    """Label, title and caption as one block: 'Figure 1. Title. Caption.'; then what else it holds."""
    reader.builder.block(BlockKind.FIGURE_CAPTION, label_and_caption(figure))
    reader.contents(figure, BlockKind.FIGURE_CAPTION, without=caption_parts(figure))


def read_graphic(reader: BlockReader, graphic: etree._Element, kind: BlockKind) -> None:
    """The label and caption of a picture, where it has any."""
    if len(graphic):
        read_figure(reader, graphic, kind)


def read_supplement(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """A file: its label before its caption, else before its first words."""
    label, caption = child_text(element, "label"), caption_text(element)
    if caption or not label or not _has_more_words(element):
        read_figure(reader, element, kind)
        return
    without = caption_parts(element)
    reader.contents(element, BlockKind.FIGURE_CAPTION, prefix=f"{label.rstrip('.')}.", without=without)


def _has_more_words(element: etree._Element) -> bool:
    """Whether there are words beside the label."""
    label = first_child(element, "label")
    beside = [part for part in element if part is not label and local_name(part) not in LEFT_OUT]
    return any(one_line(inline_text(part) + (part.tail or "")) for part in beside) or bool(
        one_line((element.text or "") + (label.tail or "" if label is not None else ""))
    )


def label_and_caption(element: etree._Element, note_marks: frozenset[str] = frozenset()) -> str:
    """'Figure 1. Title. Caption.'"""
    label, caption = child_text(element, "label", note_marks), caption_text(element, note_marks)
    return f"{label.rstrip('.')}. {caption}" if label and caption else label or caption


def caption_parts(element: etree._Element) -> list[etree._Element]:
    """The children that `label_and_caption` reads."""
    parts = (first_child(element, "label"), first_child(element, "caption"))
    return [part for part in parts if part is not None]


def caption_text(element: etree._Element, note_marks: frozenset[str] = frozenset()) -> str:
    """Title and paragraphs of a caption on one line, the title ended by a full stop."""
    caption = first_child(element, "caption")
    if caption is None:
        return ""
    title = child_text(caption, "title", note_marks)
    skipped = first_child(caption, "title")
    rest = [one_line(caption.text or "")]
    for part in caption:
        if part is not skipped:
            rest.append(one_line(node_text(part, note_marks)))
        rest.append(one_line(part.tail or ""))
    if title and any(rest) and not title.endswith((".", "?", "!", ":")):
        title += "."
    return " ".join(filter(None, (title, *rest)))
