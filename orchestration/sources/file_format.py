"""The format of a file, recognised from its content by the installed parsers.

Comes in: the first bytes of a file and its name. Leaves: the parser that recognises it with the highest
certainty, or the error of an unknown format, with the next step for frequent cases (compressed files, office
documents).
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.contracts import Parser
from orchestration.errors import ConfigurationError, UnknownFormatError

HEAD_BYTES = 1 << 16

_SIGNATURES = {
    b"\x1f\x8b": "it is compressed (gzip). Unpack it with `gunzip`",
    b"PK\x03\x04": "it is a ZIP archive or an office document. Unpack it, or save it as text",
    b"\xfd7zXZ": "it is compressed (xz). Unpack it with `unxz`",
    b"BZh": "it is compressed (bzip2). Unpack it with `bunzip2`",
    b"\x28\xb5\x2f\xfd": "it is compressed (zstd). Unpack it with `unzstd`",
    b"\xd0\xcf\x11\xe0": "it is an old office document. Save it as text",
    b"SQLite format 3": "it is a database. Export its records as JSON Lines",
}


def recognised(head: bytes, name: str, uri: str, parsers: Mapping[str, Parser]) -> Parser:
    """The parser for a file; of equals the format that sorts first. Raises UnknownFormatError."""
    for signature, problem in _SIGNATURES.items():
        if head.startswith(signature):
            raise UnknownFormatError(f"{uri}: {problem}, and run again.")
    best = max(sorted(parsers.items()), key=lambda item: _certainty(item[1], head, name), default=("", None))[
        1
    ]
    if best is None or _certainty(best, head, name) <= 0:
        raise UnknownFormatError(
            f"{uri}: none of the installed formats ({', '.join(sorted(parsers)) or 'none'}). Convert it, "
            "install a parser for it (entry point group medkg.parsers), or leave it out."
        )
    return best


def _certainty(parser: Parser, head: bytes, name: str) -> int:
    try:
        return parser.recognises(head, name)
    except Exception as error:
        raise ConfigurationError(
            f"parser {parser.format!r} failed while recognising {name!r}: {type(error).__name__}: {error}. "
            "`recognises` must answer for any bytes; fix or uninstall the plugin."
        ) from error
