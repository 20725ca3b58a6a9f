"""The body of a JATS article: sections, paragraphs, tables, figures, lists and boxes, in reading order.

Comes in: an element that holds blocks. Leaves: sections and blocks appended to the document. An element
with an unknown name is replaced by its contents, so no text is lost; reference lists are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from orchestration.parsing.jats_tables import read_grid
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml import local_name
from orchestration.parsing.xml_inline import append_node, inline_text, node_text
from orchestration.records import BlockKind

_SKIPPED = frozenset(
    {
        "",
        "attrib",
        "graphic",
        "label",
        "object-id",
        "permissions",
        "ref-list",
        "response",
        "sec-meta",
        "sub-article",
        "subtitle",
        "title",
    }
)
_ROLE_BY_TYPE = {
    "intro": "introduction",
    "materials|methods": "methods",
    "methods": "methods",
    "results": "results",
    "results|discussion": "results",
    "discussion": "discussion",
    "conclusions": "conclusions",
    "conclusion": "conclusions",
    "cases": "case",
    "supplementary-material": "supplementary",
}
_DEFAULT_HEADINGS = {
    "ack": "Acknowledgments",
    "app": "Appendix",
    "bio": "Biography",
    "boxed-text": "",
    "fn-group": "Notes",
    "glossary": "Abbreviations",
    "notes": "Notes",
}

AddBlock = Callable[[DocumentBuilder, etree._Element, BlockKind], None]


def add_blocks(
    builder: DocumentBuilder, parent: etree._Element, kind: BlockKind = BlockKind.PARAGRAPH
) -> None:
    """Append the blocks in `parent`; its paragraphs get `kind`."""
    for child in parent:
        name = local_name(child)
        if name in _SKIPPED:
            continue
        add = _BLOCKS.get(name)
        if add is not None:
            add(builder, child, kind)
        elif any(local_name(below) in _BLOCKS for below in child):
            _add_section(builder, child, kind)
        else:
            builder.block(kind, node_text(child))


def add_section(
    builder: DocumentBuilder,
    element: etree._Element,
    heading: str,
    role: str | None = None,
    kind: BlockKind = BlockKind.PARAGRAPH,
) -> None:
    """Append a section with its heading and everything under it; without a heading only the latter."""
    if not one_line(heading):
        add_blocks(builder, element, kind)
        return
    builder.open_section(heading, role or _ROLE_BY_TYPE.get(element.get("sec-type", "")))
    add_blocks(builder, element, kind)
    builder.close_section()


def _add_section(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    """A section with the heading that it prints ('1. Methods'), or the usual one of its element."""
    heading = _heading(element) or _DEFAULT_HEADINGS.get(local_name(element), "")
    add_section(builder, element, heading, kind=kind)


def _add_paragraph(builder: DocumentBuilder, paragraph: etree._Element, kind: BlockKind) -> None:
    """A paragraph; tables, figures and lists inside it end one block and begin the next."""
    run = [paragraph.text or ""]
    for child in paragraph:
        add = _BLOCKS.get(local_name(child))
        if add is None or local_name(child) == "disp-formula":
            append_node(child, run)
        else:
            builder.block(kind, "".join(run))
            run = []
            add(builder, child, kind)
        run.append(child.tail or "")
    builder.block(kind, "".join(run))


def _add_formula(builder: DocumentBuilder, formula: etree._Element, kind: BlockKind) -> None:
    builder.block(kind, node_text(formula))


def _add_box(builder: DocumentBuilder, box: etree._Element, kind: BlockKind) -> None:
    _add_captioned(builder, box, BlockKind.BOXED_TEXT)


def _add_captioned(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    """A box or statement: its label and caption title are its heading."""
    caption = element.find("{*}caption")
    heading = _heading(element)
    if not heading and caption is not None:
        heading = ". ".join(filter(None, (_child_text(element, "label"), _child_text(caption, "title"))))
    add_section(builder, element, heading, kind=kind)


def _add_caption(builder: DocumentBuilder, caption: etree._Element, kind: BlockKind) -> None:
    """The paragraphs of a caption whose title became a heading."""
    add_blocks(builder, caption, kind)


def _add_figure(builder: DocumentBuilder, figure: etree._Element, kind: BlockKind) -> None:
    """Label, title and caption as one block: 'Figure 1. Title. Caption.'"""
    builder.block(BlockKind.FIGURE_CAPTION, _label_and_caption(figure))
    for part in figure:
        if local_name(part) in ("fig", "table-wrap", "p", "list", "supplementary-material"):
            add = _BLOCKS[local_name(part)]
            add(builder, part, BlockKind.FIGURE_CAPTION)


def _add_table(builder: DocumentBuilder, wrap: etree._Element, kind: BlockKind) -> None:
    """Caption, rows and foot as one block per grid; a table that is an image keeps its caption."""
    foot = [line for part in wrap.findall("{*}table-wrap-foot") for line in _foot_lines(part)]
    tables = [table for table in wrap.iter("{*}table") if _wrap_of(table) is wrap]
    label, caption = _child_text(wrap, "label"), _caption(wrap)
    if not tables:
        builder.block(BlockKind.FIGURE_CAPTION, " ".join(filter(None, (_label_and_caption(wrap), *foot))))
    for number, table in enumerate(tables):
        last = number == len(tables) - 1
        builder.table(read_grid(table), label=label, caption=caption, notes=foot if last else ())


def _foot_lines(foot: etree._Element) -> Iterator[str]:
    """One line per note, with its mark."""
    for note in foot:
        yield " ".join(filter(None, (_child_text(note, "label"), one_line(inline_text(note)))))


def _wrap_of(table: etree._Element) -> etree._Element | None:
    return next((above for above in table.iterancestors() if local_name(above) == "table-wrap"), None)


def _add_bare_table(builder: DocumentBuilder, table: etree._Element, kind: BlockKind) -> None:
    builder.table(read_grid(table))


def _add_list(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    title = _child_text(element, "title")
    builder.lines(BlockKind.LIST, [title, *_list_lines(element, 0)])


def _list_lines(element: etree._Element, depth: int) -> Iterator[str]:
    """One line per item with its printed label, its number or a dash; inner lists are indented."""
    numbered = element.get("list-type", "") in ("order", "arabic", "ordered")
    for number, item in enumerate(element.findall("{*}list-item"), start=1):
        mark = _child_text(item, "label") or (f"{number}." if numbered else "-")
        words: list[str] = []
        inner: list[etree._Element] = []
        for child in item:
            _collect_item(child, words, inner)
        yield f"{'  ' * depth}{mark} {one_line(' '.join(words))}".rstrip()
        for below in inner:
            yield from _list_lines(below, depth + 1)


def _collect_item(child: etree._Element, words: list[str], inner: list[etree._Element]) -> None:
    """Collect the words of an item's child; nested lists are collected separately."""
    name = local_name(child)
    if name == "list":
        inner.append(child)
    elif name == "p" and child.find("{*}list") is not None:
        run = [child.text or ""]
        for part in child:
            if local_name(part) == "list":
                inner.append(part)
            else:
                append_node(part, run)
            run.append(part.tail or "")
        words.append("".join(run))
    elif name not in ("label", "title", "ref-list"):
        words.append(node_text(child))


