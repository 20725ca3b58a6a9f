"""Registry numbers in articles: each form, once per trial, and nothing that only looks like one."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_document
from orchestration.contracts import Extraction
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.registry import RegistryExtractor
from orchestration.records import Document
from orchestration.topology.shipped import shipped_folder


def an_article(*paragraphs: str, **metadata: str) -> Document:
    article = a_document("PMC1", title="Walking and sleep", sections={"Methods": paragraphs}, source="pmc")
    return article.model_copy(update={"metadata": metadata})


def extracted(document: Document) -> Extraction:
    return RegistryExtractor().extract(document)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("NCT01234567", "NCT:NCT01234567"),
        ("nct 01234567", "NCT:NCT01234567"),
        ("(NCT01234567).", "NCT:NCT01234567"),
        ("ISRCTN12345678", "ISRCTN:ISRCTN12345678"),
        ("ISRCTN\u00a012345678", "ISRCTN:ISRCTN12345678"),
        ("ACTRN12605000001628", "ACTRN:ACTRN12605000001628"),
        ("DRKS00012345", "DRKS:DRKS00012345"),
        ("UMIN000012345", "UMIN:UMIN000012345"),
        ("ChiCTR1900012345", "CHICTR:ChiCTR1900012345"),
        ("EudraCT number 2004-001234-12", "EUCTR:2004-001234-12"),
        ("EudraCT: 2004-001234-12", "EUCTR:2004-001234-12"),
        ("EUCTR2004-001234-12", "EUCTR:2004-001234-12"),
    ],
)
def test_a_registry_number_is_a_mention_of_its_trial(text: str, concept: str) -> None:
    document = an_article(f"Registered as {text}")
    mentions, (claim,) = extracted(document)
    article, trial = mentions
    assert (article.name, article.kind) == ("Walking and sleep", "Article")
    assert (trial.concept, trial.kind) == (concept, "Trial")
    assert document.text[trial.span.start_char : trial.span.end_char] == trial.name
    assert (claim.subject, claim.predicate, claim.object) == (
        article.entity_id,
        "mentions",
        trial.entity_id,
    )


@pytest.mark.parametrize(
    "text", ["NCT0123456", "NCT012345678", "XNCT01234567", "2004-001234-12", "ISRCTN1234567", "DRKS0001"]
)
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert extracted(an_article(f"See {text} there")) == ([], [])


def test_a_trial_that_is_named_twice_is_one_claim_with_both_places() -> None:
    document = an_article("NCT01234567 was one.", "NCT07654321 another; NCT 01234567 again.")
    mentions, claims = extracted(document)
    assert [each.concept for each in mentions[1:]] == [
        "NCT:NCT01234567",
        "NCT:NCT07654321",
        "NCT:NCT01234567",
    ]
    assert [len(claim.evidence) for claim in claims] == [2, 1]


def test_an_article_is_its_pmid_else_its_pmcid_else_its_doi_else_itself() -> None:
    ids = {"pmid": "12", "pmcid": "PMC1", "doi": "10.1/x"}
    article = extracted(an_article("NCT01234567", **ids))[0][0]
    assert (article.concept, article.identifiers) == ("PMID:12", ("PMC:PMC1", "doi:10.1/x"))
    assert extracted(an_article("NCT01234567", pmcid="PMC1"))[0][0].concept == "PMC:PMC1"
    assert extracted(an_article("NCT01234567"))[0][0].concept.startswith("local:")


def test_all_of_it_is_grounded_and_allowed_by_the_shipped_schema() -> None:
    document = an_article("NCT01234567 and ISRCTN12345678", pmid="12")
    result = grounded(document, extracted(document), load_graph_schema(shipped_folder()))
    assert (result.extraction, dict(result.dropped)) == (extracted(document), {})
