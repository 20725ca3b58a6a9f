"""What records of publications state, as claims: PubMed, PMC, OpenAlex, JSON Lines, references of trials."""

from __future__ import annotations

from typing import Any

import pytest

from medkg.testing.builders import (
    a_correction,
    a_payload,
    a_pubmed_article,
    a_study,
    an_abstract,
    an_article,
    an_openalex_work,
)
from medkg.testing.document_checks import assert_sound
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.registry import RegistryExtractor
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser
from orchestration.records import RETRACTED_PUBLICATION, Claim, Document, Entity, local_concept
from orchestration.topology.shipped import shipped_folder

INDEXED = """<PubmedArticle><MedlineCitation><PMID Version="1">11</PMID>
<Article><Journal><JournalIssue><PubDate><Year>2020</Year></PubDate></JournalIssue></Journal>
<ArticleTitle>Kites and sleep.</ArticleTitle><ELocationID EIdType="doi">10.5555/KITES.1</ELocationID>
<Abstract><AbstractText>We flew.</AbstractText></Abstract>
<DataBankList><DataBank><DataBankName>ClinicalTrials.gov</DataBankName>
<AccessionNumberList><AccessionNumber>NCT01234567</AccessionNumber></AccessionNumberList></DataBank>
<DataBank><DataBankName>EudraCT</DataBankName>
<AccessionNumberList><AccessionNumber>2004-001234-12</AccessionNumber></AccessionNumberList></DataBank>
<DataBank><DataBankName>GEO</DataBankName><AccessionNumberList><AccessionNumber>GSE123</AccessionNumber>
</AccessionNumberList></DataBank></DataBankList><GrantList><Grant><GrantID>K-1</GrantID>
<Agency>Kite Board</Agency></Grant><Grant><GrantID>K-2</GrantID><Agency>Kite Board</Agency></Grant>
</GrantList>
<PublicationTypeList><PublicationType UI="D016449">Randomized Controlled Trial</PublicationType>
</PublicationTypeList></Article><ChemicalList><Chemical><RegistryNumber>51333-22-3</RegistryNumber>
<NameOfSubstance UI="D019819">Budesonide</NameOfSubstance></Chemical>
<Chemical><RegistryNumber>EC 2.7.10.1</RegistryNumber>
<NameOfSubstance UI="C512478">EGFR protein, human</NameOfSubstance></Chemical>
<Chemical><RegistryNumber>0</RegistryNumber>
<NameOfSubstance UI="D001993">Bronchodilator Agents</NameOfSubstance></Chemical></ChemicalList>
<MeshHeadingList><MeshHeading><DescriptorName UI="D001249" MajorTopicYN="Y">Asthma</DescriptorName>
<QualifierName UI="Q000188" MajorTopicYN="N">drug therapy</QualifierName>
<QualifierName UI="Q000097" MajorTopicYN="Y">blood</QualifierName></MeshHeading>
<MeshHeading><DescriptorName UI="D019819" MajorTopicYN="N">Budesonide</DescriptorName></MeshHeading>
</MeshHeadingList><KeywordList><Keyword MajorTopicYN="N">kites</Keyword></KeywordList></MedlineCitation>
<PubmedData><ReferenceList><Reference><Citation>Lee K. Bridles. 2001.</Citation>
<ArticleIdList><ArticleId IdType="pubmed">12</ArticleId>
<ArticleId IdType="doi">10.5555/Bridles</ArticleId></ArticleIdList></Reference>
<Reference><Citation>Lee K. Tails. 2002.</Citation></Reference></ReferenceList></PubmedData>
</PubmedArticle>"""


def pubmed(record: bytes | str, doc_id: str = "11") -> Document:
    content = record.encode() if isinstance(record, str) else record
    payload = a_payload(content, "pubmed-xml", doc_id=doc_id, source="pubmed")
    return PubmedXmlParser().parse(payload, "default")


def jats(**parts: str) -> Document:
    payload = a_payload(an_article(**parts), "jats", doc_id="PMC1234567", source="pmc")
    return JatsParser().parse(payload, "default")


def work(**fields: Any) -> Document:
    payload = a_payload(an_openalex_work(**fields), "openalex", doc_id="W1", source="openalex")
    return OpenAlexParser().parse(payload, "default")


def trial(**modules: dict[str, Any]) -> Document:
    study = a_study("NCT00000001", **modules)
    payload = a_payload(study, "ctgov-v2", doc_id="NCT00000001", source="clinicaltrials")
    return ClinicalTrialsParser().parse(payload, "default")


