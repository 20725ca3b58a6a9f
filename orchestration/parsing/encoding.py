"""Bytes to text for formats that declare no encoding: UTF-8, or UTF-16 with a byte order mark.

Comes in: a file's bytes, or its first ones. Leaves: text, or MalformedDocumentError that says how to
convert. Nothing is guessed: a wrong guess would silently index garbage.
"""

from __future__ import annotations

import codecs
import re

from orchestration.errors import MalformedDocumentError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NUMBERS = re.compile(r"\[-?[\d.]+,[-\d.,]*\]?")
_ROOT = re.compile(r"\s*<([A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>")
_HTML_IN_MARKDOWN = frozenset(
    ("a", "b", "blockquote", "br", "center", "details", "div", "em", "h1", "h2", "h3", "i", "img", "ol", "p")
) | frozenset(("picture", "pre", "span", "strong", "sub", "sup", "table", "ul"))
"""Tags that Markdown and text may begin with; any other element is XML."""
_BINARY = bytes(code for code in range(0x20) if code not in b"\t\n\r\x0b\x0c\x1b")


def decode_text(content: bytes, uri: str) -> str:
    """The text of a whole file; raises MalformedDocumentError naming the first byte that does not fit."""
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedDocumentError(
            f"{uri}: byte {error.start} is not {error.encoding.upper()} ({error.reason}). Convert the file, "
            "e.g. `iconv -f WINDOWS-1252 -t UTF-8 old.txt > new.txt`, and run again."
        ) from error


def decode_head(head: bytes) -> str | None:
    """The beginning of a file as text for recognition; None if it is binary. Never raises."""
    if head.startswith(_UTF16):
        return codecs.getincrementaldecoder("utf-16")("replace").decode(head)
    if len(head.translate(None, _BINARY)) < len(head):
        return None
    return codecs.getincrementaldecoder("utf-8-sig")("replace").decode(head)


def looks_structured(text: str, name: str) -> bool:
    """Is it XML, HTML or JSON rather than prose? Such files belong to the parsers of those formats."""
    start = text.lstrip()[:200].casefold()
    if start.startswith(("<?xml", "<!doctype", "<html")) or name.casefold().endswith(
        (".json", ".jsonl", ".ndjson", ".xml", ".nxml", ".html", ".htm")
    ):
        return True
    root = _ROOT.match(text)
    if root and root[1].casefold() not in _HTML_IN_MARKDOWN and "</" in text:
        return True
    compact = "".join(start.split())
    return compact.startswith(('{"', '[{"', '[["', "{}", "[]", '["')) or bool(_NUMBERS.fullmatch(compact))
