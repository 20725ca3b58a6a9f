"""The format of a file, recognised from its content by the installed parsers.

Comes in: the first bytes of a file and its name. Leaves: the parser that recognises it with the highest
certainty, or the error of an unknown format, which names what the file is (an archive, a list of citations,
XML of another kind) and the next step.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from itertools import islice

from orchestration.contracts import Parser
from orchestration.errors import ConfigurationError, UnknownFormatError
from orchestration.formats.file_kinds import binary_kind, text_kind

HEAD_BYTES = 1 << 16

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_FIELD = re.compile(r'"([^"\\]{1,40})"\s*:')
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ROOT = re.compile(r"<(?![?!])([\w.:-]+)")


def recognised(head: bytes, name: str, uri: str, parsers: Mapping[str, Parser]) -> Parser:
    """The parser for a file; of equals the format that sorts first. Raises UnknownFormatError."""
    certainties = {format: _certainty(parsers[format], head, name) for format in sorted(parsers)}
    best = max(certainties, key=certainties.__getitem__, default="")
    if certainties.get(best, 0) <= 0:
        raise UnknownFormatError(f"{uri}: {_description(head, name, parsers)}")
    return parsers[best]


def _description(head: bytes, name: str, parsers: Mapping[str, Parser]) -> str:
    """What the file is, as far as that can be seen, and the next step."""
    encoding = "utf-16" if head.startswith(_UTF16) else "utf-8"
    text = head.decode(encoding, "replace")
    kind = binary_kind(head) or text_kind(text, name)
    if kind is not None:
        return f"it is {kind.what}, which medkg does not read. {kind.next_step}."
    control = _control_character(head)
    if control:
        return control
    installed = f"none of the installed formats ({', '.join(sorted(parsers)) or 'none'})"
    convert = "Convert it, install a parser for it (entry point group medkg.parsers), or leave it out."
    start = text.lstrip("\ufeff \t\r\n")
    root = _ROOT.search(start) if start.startswith("<") else None
    if root is not None:
        what = "a web page" if root[1].casefold() == "html" else f"XML whose root element is <{root[1]}>"
        return f"it is {what}, {installed}. {convert}"
    if start.startswith(("{", "[")):
        fields = ", ".join(dict.fromkeys(islice(_JSON_FIELD.findall(start), 5)))
        return f"it is JSON with fields {fields or '(none)'}, {installed}. {convert}"
    return f"{installed}. {convert}"


def _control_character(head: bytes) -> str:
    """What is wrong with XML or JSON that holds a control character, which neither has; '' for others."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    is_one_byte_text = text[:1] in (b"<", b"{", b"[") and text[1:2] != b"\0"
    control = _CONTROL.search(head) if is_one_byte_text else None
    if control is None:
        return ""
    return (
        f"byte {control.start():,} is the control character 0x{control.group().hex()}, which neither XML nor "
        "JSON may hold, so that the file is taken for binary. Fetch it again, or remove such characters: "
        "`tr -d '\\000-\\010\\016-\\037' < old > new`."
    )


def _certainty(parser: Parser, head: bytes, name: str) -> int:
    try:
        return parser.recognises(head, name)
    except Exception as error:
        raise ConfigurationError(
            f"parser {parser.format!r} failed while recognising {name!r}: {type(error).__name__}: {error}. "
            "`recognises` must answer for any bytes; fix or uninstall the plugin."
        ) from error
