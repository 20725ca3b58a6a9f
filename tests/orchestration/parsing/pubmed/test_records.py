"""PubMed records as NLM ships them: dates, people, titles, languages and books, without white space."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload, an_abstract
from medkg.testing.document_checks import assert_sound, indexed_part, sections_of
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser
from orchestration.records import Document


def read(record: str) -> Document:
    document = PubmedXmlParser().parse(a_payload(record.encode(), "pubmed-xml", doc_id="1"), "default")
    assert_sound(document)
    return indexed_part(document)


def a_citation(
    *,
    date: str = "<Year>2021</Year>",
    title: str = "Kites.",
    article: str = "<Abstract><AbstractText>They rise.</AbstractText></Abstract>",
    citation: str = "",
    data: str = "",
) -> str:
    """A PubmedArticle on one line; `article`, `citation` and `data` are further elements of these parts."""
    return (
        '<PubmedArticle><MedlineCitation><PMID Version="1">1</PMID><Article><Journal><JournalIssue>'
        f"<PubDate>{date}</PubDate></JournalIssue><Title>Journal of Kites</Title></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>{article}</Article>{citation}</MedlineCitation>"
        f"<PubmedData>{data}</PubmedData></PubmedArticle>"
    )


def a_chapter(*, own: str = "", book: str = "", title: str = "<ArticleTitle>Bridles</ArticleTitle>") -> str:
    """A PubmedBookArticle; `own` are elements of the chapter, `book` those of its book."""
    return (
        '<PubmedBookArticle><BookDocument><PMID Version="1">1</PMID><ArticleIdList>'
        '<ArticleId IdType="bookaccession">NBK9</ArticleId><ArticleId IdType="doi">10.5555/9</ArticleId>'
        f"</ArticleIdList><Book><BookTitle>Kite Handbook</BookTitle>{book}</Book>{title}{own}"
        "</BookDocument></PubmedBookArticle>"
    )


@pytest.mark.parametrize(
    ("date", "year", "exact"),
    [
        ("<Year>2021</Year><Month>Mar</Month><Day>04</Day>", "2021", "2021-03-04"),
        ("<Year>2021</Year><Month>03</Month>", "2021", "2021-03"),
        ("<Year>2019</Year><Season>Spring</Season>", "2019", "2019"),
        ("<Year>1867</Year>", "1867", "1867"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998", "1998-12"),
        ("<MedlineDate>2000 Spring-Summer</MedlineDate>", "2000", "2000"),
        ("<MedlineDate>Winter 1983</MedlineDate>", "1983", "1983"),
        ("<MedlineDate>1975-1976</MedlineDate>", "1975", "1975"),
        ("<Year>2020</Year><Month>Jul-Aug</Month>", "2020", "2020-07"),
        ("<Year>2020</Year><Season>Jul-Aug</Season>", "2020", "2020-07"),
        ("<MedlineDate>Jul-Aug 1998</MedlineDate>", "1998", "1998-07"),
        ("<MedlineDate>2015 Dec 23-30</MedlineDate>", "2015", "2015-12-23"),
        ("<Year>2020</Year><Month>Sept.</Month><Day>2</Day>", "2020", "2020-09-02"),
        ("<Year>2020</Year><Month>13</Month>", "2020", "2020"),
        ("<Year>2010</Year><Month>02</Month><Day>30</Day>", "2010", "2010-02"),
    ],
)
def test_dates_are_read_from_their_elements(date: str, year: str, exact: str) -> None:
    metadata = read(a_citation(date=date)).metadata
    assert (metadata["year"], metadata["date"]) == (year, exact)


def test_the_year_is_that_of_the_issue_and_the_electronic_date_is_kept_too() -> None:
    electronic = "<ArticleDate><Year>2020</Year><Month>12</Month><Day>28</Day></ArticleDate>"
    metadata = read(a_citation(date="<Year>2021</Year>", article=electronic)).metadata
    assert metadata["year"] == "2021"
    assert metadata["electronic_date"] == "2020-12-28"


def test_without_a_year_of_the_issue_the_electronic_publication_gives_it() -> None:
    electronic = "<ArticleDate><Year>2020</Year><Month>12</Month></ArticleDate>"
    received = (
        '<History><PubMedPubDate PubStatus="pubmed"><Year>2024</Year></PubMedPubDate>'
        '<PubMedPubDate PubStatus="epublish"><Year>2018</Year></PubMedPubDate></History>'
    )
    assert read(a_citation(date="", article=electronic, data=received)).metadata["year"] == "2020"
    assert read(a_citation(date="<Season>Fall</Season>", data=received)).metadata["year"] == "2018"


def test_the_date_of_a_cited_paper_is_never_that_of_the_article() -> None:
    cited = "<ReferenceList><Title>References</Title><Reference><Citation>Lee 1999.</Citation></Reference>"
    document = read(a_citation(date="", data=f"{cited}</ReferenceList>"))
    assert "year" not in document.metadata
    assert document.metadata["journal"] == "Journal of Kites"


def test_names_have_forename_or_initials_and_their_suffix_and_groups_stand_among_them() -> None:
    authors = (
        "<AuthorList><Author><LastName>Vane</LastName><Initials>QX</Initials></Author>"
        "<Author><CollectiveName>Kite Consortium</CollectiveName></Author>"
        "<Author><LastName>Ober</LastName><ForeName>Lin T</ForeName><Initials>LT</Initials>"
        "<Suffix>Jr</Suffix></Author>"
        '<Author ValidYN="N"><LastName>Obre</LastName></Author></AuthorList>'
    )
    members = "<InvestigatorList><Investigator><LastName>Roe</LastName><Initials>A</Initials></Investigator>"
    metadata = read(a_citation(article=authors, citation=f"{members}</InvestigatorList>")).metadata
    assert metadata["authors"] == ["Vane QX", "Kite Consortium", "Ober Lin T Jr"]
    assert metadata["investigators"] == ["Roe A"]


EDITORS = '<AuthorList Type="editors"><Author><LastName>Editor</LastName></Author></AuthorList>'
WRITERS = '<AuthorList Type="authors"><Author><LastName>Writer</LastName></Author></AuthorList>'


def test_a_chapter_has_its_own_authors_year_title_and_doi() -> None:
    chapter = a_chapter(
        own=f"{WRITERS}<ContributionDate><Year>2018</Year><Month>06</Month></ContributionDate>"
        "<Abstract><AbstractText>Angles.</AbstractText></Abstract>"
        "<Sections><Section><SectionTitle>Diagnosis of lift</SectionTitle></Section></Sections>",
        book=f"<PubDate><Year>1993</Year></PubDate>{EDITORS}",
    )
    document = read(chapter)
    assert document.title == "Bridles"
    expected = {
        "authors": ["Writer"],
        "editors": ["Editor"],
        "year": "2018",
        "doi": "10.5555/9",
        "book": "Kite Handbook",
        "book_accession": "NBK9",
        "sections": ["Diagnosis of lift"],
    }
    assert {name: document.metadata.get(name) for name in expected} == expected


def test_a_book_has_its_authors_and_year() -> None:
    document = read(a_chapter(title="", book=f"<PubDate><Year>1993</Year></PubDate>{EDITORS}{WRITERS}"))
    assert document.title == "Kite Handbook"
    assert document.metadata["authors"] == ["Writer"]
    assert document.metadata["year"] == "1993"


@pytest.mark.parametrize("placeholder", ["[Not Available].", "[In Process Citation]", "", "[not available]"])
def test_a_title_that_pubmed_does_not_have_is_the_one_of_the_articles_language(placeholder: str) -> None:
    german = "<Language>ger</Language><VernacularTitle>Drachen.</VernacularTitle>"
    document = read(a_citation(title=placeholder, article=german))
    assert document.title == document.text == "Drachen."
    assert document.language == "de"
    assert document.metadata["languages"] == ["ger"]


def test_a_translated_title_stays_and_the_other_is_metadata() -> None:
    document = read(
        a_citation(
            title="[Kites].", article="<VernacularTitle>Drachen.</VernacularTitle><Language>ger</Language>"
        )
    )
    assert document.title == "[Kites]."
    assert document.metadata["vernacular_title"] == "Drachen."
    assert document.language == "en"


def test_a_foreign_abstract_is_kept_under_its_language() -> None:
    french = '<OtherAbstract Language="fre"><AbstractText>Ils montent.</AbstractText></OtherAbstract>'
    plain = (
        '<OtherAbstract Type="plain-language-summary" Language="eng"><AbstractText>Up.</AbstractText>'
        "</OtherAbstract>"
    )
    document = read(a_citation(citation=french + plain))
    assert document.text == (
        "Kites.\n\nThey rise.\n\nAbstract (French)\n\nIls montent.\n\nPlain language summary\n\nUp."
    )
    assert document.metadata["abstract_languages"] == ["eng", "fre"]
    assert document.language == "en"
    assert {section.role for section in document.sections if section.title} == {"abstract"}


@pytest.mark.parametrize("language", ["xyz", "fr"])
def test_a_language_of_another_code_is_written_as_it_is_or_by_name(language: str) -> None:
    other = f'<OtherAbstract Language="{language}"><AbstractText>x</AbstractText></OtherAbstract>'
    heading = {"xyz": "Abstract (xyz)", "fr": "Abstract (French)"}[language]
    assert heading in read(a_citation(citation=other)).text


def test_an_abstract_without_labels_has_its_role_in_every_format() -> None:
    xml = read(a_citation())
    json = PubmedJsonlParser().parse(
        a_payload(an_abstract("5", sections=[{"label": "", "text": "a"}]), "pubmed-jsonl", doc_id="5"),
        "default",
    )
    assert list(sections_of(xml))[-1].role == list(sections_of(indexed_part(json)))[-1].role == "abstract"


def test_ids_that_pubmed_marks_as_wrong_are_left_out() -> None:
    ids = (
        '<ELocationID EIdType="doi" ValidYN="N">10.5555/wrong</ELocationID>'
        '<ELocationID EIdType="doi" ValidYN="Y">10.5555/right</ELocationID>'
    )
    assert read(a_citation(article=ids)).metadata["doi"] == "10.5555/right"


def test_grants_are_listed_with_their_agencies() -> None:
    grant = (
        "<Grant><GrantID>R01 HL1</GrantID><Acronym>HL</Acronym><Agency>NHLBI NIH HHS</Agency>"
        "<Country>United States</Country></Grant>"
    )
    other = "<Grant><Agency>Kite Trust</Agency><Country>United Kingdom</Country></Grant>"
    listed = f'<GrantList CompleteYN="Y">{grant}{other}{grant}</GrantList>'
    assert read(a_citation(article=listed)).metadata["awards"] == [
        "R01 HL1, HL, NHLBI NIH HHS, United States",
        "Kite Trust, United Kingdom",
    ]
