"""Revisions: how records state them, and which of two is older."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import (
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_abstract,
    an_article,
    an_openalex_work,
)
from orchestration.contracts import Parser, RecordLocation, is_older, newest, revision_of
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser

PARTS = st.sampled_from(["", "1", "2", "10", "2024-01-01", "2024-02-01", "26n0001", "26n1335", "27n0001"])
REVISIONS = st.builds(revision_of, PARTS, PARTS)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (("1",), ("2",)),
        (("9",), ("10",)),
        (("1", "2023-12-31"), ("1", "2024-01-01")),
        (("1", "2024-09-09"), ("2", "2020-01-01")),
        (("1", "", "26n0999"), ("1", "2024-01-01", "26n1335")),
        (("1", "", "26n1500"), ("1", "", "27n0001")),
        (("", "2020"), ("1", "2021")),
    ],
)
def test_the_first_part_that_differs_decides(older: tuple[str, ...], newer: tuple[str, ...]) -> None:
    assert is_older(revision_of(*older), revision_of(*newer))
    assert not is_older(revision_of(*newer), revision_of(*older))


@pytest.mark.parametrize(
    ("first", "second"), [("", "1"), (None, "1"), (None, None), ("1", "1"), ("1|", "1|2020")]
)
def test_what_a_record_does_not_state_decides_nothing(first: str | None, second: str | None) -> None:
    assert not is_older(first, second) and not is_older(second, first)


@given(first=REVISIONS, second=REVISIONS)
def test_of_two_records_at_most_one_is_older_and_the_newest_is_not(first: str, second: str) -> None:
    assert not (is_older(first, second) and is_older(second, first))
    assert not is_older(newest(first, second), first) and not is_older(newest(first, second), second)


def located(parser: Parser, content: bytes, uri: str = "file") -> list[RecordLocation]:
    return list(parser.records(io.BytesIO(content), uri, 10**6))


def an_update(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_pubmed_record_is_dated_by_version_revision_and_file() -> None:
    revised = b"<DateRevised><Year>2024</Year><Month>03</Month><Day>1</Day></DateRevised><Article>"
    article = a_pubmed_article("7").replace(b"<Article>", revised, 1).replace(b'Version="1"', b'Version="2"')
    (location,) = located(PubmedXmlParser(), a_pubmed_set(article), "/ftp/pubmed26n1335.xml")
    assert location.revision == "2|2024-03-01|26n1335"
    (location,) = located(PubmedXmlParser(), a_pubmed_article("7"), "saved.xml")
    assert location.revision == "1||"


def test_the_version_of_a_cited_article_is_not_its_version() -> None:
    article = a_pubmed_article(
        "7", corrections=['<CommentsCorrections><PMID Version="9">8</PMID></CommentsCorrections>']
    )
    (location,) = located(PubmedXmlParser(), article)
    assert location.revision == "1||"


def test_deletions_of_a_set_are_records_of_it_each_with_its_pmid() -> None:
    deletion = b'<DeleteCitation><PMID Version="1">11</PMID><PMID Version="2">12</PMID></DeleteCitation>'
    content = a_pubmed_set(a_pubmed_article("10"), deletion)
    article, first, second = located(PubmedXmlParser(), content, "pubmed26n1335.xml")
    assert (article.doc_id, article.deleted) == ("10", False)
    assert [(at.doc_id, at.deleted, at.revision) for at in (first, second)] == [
        ("11", True, "1||26n1335"),
        ("12", True, "2||26n1335"),
    ]
    assert content[first.start : first.start + first.length].endswith(b"11</PMID>")


def test_deletions_that_are_cut_off_are_reported() -> None:
    content = b'<PubmedArticleSet><DeleteCitation><PMID Version="1">11</PMID>'
    first, cut = located(PubmedXmlParser(), content)
    assert first.doc_id == "11" and "cut off" in str(cut.error)


def test_a_study_is_dated_by_its_last_update() -> None:
    study = a_study("NCT00000001")
    study["protocolSection"]["statusModule"] = {
        "lastUpdatePostDateStruct": {"date": "2024-03-02"},
        "lastUpdateSubmitDate": "2024-03-01",
    }
    (location,) = located(ClinicalTrialsParser(), an_update(**study))
    assert location.revision == "2024-03-02|2024-03-01|"


def test_a_work_is_dated_by_its_update() -> None:
    work = an_openalex_work(1) | {"updated_date": "2026-01-02T03:04:05.678"}
    (location,) = located(OpenAlexParser(), an_update(**work))
    assert location.revision == "2026-01-02T03:04:05.678"


def test_an_abstract_may_state_its_revision_and_needs_not() -> None:
    (location,) = located(PubmedJsonlParser(), an_update(**an_abstract("1", date_revised="2024-01-01")))
    assert location.revision == "|2024-01-01"
    (location,) = located(PubmedJsonlParser(), an_update(**an_abstract("1")))
    assert location.revision == ""


def test_an_article_is_dated_by_its_version_at_pmc() -> None:
    ids = (
        '<article-id pub-id-type="pmcid">PMC9</article-id>'
        '<article-id pub-id-type="pmcid-ver">PMC9.2</article-id>'
    )
    (location,) = located(JatsParser(), an_article(ids=ids))
    assert location.revision == "2|"
    (location,) = located(JatsParser(), an_article())
    assert location.revision == ""
