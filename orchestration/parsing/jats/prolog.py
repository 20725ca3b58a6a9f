"""The prolog that a JATS article is parsed with.

Comes in: the bytes of one article. Leaves: the same with a DOCTYPE that declares what every JATS DTD declares
for the root: the prefixes xlink, mml, ali, xsi and oasis, which publishers leave to the DTD. With a DOCTYPE,
named characters (&alpha;) are no errors, but read by `entity_text`. Declarations of the article itself stay,
so that `refuse_entities` sees them.
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.parsing.xml.trees import end_of_run

_PREFIXES: Final = {
    "xlink": "http://www.w3.org/1999/xlink",
    "mml": "http://www.w3.org/1998/Math/MathML",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "oasis": "http://www.niso.org/standards/z39-96/ns/oasis-exchange/table",
}
_BLANK = re.compile(rb"\xef\xbb\xbf|\s+")
_MISCELLANY = re.compile(rb"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_DOCTYPE = re.compile(
    rb"""<!DOCTYPE\s+[\w:.-]+(?:[^\[>"']|"[^"]*"|'[^']*')*(?:\[(?P<subset>.*?)\]\s*)?>""", re.DOTALL
)
_ROOT = re.compile(rb"<([\w:.-]+)")


def with_declarations(content: bytes) -> bytes:
    """The bytes of an article with the declarations of the JATS DTDs; lines keep their numbers.

    Bytes that do not begin as XML in an encoding like ASCII are returned as they are.
    """
    start = end_of_run(_BLANK, content, 0)
    end = end_of_run(_MISCELLANY, content, start)
    doctype = _DOCTYPE.match(content, end)
    rest = doctype.end() if doctype else end
    root = _ROOT.match(content, end_of_run(_MISCELLANY, content, rest))
    if root is None:
        return content
    attributes = "".join(f' xmlns:{prefix} CDATA "{uri}"' for prefix, uri in _PREFIXES.items())
    attlist = b"<!ATTLIST " + root[1] + attributes.encode() + b">"
    subset = (doctype["subset"] or b"") if doctype else b""
    lines = b"\n" * ((doctype[0].count(b"\n") if doctype else 0) - subset.count(b"\n"))
    declared = b'<!DOCTYPE %s SYSTEM "JATS.dtd" [%s%s%s]>' % (root[1], attlist, lines, subset)
    return content[start:end] + declared + content[rest:]
