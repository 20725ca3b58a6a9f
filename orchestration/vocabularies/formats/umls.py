"""Rich Release Format of UMLS and RxNorm: MRCONSO.RRF and RXNCONSO.RRF.

Comes in: a file of names; MRSTY.RRF or RXNSTY.RRF beside it says of which kind each concept is. Leaves:
concepts with names by language, and the codes of other vocabularies as cross-references. Suppressed names are
left out. Source: https://www.ncbi.nlm.nih.gov/books/NBK9685/ (tables of MRCONSO and MRSTY).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestration.vocabularies.formats.reading import (
    Concepts,
    FileOptions,
    ReadVocabulary,
    fault,
    text_lines,
)

__all__ = ["read_rrf"]

_COLUMNS: Final = 18
_LANGUAGES: Final[Mapping[str, str]] = {
    "ENG": "en",
    "SPA": "es",
    "FRE": "fr",
    "GER": "de",
    "ITA": "it",
    "POR": "pt",
    "DUT": "nl",
    "JPN": "ja",
    "CHI": "zh",
    "KOR": "ko",
    "RUS": "ru",
    "CZE": "cs",
    "SWE": "sv",
    "NOR": "no",
    "DAN": "da",
    "FIN": "fi",
    "POL": "pl",
    "HUN": "hu",
    "TUR": "tr",
    "GRE": "el",
    "ARA": "ar",
    "UKR": "uk",
    "EST": "et",
    "LAV": "lv",
    "SCR": "hr",
    "BAQ": "eu",
    "HEB": "he",
}
_SOURCES: Final[Mapping[str, str]] = {
    "MSH": "MESH",
    "SNOMEDCT_US": "SNOMEDCT",
    "OMIM": "OMIM",
    "HGNC": "HGNC",
    "HPO": "HP",
    "NCI": "NCIT",
    "ICD10CM": "ICD10CM",
    "ICD10": "ICD10",
    "RXNORM": "RXNORM",
    "DRUGBANK": "DRUGBANK",
    "ATC": "ATC",
    "MONDO": "MONDO",
    "LNC": "LOINC",
    "MDR": "MEDDRA",
}
"""Prefixes of codes by source (SAB)."""

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Condition": (
        *("T019", "T020", "T033", "T037", "T046", "T047", "T048", "T049", "T050", "T184", "T190", "T191"),
    ),
    "Drug": (
        *("T103", "T104", "T109", "T114", "T116", "T120", "T121", "T122", "T123", "T125", "T126", "T127"),
        *("T129", "T130", "T131", "T192", "T195", "T196", "T197", "T200"),
    ),
    "Procedure": ("T058", "T059", "T060", "T061", "T063"),
    "Device": ("T074", "T075", "T203"),
    "Gene": ("T028",),
}
_KIND_OF_TYPE: Final = {code: kind for kind, codes in _KINDS.items() for code in codes}
"""Kinds of mentions by semantic type."""


def read_rrf(path: Path, options: FileOptions) -> ReadVocabulary:
    """Concepts of a file of names; raises VocabularyUnreadableError with file and line."""
    concepts = Concepts(path, options)
    kinds = {} if options.kinds else _kinds(path)
    left_out = {"suppressed": 0, "of other sources": 0, "of other kinds": 0}
    for line, text in text_lines(path):
        cells = text.split("|")
        if len(cells) != _COLUMNS + 1 or not cells[0] or not cells[14]:
            raise fault(path, line, f"has {len(cells) - 1} columns; a row of names in RRF has {_COLUMNS}.")
        if cells[16] not in ("", "N"):
            left_out["suppressed"] += 1
        elif options.sources and cells[11] not in options.sources:
            left_out["of other sources"] += 1
        elif kinds and cells[0] not in kinds:
            left_out["of other kinds"] += 1
        else:
            _add(concepts, cells, line, kinds.get(cells[0], {}))
    return ReadVocabulary(
        "rrf", concepts.gathered(), left_out={what: number for what, number in left_out.items() if number}
    )


def _add(concepts: Concepts, cells: list[str], line: int, kinds: Mapping[str, None]) -> None:
    prefix = "RXNORM" if cells[0].isdecimal() else "UMLS"
    curie = f"{prefix}:{cells[0]}"
    is_preferred = cells[1] == "ENG" and (
        (cells[2], cells[4], cells[6]) == ("P", "PF", "Y")
        or (prefix == cells[11] and cells[12] in ("IN", "PIN"))
    )
    concepts.add_name(
        curie,
        cells[14],
        line,
        scope="preferred" if is_preferred else "exact",
        language=_LANGUAGES.get(cells[1], cells[1].lower()),
    )
    concepts.add_kinds(curie, *kinds)
    source = _SOURCES.get(cells[11])
    if source and cells[13] and cells[13] != "NOCODE":
        code = cells[13]
        concepts.add_reference(curie, code if code.startswith(f"{source}:") else f"{source}:{code}")


def _kinds(path: Path) -> dict[str, dict[str, None]]:
    """Kinds by id of the concept, from the table of semantic types beside the file; empty without it."""
    name = path.name.upper().replace("RXNCONSO", "RXNSTY").replace("MRCONSO", "MRSTY")
    types = path.with_name(name)
    kinds: dict[str, dict[str, None]] = {}
    if name == path.name or not types.is_file():
        return kinds
    for line, text in text_lines(types):
        cells = text.split("|")
        if len(cells) < 3:
            raise fault(types, line, "is no row of semantic types in RRF.")
        if kind := _KIND_OF_TYPE.get(cells[1]):
            kinds.setdefault(cells[0], {})[kind] = None
    return kinds