def extracted(document: Document) -> tuple[dict[str, Entity], list[Claim]]:
    """Mentions by id, and claims; checks the document, and that nothing is dropped."""
    assert_sound(document)
    extraction = RegistryExtractor().extract(document)
    result = grounded(document, extraction, load_graph_schema(shipped_folder()))
    assert not result.dropped
    mentions, claims = result.extraction
    return {each.entity_id: each for each in mentions}, claims


def stated(document: Document) -> set[tuple[str, str, str]]:
    """Claims by their concepts."""
    mentions, claims = extracted(document)
    return {
        (mentions[each.subject].concept, each.predicate, mentions[each.object].concept) for each in claims
    }


def claim_of(document: Document, predicate: str, concept: str) -> Claim:
    mentions, claims = extracted(document)
    (claim,) = (
        each for each in claims if each.predicate == predicate and mentions[each.object].concept == concept
    )
    return claim


def quotes(document: Document, claim: Claim) -> list[str]:
    return [document.text[span.start_char : span.end_char] for span in claim.evidence]


def test_a_pubmed_record_states_its_types_headings_substances_numbers_and_references() -> None:
    assert stated(pubmed(INDEXED)) == {
        ("PMID:11", "has_publication_type", "MESH:D016449"),
        ("PMID:11", "indexed_with", "MESH:D001249"),
        ("PMID:11", "indexed_with", "MESH:D019819"),
        ("PMID:11", "indexed_with", "MESH:C512478"),
        ("PMID:11", "indexed_with", "MESH:D001993"),
        ("PMID:11", "has_keyword", local_concept("Topic", "kites")),
        ("PMID:11", "mentions", "NCT:NCT01234567"),
        ("PMID:11", "mentions", "EUCTR:2004-001234-12"),
        ("PMID:11", "has_data", "geo:GSE123"),
        ("PMID:11", "funded_by", local_concept("Organization", "Kite Board")),
        ("PMID:11", "cites", "PMID:12"),
    }


def test_main_topics_and_subheadings_of_a_heading_are_qualifiers_with_their_places() -> None:
    document = pubmed(INDEXED)
    claim = claim_of(document, "indexed_with", "MESH:D001249")
    assert [(each.kind, each.value) for each in claim.qualifiers] == [
        ("major_topic", "major topic"),
        ("subheading", "drug therapy"),
        ("major_subheading", "blood"),
    ]
    assert "Asthma (major topic) / drug therapy / blood (major topic)\n" in document.text


def test_a_substance_has_its_mesh_id_and_registry_number_and_is_one_claim_with_its_heading() -> None:
    document = pubmed(INDEXED)
    mentions, _ = extracted(document)
    substances = {each.concept: each for each in mentions.values() if each.kind == "Substance"}
    assert substances["MESH:C512478"].identifiers == ("EC:2.7.10.1",)
    assert substances["MESH:D001993"].identifiers == ()
    assert any(each.identifiers == ("CAS:51333-22-3",) for each in mentions.values())
    assert quotes(document, claim_of(document, "indexed_with", "MESH:D019819")) == ["Budesonide"] * 2


def test_the_article_and_what_it_cites_have_all_their_identifiers() -> None:
    mentions, _ = extracted(pubmed(INDEXED))
    articles = {each.concept: each.identifiers for each in mentions.values() if each.kind == "Article"}
    assert articles == {"PMID:11": ("doi:10.5555/kites.1",), "PMID:12": ("doi:10.5555/bridles",)}


def test_the_grants_of_a_funder_are_qualifiers() -> None:
    document = pubmed(INDEXED)
    claim = claim_of(document, "funded_by", local_concept("Organization", "Kite Board"))
    assert [(each.kind, each.value) for each in claim.qualifiers] == [("award", "K-1"), ("award", "K-2")]


