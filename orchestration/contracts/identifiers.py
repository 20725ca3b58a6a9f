"""Identifiers of documents, as stores keep them and queries name them: PMID, PMCID, DOI, NCT, OpenAlex.

An identifier is `kind:value` in lower case: pmid:12345, pmcid:pmc123, doi:10.1000/x, nct:nct01234567,
openalex:w123. A document's are those of its id and its metadata; the chunk stage copies the latter to its
chunks. A query names one bare, with a prefix (PMID: 12345) or as a URL of a resolver or registry; a number
alone is a PMID if the query is nothing else, or if it has seven digits or more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from orchestration.contracts.text_folding import folded_text
from orchestration.records import Chunk, DocumentKey

__all__ = [
    "IDENTIFIER",
    "PUBLICATION_KINDS",
    "chunk_identifiers",
    "document_identifiers",
    "identifiers_of_metadata",
    "named_identifiers",
]

IDENTIFIER: Final = "identifier"
"""Field of Chunk.metadata."""

PUBLICATION_KINDS: Final = frozenset({"doi", "pmid", "pmcid", "openalex"})
"""Kinds of identifiers that only one publication has; trials have theirs of kind nct."""

MOST_NAMED: Final = 20
"""Identifiers of one query that are looked up."""

SEPARATOR: Final = r"[\s:#/=-]{0,3}"
PATTERN: Final = re.compile(
    rf"(?P<nct>(?<![a-z0-9])nct{SEPARATOR}(?P<nct_number>\d{{8}})(?!\d))"
    rf"|(?P<pmcid>(?<![a-z0-9])pmc(?:\s?id)?{SEPARATOR}(?:pmc)?(?P<pmc_number>\d{{1,9}})(?!\d))"
    rf"|(?P<pmid>(?:(?<![a-z0-9])pmid{SEPARATOR}|/med/"
    r"|(?<![a-z0-9])pubmed(?:\.ncbi\.nlm\.nih\.gov|\.gov)?(?:\s?id)?[\s:#/]{1,3}(?:\?term=)?)"
    r"(?P<pm_number>\d{1,9})(?!\d))"
    r"|(?P<doi>(?<![\d.])10\.\d{4,9}/[^\s\"<>{}|\\^`?]{1,500})"
    r"|(?P<openalex>(?<![a-z0-9])w\d{4,12}(?![a-z0-9]))"
    r"|(?P<number>(?<![a-z0-9./-])\d{7,9}(?![a-z0-9/-]|\.\d))",
)
NUMBERS: Final = re.compile(r"\d{1,9}(?:[\s,;]+\d{1,9})*")
"""A query of nothing but numbers."""

TRAILING: Final = ".,;:'*&"
PAIRS: Final = (("(", ")"), ("[", "]"))


def named_identifiers(query: str) -> tuple[str, ...]:
    """Return the identifiers that a query names, in its order, without repeats."""
    text = folded_text(query).strip().lower()
    if NUMBERS.fullmatch(text):
        identifiers = [f"pmid:{int(number)}" for number in re.split(r"[\s,;]+", text)]
    else:
        identifiers = [
            _identifier(match) for match in PATTERN.finditer(unquote(text) if "%" in text else text)
        ]
    return tuple(dict.fromkeys(identifiers))[:MOST_NAMED]


def identifiers_of_metadata(metadata: Mapping[str, Any]) -> list[str]:
    """Return the document's own identifiers among its metadata."""
    fields = (("pmid", "pmid:"), ("pmcid", "pmcid:"), ("doi", ""), ("nct_id", ""))
    texts = (
        f"{prefix}{metadata[name]}" for name, prefix in fields if isinstance(metadata.get(name), str | int)
    )
    return list(dict.fromkeys(identifier for text in texts for identifier in named_identifiers(text)[:1]))


def chunk_identifiers(key: DocumentKey, chunk: Chunk) -> tuple[str, ...]:
    """Return the identifiers of a chunk's document: those of its id, and of its metadata."""
    of_metadata = chunk.metadata.get(IDENTIFIER)
    stored = [each for each in of_metadata if isinstance(each, str)] if isinstance(of_metadata, list) else []
    return tuple(dict.fromkeys([*_of_id(key), *stored]))


def document_identifiers(key: DocumentKey, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the identifiers of a document: those of its id, and of its metadata."""
    return tuple(dict.fromkeys([*_of_id(key), *identifiers_of_metadata(metadata)]))


def _of_id(key: DocumentKey) -> Iterator[str]:
    """The identifier that a document's id is; a bare number is a PMID in the sources of PubMed and PMC."""
    doc_id = key.doc_id.strip().lower()
    if doc_id.isdecimal():
        yield from named_identifiers(doc_id)[:1] if key.source in ("pubmed", "pmc") else ()
        return
    match = PATTERN.fullmatch(doc_id)
    if match is not None and match.lastgroup != "number":
        yield _identifier(match)


def _identifier(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if groups["nct"]:
        return f"nct:nct{groups['nct_number']}"
    if groups["pmcid"]:
        return f"pmcid:pmc{int(groups['pmc_number'])}"
    if groups["doi"]:
        return f"doi:{_doi(groups['doi'])}"
    if groups["openalex"]:
        return f"openalex:{groups['openalex']}"
    return f"pmid:{int(groups['pm_number'] or groups['number'])}"


def _doi(text: str) -> str:
    """Without signs of the sentence around it."""
    while text:
        shorter = text.rstrip(TRAILING)
        for opening, closing in PAIRS:
            if shorter.endswith(closing) and shorter.count(closing) > shorter.count(opening):
                shorter = shorter[:-1]
        if shorter == text:
            return text
        text = shorter
    return text