def _add_definitions(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    """One 'Term: definition' line per entry."""
    lines = [_child_text(element, "title")]
    for item in element.findall("{*}def-item"):
        definitions = [one_line(inline_text(definition)) for definition in item.findall("{*}def")]
        lines.append(": ".join(filter(None, (_child_text(item, "term"), "; ".join(definitions)))))
    builder.lines(BlockKind.LIST, lines)
    for inner in element.findall("{*}def-list"):
        _add_definitions(builder, inner, kind)


def _add_code(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    builder.lines(kind, inline_text(element).split("\n"))


def _add_quote(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    add_blocks(builder, element, kind)


def _add_supplement(builder: DocumentBuilder, element: etree._Element, kind: BlockKind) -> None:
    builder.block(BlockKind.FIGURE_CAPTION, _label_and_caption(element))
    for media in element.findall("{*}media"):
        builder.block(BlockKind.FIGURE_CAPTION, _label_and_caption(media))


def _label_and_caption(element: etree._Element) -> str:
    return ". ".join(
        part.rstrip(".") if number == 0 else part
        for number, part in enumerate(filter(None, (_child_text(element, "label"), _caption(element))))
    )


def _caption(element: etree._Element) -> str:
    """Title and paragraphs of a caption on one line, the title ended by a full stop."""
    caption = element.find("{*}caption")
    if caption is None:
        return ""
    title = _child_text(caption, "title")
    rest = [one_line(inline_text(part)) for part in caption if local_name(part) not in ("title", "")]
    if title and any(rest) and not title.endswith((".", "?", "!", ":")):
        title += "."
    bare = one_line(caption.text or "")
    return " ".join(filter(None, (bare, title, *rest)))


def _heading(element: etree._Element) -> str:
    title = _child_text(element, "title")
    return " ".join(filter(None, (_child_text(element, "label"), title))) if title else ""


def _child_text(element: etree._Element, name: str) -> str:
    child = element.find(f"{{*}}{name}")
    return one_line(inline_text(child)) if child is not None else ""


_BLOCKS: dict[str, AddBlock] = {
    "array": _add_quote,
    "boxed-text": _add_box,
    "caption": _add_caption,
    "code": _add_code,
    "def-list": _add_definitions,
    "disp-formula": _add_formula,
    "disp-quote": _add_quote,
    "fig": _add_figure,
    "fig-group": _add_figure,
    "list": _add_list,
    "media": _add_supplement,
    "p": _add_paragraph,
    "preformat": _add_code,
    "sec": _add_section,
    "statement": _add_captioned,
    "supplementary-material": _add_supplement,
    "table": _add_bare_table,
    "table-wrap": _add_table,
    "table-wrap-group": _add_quote,
}
