"""Markdown: headings as sections, paragraphs, lists, tables and code as blocks; YAML front matter.

Comes in: a Markdown file, which is one record; its front matter may contain `id`, `title` and more. Leaves:
a Document of plain text: emphasis, links and HTML tags are removed, their words stay. Block structure is
CommonMark's with tables, by markdown-it-py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError
from orchestration.formats.file_kinds import text_kind
from orchestration.parsing.byte_stream import too_large, whole_file
from orchestration.parsing.encoding import decode_head, decode_text, looks_structured
from orchestration.parsing.tables import simple_grid
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.records import BlockKind, Document, RawPayload, content_version

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_SIGNS = re.compile(r"^#{1,6}[ \t]+\S|^(?:={3,}|-{3,})[ \t]*$|^```|^[*-][ \t]+\S.*\]\(", re.MULTILINE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ID_FIELDS = ("id", "doc_id")


class MarkdownParser:
    """CommonMark with tables."""

    format = "markdown"
    version = "2"
    source = "files"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by its name, or text by a heading or front matter."""
        text = decode_head(head)
        if text is None or looks_structured(text, name) or text_kind(text, name):
            return 0
        if name.casefold().endswith((".md", ".markdown", ".mkd")):
            return 60
        if name.casefold().endswith((".txt", ".text")):
            return 0
        return 30 if _SIGNS.search(text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield the file; its id comes from its front matter, if there is one."""
        stretch = whole_file(stream, max_record_bytes)
        if stretch.content is None:
            yield too_large(stretch, uri, max_record_bytes)
            return
        version = content_version(stretch.content)
        try:
            fields, _ = _front_matter(decode_text(stretch.content, uri), uri)
        except MalformedDocumentError as error:
            yield RecordLocation(None, 0, stretch.length, version, error)
            return
        doc_id = next((one_line(str(fields[key])) for key in _ID_FIELDS if fields.get(key)), None)
        yield RecordLocation(doc_id or None, 0, stretch.length, version)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Sections by heading level; raises MalformedDocumentError or EmptyDocumentError."""
        fields, text = _front_matter(decode_text(payload.content, payload.uri), payload.uri)
        tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
        builder = DocumentBuilder()
        try:
            _add_document(builder, list(tree.children), one_line(str(fields.get("title") or "")))
        except RecursionError as error:
            raise MalformedDocumentError(
                f"{payload.uri}: lists or quotes are nested too deeply to be read. Flatten them."
            ) from error
        language = one_line(str(fields.get("language") or fields.get("lang") or "en"))
        metadata = {key: value for key, value in fields.items() if key not in (*_ID_FIELDS, "title")}
        return builder.build(payload, tenant_id, self, metadata=metadata, language=language)


def _front_matter(text: str, uri: str) -> tuple[dict[str, Any], str]:
    """The fields of the YAML block at the start, plain values and lists of them only, and the rest."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        fields = YAML(typ="safe", pure=True).load(match.group(1))
    except (YAMLError, ValueError, RecursionError) as error:
        cause = one_line(str(error))
        raise MalformedDocumentError(
            f"{uri}: its front matter is not valid YAML: {cause}. Correct the lines between the two '---'."
        ) from error
    if not isinstance(fields, Mapping):
        return {}, text
    plain = {str(key): _plain(value) for key, value in fields.items()}
    return {key: value for key, value in plain.items() if value is not None}, text[match.end() :]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        flat = (
            _plain(item) for item in value if not isinstance(item, list)
        )  # aliases may nest without limit
        return [item for item in flat if item is not None]
    if isinstance(value, bool | int | float | str):
        return value
    return str(value) if hasattr(value, "isoformat") else None


def _add_document(builder: DocumentBuilder, nodes: list[SyntaxTreeNode], title: str) -> None:
    """The title is the front matter's, else a level 1 heading that stands first."""
    if not title and nodes and nodes[0].type == "heading" and nodes[0].tag == "h1":
        title = _words(nodes.pop(0))
    builder.title(title)
    levels: list[int] = []
    for node in nodes:
        if node.type != "heading":
            _add_block(builder, node)
            continue
        level = int(node.tag[1:])
        while levels and levels[-1] >= level:
            builder.close_section()
            levels.pop()
        builder.open_section(_words(node))
        levels.append(level)


def _add_block(builder: DocumentBuilder, node: SyntaxTreeNode) -> None:
    if node.type in ("bullet_list", "ordered_list"):
        builder.lines(BlockKind.LIST, _list_lines(node, 0))
    elif node.type in ("fence", "code_block"):
        builder.lines(BlockKind.PARAGRAPH, node.content.split("\n"))
    elif node.type == "table":
        rows = [[_words(cell) for cell in row.children] for part in node.children for row in part.children]
        builder.table(simple_grid(rows))
    elif node.type == "html_block":
        builder.block(BlockKind.PARAGRAPH, _without_tags(node.content))
    elif node.type in ("blockquote", "list_item"):
        for child in node.children:
            _add_block(builder, child)
    elif node.type != "hr":
        builder.block(BlockKind.PARAGRAPH, _words(node))


def _list_lines(node: SyntaxTreeNode, depth: int) -> Iterator[str]:
    """One line per item, nested lists indented under it."""
    first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 0
    for number, item in enumerate(node.children, start=first):
        mark = f"{number}." if node.type == "ordered_list" else "-"
        words = [
            _words(child) for child in item.children if child.type not in ("bullet_list", "ordered_list")
        ]
        yield f"{'  ' * depth}{mark} {one_line(' '.join(words))}"
        for child in item.children:
            if child.type in ("bullet_list", "ordered_list"):
                yield from _list_lines(child, depth + 1)


def _words(node: SyntaxTreeNode) -> str:
    """The plain text of a node and everything in it."""
    if node.type in ("softbreak", "hardbreak"):
        return "\n"
    if node.type in ("html_inline", "html_block"):
        return _without_tags(node.content)
    if node.children:
        separator = (
            "" if node.type in ("inline", "em", "strong", "link", "image", "heading", "paragraph") else " "
        )
        return separator.join(map(_words, node.children))
    return node.content if node.type in ("text", "code_inline", "fence", "code_block", "image") else ""


def _without_tags(content: str) -> str:
    return _TAG.sub(" ", _without_comments(content))


def _without_comments(content: str) -> str:
    """The content with a blank for each comment; without an end it is none, and none is looked for again."""
    parts: list[str] = []
    at = 0
    while (start := content.find("<!--", at)) >= 0 and (end := content.find("-->", start + 4)) >= 0:
        parts += [content[at:start], " "]
        at = end + 3
    return "".join((*parts, content[at:]))
