"""Licences in the few words that filters and the download stage use, whatever the record calls them.

Comes in: a licence's URL, code or statement as a record gives it. Leaves: one of LICENCES, and whether a copy
may be given to others. Nothing is guessed in favour of the reader: what is not understood is `other`, and
neither `other` nor `none` may be passed on. The codes are those of Creative Commons' own URLs
(https://creativecommons.org/share-your-work/cclicenses/).
"""

from __future__ import annotations

import re
from typing import Final

NONE: Final = "none"
"""The record names no licence, so all rights are reserved."""
OTHER: Final = "other"
"""A licence of the publisher's own, or one that is not understood."""

REDISTRIBUTABLE: Final = frozenset(
    {"cc0", "public-domain", "cc-by", "cc-by-sa", "cc-by-nd", "cc-by-nc", "cc-by-nc-sa", "cc-by-nc-nd"}
)
"""Licences under which an unchanged copy may be passed on; nc: not for money, nd: not changed."""

LICENCES: Final = REDISTRIBUTABLE | {OTHER, NONE}

_URL = re.compile(r"creativecommons\.org/(?:licenses/(by(?:-nc|-nd|-sa)*)|publicdomain/(zero|mark))\b")
_CODE = re.compile(r"\bcc[- ]?by((?:[- ](?:nc|nd|sa))*)\b")
_CC0 = re.compile(r"\bcc[- ]?(?:0|zero)\b|\bpublic domain dedication\b")
_PUBLIC_DOMAIN = re.compile(r"\bpublic[- ]domain\b|\bpd\b")
_NAME = re.compile(
    r"creative commons attribution((?:[ -/,]*(?:non-?commercial|no-?deriv\w*|share-?alike))*)",
)
_CONDITIONS = {"nc": re.compile(r"non-?commercial|\bnc\b"), "nd": re.compile(r"no-?deriv|\bnd\b")}
_SHARE_ALIKE = re.compile(r"share-?alike|\bsa\b")


def licence_of(statement: str | None) -> str:
    """One of LICENCES for a URL ('http://creativecommons.org/licenses/by/4.0/'), a code ('CC BY-NC 4.0') or
    a sentence that names the licence."""
    text = " ".join((statement or "").casefold().replace("‐", "-").replace("‑", "-").split())
    text = text.replace("–", "-").replace("non commercial", "non-commercial").replace("no deriv", "no-deriv")
    if not text or text == NONE:
        return NONE
    if url := _URL.search(text):
        return _with_conditions(url[1]) if url[1] else {"zero": "cc0", "mark": "public-domain"}[url[2]]
    if _CC0.search(text):
        return "cc0"
    if named := _CODE.search(text) or _NAME.search(text):
        return _with_conditions(named[1])
    return "public-domain" if _PUBLIC_DOMAIN.fullmatch(text.strip(" .")) else OTHER


def is_redistributable(licence: str) -> bool:
    """May an unchanged copy under `licence`, one of LICENCES, be passed on?"""
    return licence in REDISTRIBUTABLE


def _with_conditions(conditions: str) -> str:
    found = [name for name, pattern in _CONDITIONS.items() if pattern.search(conditions)]
    if "nd" not in found and _SHARE_ALIKE.search(conditions):
        found.append("sa")
    return "-".join(["cc-by", *found])
