"""Compact identifiers: prefix:local, e.g. MESH:D003920, with the prefixes of the Biolink model.

Comes in: identifiers as files write them: CURIEs, IRIs, bare ids of a known vocabulary. Leaves: CURIEs.
Source: https://www.w3.org/TR/curie/, https://biolink.github.io/biolink-model/ (id_prefixes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["KNOWN_PREFIXES", "curie_of", "kinds_of_prefix", "prefix_of"]

MOST_CHARACTERS: Final = 200
"""Of a CURIE."""

_CURIE: Final = re.compile(r"(?P<prefix>[A-Za-z][A-Za-z0-9_.-]{0,39}):(?P<local>(?!//)[^\s|<>\"]{1,160})")
_OBO: Final = re.compile(r"https?://purl\.obolibrary\.org/obo/(?P<prefix>[A-Za-z]+)_(?P<local>\w+)")
_IRI: Final = re.compile(r"(?P<space>https?://\S*[/#=])(?P<local>[^\s/#=]+)")

_SPACES: Final[Mapping[str, str]] = {
    "id.nlm.nih.gov/mesh/": "MESH",
    "www.ebi.ac.uk/efo/": "EFO",
    "www.orpha.net/ORDO/": "ORPHA",
    "purl.bioontology.org/ontology/MESH/": "MESH",
    "purl.bioontology.org/ontology/RXNORM/": "RXNORM",
    "purl.bioontology.org/ontology/SNOMEDCT/": "SNOMEDCT",
    "snomed.info/id/": "SNOMEDCT",
    "www.omim.org/entry/": "OMIM",
    "omim.org/entry/": "OMIM",
    "www.ncbi.nlm.nih.gov/gene/": "NCBIGene",
    "linkedlifedata.com/resource/umls/id/": "UMLS",
    "www.wikidata.org/entity/": "WIKIDATA",
    "identifiers.org/hgnc/": "HGNC",
    "identifiers.org/mesh/": "MESH",
    "identifiers.org/omim/": "OMIM",
}
"""Namespaces of IRIs, without their scheme."""

_SPELLINGS: Final[Mapping[str, str]] = {
    "msh": "MESH",
    "mesh": "MESH",
    "mesh_supplementary_concept": "MESH",
    "entrez": "NCBIGene",
    "ncbi_gene": "NCBIGene",
    "ncbigene": "NCBIGene",
    "geneid": "NCBIGene",
    "mim": "OMIM",
    "omimps": "OMIM",
    "umls_cui": "UMLS",
    "rxcui": "RXNORM",
    "snomedct_us": "SNOMEDCT",
    "sctid": "SNOMEDCT",
    "orphanet": "ORPHA",
    "ordo": "ORPHA",
    "hpo": "HP",
    "do": "DOID",
    "drug_bank": "DRUGBANK",
    "nci": "NCIT",
    "taxonomy": "NCBITaxon",
    "ncbitaxon": "NCBITaxon",
}

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "CHEBI": ("Drug",),
    "DRUGBANK": ("Drug",),
    "DOID": ("Condition",),
    "ENSEMBL": ("Gene",),
    "HGNC": ("Gene",),
    "HP": ("Condition",),
    "ICD10": ("Condition",),
    "ICD10CM": ("Condition",),
    "MONDO": ("Condition",),
    "NCBIGene": ("Gene",),
    "OMIM": ("Condition",),
    "ORPHA": ("Condition",),
    "RXNORM": ("Drug",),
    "UNII": ("Drug",),
    "ATC": ("Drug",),
    "CHEMBL.COMPOUND": ("Drug",),
    "PUBCHEM.COMPOUND": ("Drug",),
}
"""Kinds of mentions of vocabularies that have one subject."""

KNOWN_PREFIXES: Final = frozenset(
    {
        *_KINDS,
        *(
            "MESH",
            "UMLS",
            "SNOMEDCT",
            "NCIT",
            "EFO",
            "GO",
            "UBERON",
            "CL",
            "PR",
            "SO",
            "NCBITaxon",
            "BFO",
            "RO",
        ),
        *(
            "MEDDRA",
            "LOINC",
            "WIKIDATA",
            "CAS",
            "KEGG.COMPOUND",
            "MP",
            "ECTO",
            "PATO",
            "ICD9",
            "ICD11",
            "ICF",
        ),
        *("GARD", "MEDGEN", "CLO", "CVCL", "UniProtKB", "IAO", "OBI", "FOODON", "ENVO", "VO", "MAXO", "DRON"),
    }
)


def curie_of(text: str, default_prefix: str | None = None) -> str | None:
    """The CURIE that an identifier stands for; None where it is none and there is no default prefix."""
    text = text.strip()
    if match := _OBO.fullmatch(text):
        return _joined(match["prefix"], match["local"])
    if match := _IRI.fullmatch(text):
        prefix = _SPACES.get(match["space"].split("://", 1)[1], default_prefix)
        return _joined(prefix, match["local"]) if prefix else None
    if match := _CURIE.fullmatch(text):
        return _joined(match["prefix"], match["local"])
    if default_prefix and text and not re.search(r"[\s:|<>\"]", text):
        return _joined(default_prefix, text)
    return None


def prefix_of(curie: str) -> str:
    """The prefix of a CURIE."""
    return curie.partition(":")[0]


def kinds_of_prefix(curie: str) -> tuple[str, ...]:
    """Kinds of mentions of its vocabulary; empty for one with several subjects or none that is known."""
    return _KINDS.get(prefix_of(curie), ())


def _joined(prefix: str, local: str) -> str | None:
    canonical = _SPELLINGS.get(prefix.lower()) or _CANONICAL.get(prefix.lower(), prefix)
    curie = f"{canonical}:{local}"
    return curie if len(curie) <= MOST_CHARACTERS else None


_CANONICAL: Final = {prefix.lower(): prefix for prefix in KNOWN_PREFIXES}
