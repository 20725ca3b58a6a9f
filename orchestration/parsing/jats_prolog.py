"""The prolog that a JATS article is parsed with.

Comes in: the bytes of one article. Leaves: the same with a DOCTYPE that declares what every JATS DTD declares
for the root: the prefixes xlink, mml, ali, xsi and oasis, which publishers leave to the DTD. With a DOCTYPE,
named characters (&alpha;) are no errors, but read by `entity_text`. Declarations of the article itself stay,
so that `refuse_entities` sees them.
"""

from __future__ import annotations

import re
from typing import Final

_PREFIXES: Final = {
    "xlink": "http://www.w3.org/1999/xlink",
    "mml": "http://www.w3.org/1998/Math/MathML",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "oasis": "http://www.niso.org/standards/z39-96/ns/oasis-exchange/table",
}
_PROLOG = re.compile(
    rb"""\A(?:\xef\xbb\xbf)?\s*(?P<declaration><\?xml\s.*?\?>)?(?P<before>(?:\s|<!--.*?-->|<\?.*?\?>)*)"""
    rb"""(?P<doctype><!DOCTYPE\s+(?P<name>[\w:.-]+)(?:[^\[>"']|"[^"]*"|'[^']*')*(?:\[(?P<subset>.*?)\]\s*)?>)?""",
    re.DOTALL,
)
_ROOT = re.compile(rb"\s*(?:<!--.*?-->\s*|<\?.*?\?>\s*)*<(?P<name>[\w:.-]+)", re.DOTALL)


def with_declarations(content: bytes) -> bytes:
    """The bytes of an article with the declarations of the JATS DTDs; lines keep their numbers.

    Bytes that do not begin as XML in an encoding like ASCII are returned as they are.
    """
    prolog = _PROLOG.match(content)
    root = _ROOT.match(content, prolog.end()) if prolog else None
    if prolog is None or root is None:
        return content
    doctype = prolog["doctype"] or b""
    attributes = "".join(f' xmlns:{prefix} CDATA "{uri}"' for prefix, uri in _PREFIXES.items())
    attlist = b"<!ATTLIST " + root["name"] + attributes.encode() + b">"
    subset = prolog["subset"] or b""
    lines = b"\n" * (doctype.count(b"\n") - subset.count(b"\n"))
    declared = b'<!DOCTYPE %s SYSTEM "JATS.dtd" [%s%s%s]>' % (root["name"], attlist, lines, subset)
    before = (prolog["declaration"] or b"") + (prolog["before"] or b"")
    return before + declared + content[prolog.end() :]
