"""Identifiers as people write them in queries, and as documents have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import chunks_of
from orchestration.contracts import chunk_identifiers, identifiers_of_metadata, named_identifiers
from orchestration.records import DocumentKey


@pytest.mark.parametrize(
    ("query", "identifiers"),
    [
        ("12345", ["pmid:12345"]),
        (" 00012345\n", ["pmid:12345"]),
        ("12345, 67890", ["pmid:12345", "pmid:67890"]),
        ("PMID: 12345", ["pmid:12345"]),
        ("pmid12345 and pmid:12345", ["pmid:12345"]),
        ("PubMed ID 123", ["pmid:123"]),
        ("https://pubmed.ncbi.nlm.nih.gov/31978945/", ["pmid:31978945"]),
        ("https://www.ncbi.nlm.nih.gov/pubmed/31978945?dopt=Abstract", ["pmid:31978945"]),
        ("https://europepmc.org/article/MED/31978945", ["pmid:31978945"]),
        ("what does 31978945 report?", ["pmid:31978945"]),
        ("\uff11\uff12\uff13\uff14\uff15", ["pmid:12345"]),
        ("PMC7092803", ["pmcid:pmc7092803"]),
        ("PMCID: PMC7092803", ["pmcid:pmc7092803"]),
        ("pmcid 7092803", ["pmcid:pmc7092803"]),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC7092803/", ["pmcid:pmc7092803"]),
        ("https://pmc.ncbi.nlm.nih.gov/articles/PMC7092803.2/", ["pmcid:pmc7092803"]),
        ("10.1056/NEJMoa2001017", ["doi:10.1056/nejmoa2001017"]),
        ("doi:10.1056/NEJMoa2001017.", ["doi:10.1056/nejmoa2001017"]),
        ("(see https://doi.org/10.1016/S0140-6736(05)67889-2)", ["doi:10.1016/s0140-6736(05)67889-2"]),
        ("https://dx.doi.org/10.1002%2Fjmv.25678", ["doi:10.1002/jmv.25678"]),
        ("10.1002/jmv\u201125678", ["doi:10.1002/jmv-25678"]),
        ("nct01234567", ["nct:nct01234567"]),
        ("NCT 01234567 results", ["nct:nct01234567"]),
        ("NCT\u20111234567", []),
        ("https://clinicaltrials.gov/study/NCT01234567?tab=results", ["nct:nct01234567"]),
        ("https://openalex.org/W2741809807", ["openalex:w2741809807"]),
        ("PMID 1 PMC2 NCT00000003", ["pmid:1", "pmcid:pmc2", "nct:nct00000003"]),
        ("patients aged 65 in 2019", []),
        ("0.6123456 and 12345678-90", []),
        ("IL-6 10.5/12", []),
        ("", []),
        ("\x00\ud800", []),
    ],
)
def test_a_query_names_identifiers(query: str, identifiers: list[str]) -> None:
    assert list(named_identifiers(query)) == identifiers


@given(st.text())
def test_any_text_is_read(query: str) -> None:
    assert len(named_identifiers(query)) <= 20


def test_a_documents_identifiers_are_those_of_its_metadata() -> None:
    metadata = {
        "pmid": 12345,
        "pmcid": "PMC7",
        "doi": "https://doi.org/10.1000/X",
        "nct_id": None,
        "year": 2020,
    }
    assert identifiers_of_metadata(metadata) == ["pmid:12345", "pmcid:pmc7", "doi:10.1000/x"]
    assert identifiers_of_metadata({"doi": "none", "pmid": ["1"]}) == []


@pytest.mark.parametrize(
    ("source", "doc_id", "identifiers"),
    [
        ("pubmed", "12345", ("pmid:12345",)),
        ("files", "12345", ()),
        ("clinicaltrials", "NCT01234567", ("nct:nct01234567",)),
        ("pmc", "PMC7", ("pmcid:pmc7",)),
        ("pmc", "10.1000/X", ("doi:10.1000/x",)),
        ("openalex", "W123456", ("openalex:w123456",)),
        ("files", "notes/NCT01234567.md", ()),
    ],
)
def test_a_chunk_has_the_identifier_that_its_documents_id_is(
    source: str, doc_id: str, identifiers: tuple[str, ...]
) -> None:
    (chunk,) = chunks_of("walking", doc_id=doc_id)
    assert chunk_identifiers(DocumentKey(tenant_id="t", source=source, doc_id=doc_id), chunk) == identifiers
