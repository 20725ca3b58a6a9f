"""The revision of a PubMed record: its version, its date of revision, and the file of NLM that holds it.

Comes in: the bytes of a record and the name of its file. Leaves: a revision. Update files repeat records and
are to be applied in the order of their numbers (pubmed26n1335.xml); a new year's baseline begins a new count.
https://pubmed.ncbi.nlm.nih.gov/download/ (read 2026-11-29).
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.contracts import revision_of

__all__ = ["pubmed_revision"]

_VERSION: Final = re.compile(rb"<PMID\b[^<>]*\bVersion\s*=\s*[\"'](\d+)[\"']")
_REVISED: Final = re.compile(rb"<DateRevised\b[^<>]*>((?:(?!</?DateRevised\b).)*)</DateRevised>", re.DOTALL)
_PARTS: Final = re.compile(rb"<(Year|Month|Day)\s*>\s*(\w+)\s*</")
_FILE: Final = re.compile(r"pubmed(\d\d)n(\d{4,})\.xml(?:\.gz)?$", re.IGNORECASE)


def pubmed_revision(record: bytes, uri: str) -> str:
    """'1|2024-03-01|26n1335'; parts that record and name do not state are empty."""
    version = _VERSION.search(record)
    file = _FILE.search(uri)
    return revision_of(
        version.group(1).decode() if version else "",
        _revised(record),
        f"{file[1]}n{file[2]}" if file else "",
    )


def _revised(record: bytes) -> str:
    revised = _REVISED.search(record)
    if revised is None:
        return ""
    parts = {
        name.decode(): text.decode("utf-8", "replace") for name, text in _PARTS.findall(revised.group(1))
    }
    return "-".join(parts[name].zfill(2) for name in ("Year", "Month", "Day") if name in parts)
