"""IRIs of concepts: CURIEs expanded by the namespaces of their vocabularies.

Input: keys of concepts. Output: IRIs; keys of the data folder and of unknown vocabularies are URNs.
Source: prefix map of the Biolink model 4.4 (https://w3id.org/biolink/) and https://bioregistry.io.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

__all__ = ["document_iri", "expanded", "scalar_text", "urn"]

OBO: Final = "http://purl.obolibrary.org/obo/"
_OBO_PREFIXES: Final = (
    *("BFO", "CHEBI", "CL", "CLO", "DOID", "DRON", "ECTO", "ENVO", "FOODON", "GO", "HP", "IAO", "MAXO"),
    *("MONDO", "MP", "NCIT", "NCBITaxon", "OBI", "PATO", "PR", "RO", "SO", "UBERON", "VO"),
)
NAMESPACES: Final[Mapping[str, str]] = {
    **{prefix: f"{OBO}{prefix}_" for prefix in _OBO_PREFIXES},
    "ATC": "http://www.whocc.no/atc_ddd_index/?code=",
    "CAS": "http://identifiers.org/cas/",
    "CHEMBL.COMPOUND": "http://identifiers.org/chembl.compound/",
    "CVCL": "http://identifiers.org/cellosaurus/",
    "DRUGBANK": "http://identifiers.org/drugbank/",
    "EFO": "http://www.ebi.ac.uk/efo/EFO_",
    "ENSEMBL": "http://identifiers.org/ensembl/",
    "GARD": "http://identifiers.org/gard/",
    "HGNC": "http://identifiers.org/hgnc/",
    "ICD10": "http://id.who.int/icd/release/10/",
    "ICD10CM": "https://icd.codes/icd10cm/",
    "ISRCTN": "http://identifiers.org/isrctn/",
    "KEGG.COMPOUND": "http://identifiers.org/kegg.compound/",
    "LOINC": "http://loinc.org/rdf/",
    "MEDDRA": "http://identifiers.org/meddra/",
    "MEDGEN": "http://identifiers.org/medgen/",
    "MESH": "http://id.nlm.nih.gov/mesh/",
    "NCBIGene": "http://identifiers.org/ncbigene/",
    "NCT": "http://identifiers.org/clinicaltrials/",
    "OMIM": "http://purl.bioontology.org/ontology/OMIM/",
    "ORPHA": "http://www.orpha.net/ORDO/Orphanet_",
    "PMC": "http://identifiers.org/pmc/PMC",
    "PMID": "http://identifiers.org/pubmed/",
    "PUBCHEM.COMPOUND": "http://identifiers.org/pubchem.compound/",
    "RXNORM": "http://purl.bioontology.org/ontology/RXNORM/",
    "SNOMEDCT": "http://snomed.info/id/",
    "UMLS": "http://linkedlifedata.com/resource/umls/id/",
    "UNII": "http://identifiers.org/unii/",
    "UniProtKB": "http://identifiers.org/uniprot/",
    "WIKIDATA": "http://www.wikidata.org/entity/",
    "doi": "https://doi.org/",
}
"""Namespace by prefix; no two are equal, so that an IRI has one key."""

_SAFE: Final = "-._~!$&'()*+,;=:@/"
"""Characters of an IRI's path that need no escape; percent signs of a key are escaped."""


def expanded(key: str) -> str:
    """The IRI of a concept's key: urn:medkg:PREFIX:LOCAL for those without a namespace."""
    prefix, colon, local = scalar_text(key).partition(":")
    if colon and prefix in NAMESPACES:
        if prefix == "PMC":
            local = local.removeprefix("PMC")
        return NAMESPACES[prefix] + quote(local, safe=_SAFE)
    return urn(*((prefix, local) if colon else ("key", prefix)))


def urn(*parts: str) -> str:
    """urn:medkg: with these parts, escaped, so that different parts never give the same URN."""
    return "urn:medkg:" + ":".join(quote(scalar_text(part), safe="-._~") for part in parts)


def document_iri(tenant_id: str, source: str, doc_id: str, version: str) -> str:
    """The URN of one version of a document."""
    return urn("document", tenant_id, source, doc_id, version)


def scalar_text(text: str) -> str:
    """Text without lone surrogates, which no UTF-8 file can hold: U+FFFD in their place."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
