"""Licences as the codes that filters and the download stage use, from any form in which records state them.

Comes in: a licence's URL, code or statement from a record. Leaves: one of LICENCES, and whether a copy
may be given to others. Nothing permissive is guessed: what is not understood is `other`, and
neither `other` nor `none` may be redistributed. The codes are those of Creative Commons' own URLs
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
_NAME = re.compile(
    r"\b(?:cc|creative commons)[- ]?(?:cc[- ])?(?:by|attribution)\b"
    r"((?:[ ,/-]*(?:nc\b|nd\b|sa\b|non-?commercial|no-?deriv\w*|share-?alike))*)"
)
_ALONE = re.compile(r"by(?:-nc|-nd|-sa)*")
_CC0 = re.compile(r"\bcc[- ]?(?:0|zero)\b|\bpublic domain dedication\b")
_OF_DATA = re.compile(r"\b(?:meta)?data\b")
"""Publishers waive rights in an article's data beside another licence for its text."""
_PUBLIC_DOMAIN = re.compile(r"(?:public[- ]domain|pd|cc[- ]pdm?)(?: mark)?(?: 1\.0)?")
_DECLARATION = "creative commons public domain declaration"
_NC = re.compile(r"\bnc\b|non-?commercial")
_ND = re.compile(r"\bnd\b|no-?deriv")
_SA = re.compile(r"\bsa\b|share-?alike")
_SPELLINGS = {
    "\u2010": "-",
    "\u2011": "-",
    "\u2013": "-",
    "non commercial": "non-commercial",
    "no deriv": "no-deriv",
    "share alike": "share-alike",
}


def licence_of(statement: str | None) -> str:
    """One of LICENCES for a URL ('http://creativecommons.org/licenses/by/4.0/'), a code ('CC BY-NC 4.0') or
    sentences that name the licence; conditions of all named licences are combined."""
    text = " ".join((statement or "").casefold().split())
    for spelling, usual in _SPELLINGS.items():
        text = text.replace(spelling, usual)
    if text in ("", NONE):
        return NONE
    urls = _URL.findall(text)
    named = [conditions for conditions, _ in urls if conditions] + _NAME.findall(text)
    if named or _ALONE.fullmatch(text):
        return _with_conditions(" ".join(named) or text, text)
    if any(mark == "zero" for _, mark in urls) or _CC0.search(text):
        return OTHER if _OF_DATA.search(text) else "cc0"
    if urls or _DECLARATION in text or _PUBLIC_DOMAIN.fullmatch(text.strip(" .")):
        return "public-domain"
    return OTHER


def is_redistributable(licence: str) -> bool:
    """Whether an unchanged copy under `licence`, one of LICENCES, may be redistributed."""
    return licence in REDISTRIBUTABLE


def _with_conditions(named: str, text: str) -> str:
    """The licence with the conditions that its names have, and those that its words speak of."""
    conditions = []
    if _NC.search(named) or "non-commercial" in text or "noncommercial" in text:
        conditions.append("nc")
    if _ND.search(named) or "no-deriv" in text or "noderiv" in text:
        conditions.append("nd")
    elif _SA.search(named):
        conditions.append("sa")
    return "-".join(["cc-by", *conditions])
