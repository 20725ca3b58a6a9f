"""Safe XML: nothing external is loaded, no declared entity is expanded.

Comes in: bytes. Leaves: an lxml tree, or UnsafeXmlError / MalformedDocumentError. A DOCTYPE may name a
DTD, which is not read; the named characters such DTDs define (&alpha;, &ndash;) are the ISO sets that
HTML has too, and `entity_text` gives them. Depth is bounded by libxml2 (256), text nodes to 10 MB.
"""

from __future__ import annotations

import html.entities
import re
from typing import AnyStr, cast
from xml.parsers import expat

from lxml import etree

from orchestration.errors import MalformedDocumentError, UnsafeXmlError
from orchestration.parsing.encoding import decode_head

_BEFORE_ROOT = re.compile(
    r"""\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>"']|"[^"]*"|'[^']*')*(?:\[.*?\]\s*)?>""", re.DOTALL
)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")


def root_name(head: bytes) -> str | None:
    """The local name of the root element, from the beginning of a file; None if it is not XML."""
    text = decode_head(head)
    match = _ROOT.match(text, end_of_run(_BEFORE_ROOT, text, 0)) if text is not None else None
    return match.group(1) if match else None


def end_of_run(part: re.Pattern[AnyStr], text: AnyStr, start: int) -> int:
    """The position after all that matches `part` from `start` on, one match after the other.

    `(?:part)*` in a longer pattern tries every way to divide the run if the rest of that pattern does not
    match, which takes time exponential in the number of comments. The loop divides it in one way.
    """
    while (match := part.match(text, start)) is not None and match.end() > start:
        start = match.end()
    return start


def parse_xml(content: bytes, uri: str) -> etree._Element:
    """The root element; comments and processing instructions are left out.

    Raises UnsafeXmlError if the document declares entities, MalformedDocumentError if it is not well-formed.
    """
    refuse_entities(content, uri)
    parser = etree.XMLParser(
        load_dtd=False, no_network=True, resolve_entities=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _malformed(uri, error) from error
    if root is None:
        raise _malformed(uri, "it holds no element")
    dtd = root.getroottree().docinfo.internalDTD
    for entity in dtd.iterentities() if dtd is not None else ():  # type: ignore[union-attr]
        raise _unsafe(uri, str(entity.name))  # an encoding that the prolog's reader does not know
    return root


def parse_until(content: bytes, uri: str, tag: str) -> etree._Element:
    """The tree up to the end of the first `{*}tag` element; what follows is not read.

    Raises as `parse_xml`, and MalformedDocumentError if there is no such element.
    """
    refuse_entities(content, uri)
    parser = etree.XMLPullParser(
        events=("end",),
        tag=f"{{*}}{tag}",
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for start in range(0, len(content), 1 << 15):
            parser.feed(content[start : start + (1 << 15)])
            for _, element in parser.read_events():
                return cast(etree._Element, element)
        parser.close()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _malformed(uri, error) from error
    raise _malformed(uri, f"it has no <{tag}> element")


class _RootReachedError(Exception):
    """Ends the reading of a prolog."""


def refuse_entities(content: bytes, uri: str) -> None:
    """Raise UnsafeXmlError if the DOCTYPE declares an entity; reads only up to the root."""

    def declared(name: str, *_: object) -> None:
        raise _unsafe(uri, name)

    def root_reached(*_: object) -> None:
        raise _RootReachedError

    reader = expat.ParserCreate()
    reader.EntityDeclHandler = declared
    reader.StartElementHandler = root_reached
    try:
        for start in range(0, len(content), 1 << 14):
            reader.Parse(content[start : start + (1 << 14)], False)
    except (_RootReachedError, expat.ExpatError, ValueError, LookupError):
        return  # the parse itself reports what is not well-formed, with a better message


def entity_text(name: str) -> str:
    """The characters of a named entity whose DTD was not read; unknown ones stay as written."""
    return html.entities.html5.get(f"{name};", f"&{name};")


def local_name(element: etree._Element) -> str:
    """The element's name without namespace; '' for entity nodes, comments and processing instructions."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag.startswith("{") else tag


def first_child(element: etree._Element, name: str) -> etree._Element | None:
    """The first child of that local name, None if there is none; much faster than `find`."""
    return next(element.iterchildren(f"{{*}}{name}"), None)


def _unsafe(uri: str, entity: str) -> UnsafeXmlError:
    return UnsafeXmlError(
        f"{uri}: its DOCTYPE declares the entity {entity!r}, and medkg expands no entities. Have them "
        "expanded and the DOCTYPE removed in a file you trust, and run again: "
        "`xmllint --noent --nonet --dropdtd old.xml > new.xml`."
    )


def _malformed(uri: str, cause: object) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{uri}: not well-formed XML: {cause}. Fetch the file again, or check it with `xmllint --noout`."
    )
