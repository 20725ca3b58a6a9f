"""DOIs and PMIDs in the words and addresses of citations.

Input: words as authors write them: 'doi:10.1016/abc', '(https://doi.org/10.1016/abc).', 'PMID: 123'. Output:
the identifier alone, without the punctuation and brackets of the sentence around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

__all__ = ["doi_in", "is_in", "pmid_in"]

_DOI: Final = re.compile(
    r"(?:\bdoi\b(?:\.org/|[:\s]*)(?:doi:\s*)?|\bdoi\.org/|info:doi/)(10\.\d{4,9}(?:/|%2F)[^\s<>\"“”]\S*)",
    re.IGNORECASE,
)
_PMID: Final = (
    re.compile(r"\b(?:www\.)?ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/(\d+)\b", re.IGNORECASE),
    re.compile(r"\bpubmed\.ncbi\.nlm\.nih\.gov/(\d+)\b", re.IGNORECASE),
    re.compile(r"\bPMID:?\s*(\d+)\b"),
)
_PUNCTUATION: Final = ".,;:'\"“”‘’«»"
_BRACKETS: Final = {")": "(", "]": "[", "}": "{", ">": "<"}


def doi_in(texts: Iterable[str]) -> str | None:
    """The first DOI in words or addresses that names itself as one."""
    matches = filter(None, map(_DOI.search, texts))
    return next((_trimmed(unquote(match[1])) for match in matches), None)


def pmid_in(texts: Iterable[str]) -> str | None:
    """The first PMID in addresses of PubMed or behind the word PMID."""
    return next((match[1] for text in texts for pattern in _PMID if (match := pattern.search(text))), None)


def is_in(identifier: str, text: str) -> bool:
    """Whether a text has an identifier, in any case, and not as a part of a longer word or number."""
    identifier, text = identifier.casefold(), text.casefold()
    if identifier not in text:
        return False  # most do not have it, and a pattern of each identifier would be compiled
    return re.search(rf"(?<!\w){re.escape(identifier)}(?!\w)", text) is not None


def _trimmed(doi: str) -> str:
    """A DOI without punctuation and brackets that close what was opened before it; its own ones stay."""
    while doi and (doi[-1] in _PUNCTUATION or _is_unopened(doi)):
        doi = doi[:-1]
    return doi


def _is_unopened(doi: str) -> bool:
    opening = _BRACKETS.get(doi[-1])
    return opening is not None and doi.count(opening) < doi.count(doi[-1])
