"""CURIEs of what records of publications name: MeSH terms, substances, numbers of data banks and registries.

Input: codes as the record has them. Output: CURIEs with the prefixes of the Biolink model, else those of
bioregistry.io (read 2026-11-30); none for a code that is not of its system, as PubMed's registry number 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["accession_curies", "mesh_curies", "substance_curies"]

_MESH: Final = re.compile(r"[CDQ]\d{6,9}")
_SUBSTANCES: Final = (
    ("CAS", re.compile(r"(\d{2,7}-\d\d-\d)")),
    ("EC", re.compile(r"EC (\d+(?:\.(?:\d+|-)){1,3})")),
    ("UNII", re.compile(r"([0-9A-Z]{10})")),
)
"""Forms of registry numbers: https://www.nlm.nih.gov/mesh/xml_data_elements.html (RegistryNumber)."""

_BANKS: Final[Mapping[str, str]] = {
    "anzctr": "ACTRN",
    "bioproject": "bioproject",
    "chictr": "CHICTR",
    "clinicaltrials.gov": "NCT",
    "cris": "CRIS",
    "ctri": "CTRI",
    "dbgap": "dbgap",
    "drks": "DRKS",
    "euctr": "EUCTR",
    "eudract": "EUCTR",
    "genbank": "genbank",
    "geo": "geo",
    "irct": "IRCT",
    "isrctn": "ISRCTN",
    "ntr": "NTR",
    "omim": "OMIM",
    "pactr": "PACTR",
    "pdb": "pdb",
    "rebec": "REBEC",
    "refseq": "refseq",
    "rpcec": "RPCEC",
    "slctr": "SLCTR",
    "sra": "insdc.sra",
    "swissprot": "UniProtKB",
    "tctr": "TCTR",
    "umin ctr": "UMIN",
    "umin-ctr": "UMIN",
    "uniprotkb": "UniProtKB",
}
"""Prefixes by the name of the bank in lower case."""

_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


def mesh_curies(code: str) -> tuple[str, ...]:
    """The CURIE of a MeSH descriptor, supplementary concept or qualifier: MESH:D001249."""
    return (f"MESH:{code}",) if _MESH.fullmatch(code) else ()


def substance_curies(number: str) -> tuple[str, ...]:
    """The CURIE of a registry number of MeSH: CAS:50-00-0, EC:2.7.10.1, UNII:9100L32L2N."""
    matches = ((prefix, form.fullmatch(number)) for prefix, form in _SUBSTANCES)
    return tuple(f"{prefix}:{match[1]}" for prefix, match in matches if match)


def accession_curies(bank: str, number: str) -> tuple[str, ...]:
    """The CURIE of a number in a data bank or registry of trials; of a DOI where the number is one."""
    doi = _DOI.fullmatch(number)
    if doi:
        return (f"doi:{doi[1].lower()}",)
    prefix = _BANKS.get(bank.casefold())
    return (f"{prefix}:{number}",) if prefix and number and " " not in number else ()