@pytest.mark.parametrize(
    ("link", "claim", "line"),
    [
        ("RetractionIn", ("PMID:5", "retracts", "PMID:1"), "Retraction in"),
        ("RetractionOf", ("PMID:1", "retracts", "PMID:5"), "Retraction of"),
        ("PartialRetractionIn", ("PMID:5", "retracts", "PMID:1"), "Partial retraction in"),
        ("ErratumIn", ("PMID:5", "corrects", "PMID:1"), "Erratum in"),
        ("ErratumFor", ("PMID:1", "corrects", "PMID:5"), "Erratum for"),
        ("ExpressionOfConcernIn", ("PMID:5", "raises_concern_about", "PMID:1"), "Expression of concern in"),
        ("CommentOn", ("PMID:1", "comments_on", "PMID:5"), "Comment on"),
        ("CommentIn", ("PMID:5", "comments_on", "PMID:1"), "Comment in"),
        ("UpdateOf", ("PMID:1", "updates", "PMID:5"), "Update of"),
        ("UpdateIn", ("PMID:5", "updates", "PMID:1"), "Update in"),
        ("RepublishedFrom", ("PMID:1", "republishes", "PMID:5"), "Republished from"),
        ("SummaryForPatientsIn", ("PMID:5", "summarizes", "PMID:1"), "Summary for patients in"),
        ("OriginalReportIn", ("PMID:1", "summarizes", "PMID:5"), "Original report in"),
    ],
)
def test_both_records_of_a_link_state_the_same_claim_and_the_line_says_which(
    link: str, claim: tuple[str, str, str], line: str
) -> None:
    document = pubmed(a_pubmed_article("1", corrections=[a_correction(link, "5")]), "1")
    related = {each for each in stated(document) if each[1] != "has_publication_type"}
    assert related == {claim}
    _, claims = extracted(document)
    (statement,) = (each for each in claims if each.predicate == claim[1])
    assert quotes(document, statement) == [f"{line}: J Walks. 2021;2:9."]
    assert f"{line}: J Walks. 2021;2:9. PMID 5" in document.text


@pytest.mark.parametrize(
    "document",
    [
        pubmed(a_pubmed_article("1", types=["Retracted Publication"]), "1"),
        pubmed(a_pubmed_article("1", corrections=[a_correction("RetractionIn", "5")]), "1"),
        jats(meta='<related-article related-article-type="retraction-forward" xmlns:xlink="x"/>'),
        work(is_retracted=True),
    ],
)
def test_every_retracted_article_has_the_type_of_a_retracted_publication(document: Document) -> None:
    assert document.metadata["is_retracted"] is True
    mentions, claims = extracted(document)
    types = [each for each in claims if mentions[each.object].concept == RETRACTED_PUBLICATION]
    assert [each.predicate for each in types] == ["has_publication_type"]
    assert quotes(document, types[0]) == ["Retracted Publication"]


def test_an_article_that_is_not_retracted_does_not_have_that_type() -> None:
    for document in (pubmed(INDEXED), jats(), work()):
        assert not any(object_ == RETRACTED_PUBLICATION for _, _, object_ in stated(document))


def test_a_pmc_article_states_subjects_keywords_funders_numbers_and_related_articles() -> None:
    document = jats(
        ids='<article-id pub-id-type="pmc">1234567</article-id><article-id pub-id-type="pmid">1</article-id>',
        meta="""<article-categories>
        <subj-group subj-group-type="heading"><subject>Research</subject></subj-group>
        <subj-group subj-group-type="Discipline"><subject>Sleep</subject></subj-group></article-categories>
        <related-article related-article-type="retracted-article" ext-link-type="doi"
         xlink:href="10.5555/OLD"/><related-article related-article-type="companion" ext-link-type="pmid"
         xlink:href="7">Lee K. Tails.</related-article>
        <related-object source-type="clinical-trials-registry" source-id="ISRCTN"
         document-id="ISRCTN12345678" document-id-type="clinical-trial-number"/>
        <kwd-group vocab="MeSH"><kwd vocab-term-identifier="D001249">Asthma</kwd><kwd>kites</kwd></kwd-group>
        <funding-group><award-group><funding-source><institution-wrap><institution>Kite Board</institution>
        <institution-id institution-id-type="FundRef">http://dx.doi.org/10.13039/9</institution-id>
        </institution-wrap></funding-source><award-id>K-1</award-id></award-group></funding-group>""",
        back="""<ref-list><ref><label>1</label><mixed-citation>Lee K. Bridles. <pub-id pub-id-type="doi">
        10.5555/Bridles</pub-id></mixed-citation></ref></ref-list>""",
    )
    assert stated(document) == {
        ("PMID:1", "has_publication_type", local_concept("PublicationType", "research-article")),
        ("PMID:1", "indexed_with", local_concept("Topic", "Sleep")),
        ("PMID:1", "has_keyword", "MESH:D001249"),
        ("PMID:1", "has_keyword", local_concept("Topic", "kites")),
        ("PMID:1", "mentions", "ISRCTN:ISRCTN12345678"),
        ("PMID:1", "funded_by", "doi:10.13039/9"),
        ("PMID:1", "retracts", "doi:10.5555/old"),
        ("PMID:1", "accompanies", "PMID:7"),
        ("PMID:1", "cites", "doi:10.5555/bridles"),
    }


def test_an_openalex_work_states_type_mesh_topics_and_the_works_it_references() -> None:
    document = work(
        mesh=[
            {"descriptor_ui": "D001249", "descriptor_name": "Asthma", "qualifier_ui": "Q000188",
             "qualifier_name": "drug therapy", "is_major_topic": True},
            {"descriptor_ui": "D001249", "descriptor_name": "Asthma", "qualifier_ui": "Q000097",
             "qualifier_name": "blood", "is_major_topic": False},
        ],
        topics=[{"id": "https://openalex.org/T7", "display_name": "Sleep"}],
        concepts=[],
        keywords=[{"id": "https://openalex.org/keywords/kites", "display_name": "Kites"}],
        referenced_works=["https://openalex.org/W9"],
        grants=[{"funder": "https://openalex.org/F3", "funder_display_name": "Kites", "award_id": "K-1"}],
    )  # fmt: skip
    assert stated(document) == {
        ("PMID:10000001", "has_publication_type", local_concept("PublicationType", "article")),
        ("PMID:10000001", "indexed_with", "MESH:D001249"),
        ("PMID:10000001", "indexed_with", "openalex:T7"),
        ("PMID:10000001", "has_keyword", local_concept("Topic", "Kites")),
        ("PMID:10000001", "cites", "openalex:W9"),
        ("PMID:10000001", "funded_by", "openalex:F3"),
    }
    claim = claim_of(document, "indexed_with", "MESH:D001249")
    assert [(each.kind, each.value) for each in claim.qualifiers] == [
        ("major_subheading", "drug therapy"),
        ("subheading", "blood"),
    ]


def test_an_abstract_as_json_is_named_by_its_identifiers_where_it_has_no_title() -> None:
    record = an_abstract("5", sections=[{"label": "", "text": "a"}]) | {"title": None, "mesh": ["Asthma"]}
    payload = a_payload(record, "pubmed-jsonl", doc_id="5", source="pubmed")
    document = PubmedJsonlParser().parse(payload, "default")
    assert stated(document) == {("PMID:5", "indexed_with", local_concept("Topic", "Asthma"))}
    mentions, _ = extracted(document)
    assert [each.name for each in mentions.values() if each.kind == "Article"] == ["PMID 5"]


def test_publications_of_a_trial_report_its_results_name_it_or_are_cited() -> None:
    references = [
        {"pmid": "1", "type": "RESULT", "citation": "Lee K. Kites. 2001."},
        {"pmid": "2", "type": "BACKGROUND", "citation": "Lee K. Tails. 2002."},
        {"pmid": "3", "type": "DERIVED", "citation": "Lee K. Bridles. 2003.",
         "retractions": [{"pmid": "4", "source": "J Kites. 2004"}]},
        {"type": "BACKGROUND", "citation": "Lee K. No number. 2004."},
    ]  # fmt: skip
    document = trial(referencesModule={"references": references})
    publications = {each for each in stated(document) if "PMID" in f"{each[0]}{each[2]}"}
    assert publications == {
        ("PMID:1", "reports_results_of", "NCT:NCT00000001"),
        ("NCT:NCT00000001", "cites", "PMID:2"),
        ("PMID:3", "mentions", "NCT:NCT00000001"),
        ("PMID:4", "retracts", "PMID:3"),
    }
    assert "Result: Lee K. Kites. 2001. PMID 1\n\nBackground: Lee K. Tails. 2002. PMID 2" in document.text


def test_an_article_does_not_cite_itself() -> None:
    itself = INDEXED.replace('IdType="pubmed">12<', 'IdType="pubmed">11<')
    assert not any(predicate == "cites" for _, predicate, _ in stated(pubmed(itself)))


def test_the_quote_of_a_publication_of_a_trial_says_what_it_is_to_the_trial() -> None:
    references = [{"pmid": "1", "type": "RESULT", "citation": "Lee K. Kites. 2001."}]
    document = trial(referencesModule={"references": references})
    claim = claim_of(document, "reports_results_of", "NCT:NCT00000001")
    assert quotes(document, claim) == ["Result: Lee K. Kites. 2001."]


def test_a_trial_has_its_earlier_ids_and_its_eudract_number_as_identifiers() -> None:
    identification = {
        "nctId": "NCT00000001",
        "briefTitle": "Kites",
        "nctIdAliases": ["NCT00000009"],
        "secondaryIdInfos": [
            {"id": "2004-001234-12", "type": "EUDRACT_NUMBER"},
            {"id": "K-1", "type": "OTHER"},
        ],
    }
    mentions, _ = extracted(trial(identificationModule=identification))
    (registered,) = (each for each in mentions.values() if each.kind == "Trial")
    assert registered.concept == "NCT:NCT00000001"
    assert registered.identifiers == ("NCT:NCT00000009", "EUCTR:2004-001234-12")
