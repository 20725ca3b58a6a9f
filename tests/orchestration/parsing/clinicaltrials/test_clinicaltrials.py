"""What a study becomes: blocks, tables, references and metadata."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import a_page_of_studies, a_payload, a_study, study_results
from medkg.testing.document_checks import assert_sound, blocks_of, indexed_part, sections_of
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import Block, BlockKind, Document


def parsed(study: dict[str, object]) -> Document:
    payload = a_payload(study, "ctgov-v2", doc_id="NCT00000001", source="clinicaltrials")
    document = ClinicalTrialsParser().parse(payload, "default")
    assert_sound(document)
    return document


def texts(document: Document, kind: BlockKind) -> list[str]:
    def slice_of(block: Block) -> str:
        return document.text[block.start_char : block.end_char]

    return [slice_of(block) for block in blocks_of(document) if block.kind is kind]


def test_each_outcome_is_one_block_with_its_time_frame() -> None:
    outcomes = texts(parsed(a_study()), BlockKind.OUTCOME)
    assert outcomes == [
        "Primary outcome: Sleep duration\nTime frame: 12 weeks",
        "Secondary outcome: Mood\nBy questionnaire",
    ]


def test_eligibility_criteria_are_one_block_with_their_escapes_undone() -> None:
    (criteria,) = texts(parsed(a_study()), BlockKind.ELIGIBILITY)
    assert criteria == "Inclusion Criteria:\n- Age >= 18 years\nExclusion Criteria:\n- Night shifts"


def test_outcome_results_become_a_table_with_a_column_a_group() -> None:
    document = parsed(a_study() | {"resultsSection": study_results(), "hasResults": True})
    table = next(table for table in document.tables if "minutes" in (table.caption or ""))
    assert table.rows == (("", "Walking", "Usual care"), ("Value", "452 (31)", "420 (29)"))
    assert table.header_rows == 1
    assert "Value | 452 (31) | 420 (29)" in document.text
    assert document.metadata["has_results"] is True


def test_adverse_events_and_participant_flow_are_tables() -> None:
    document = parsed(a_study() | {"resultsSection": study_results()})
    assert "Injuries | Ankle fracture | 1/40" in document.text
    assert "Started | 40 | 39" in document.text


def test_cited_papers_are_references_and_not_indexed() -> None:
    references = {"references": [{"pmid": "123", "citation": "Walker A. On walks."}]}
    document = parsed(a_study(referencesModule=references))
    assert [(entry.pmid, entry.text) for entry in document.references] == [("123", "Walker A. On walks.")]
    assert document.text.endswith("References\n\nWalker A. On walks. PMID 123")
    assert "On walks" not in indexed_part(document).text


def test_mesh_terms_are_metadata_and_a_block() -> None:
    derived = {"conditionBrowseModule": {"meshes": [{"id": "D007319", "term": "Sleep Initiation Disorders"}]}}
    document = parsed(a_study() | {"derivedSection": derived})
    assert document.metadata["mesh"] == ["Sleep Initiation Disorders"]
    assert "Condition MeSH terms: Sleep Initiation Disorders" in document.text


def test_codes_become_words_and_metadata_keeps_them() -> None:
    document = parsed(a_study())
    assert "Overall status: Completed" in document.text
    assert document.metadata["status"] == "COMPLETED"
    assert document.metadata["year"] == "2019"


def test_codes_that_are_abbreviations_read_as_words() -> None:
    text = parsed(
        a_study(
            designModule={"phases": ["NA"], "designInfo": {"allocation": "NA"}},
            ipdSharingStatementModule={"infoTypes": ["SAP", "ICF", "CSR"]},
            sponsorCollaboratorsModule={
                "leadSponsor": {"name": "Kite Institute", "class": "NIH"},
                "collaborators": [
                    {"name": "Kite Office", "class": "FED"},
                    {"name": "Kite Ministry", "class": "OTHER_GOV"},
                ],
            },
        )
    ).text
    for line in (
        "Phases: Not applicable",
        "Allocation: Not applicable",
        "Info types: Statistical analysis plan; Informed consent form; Clinical study report",
        "Lead sponsor: Kite Institute (NIH)",
        "Kite Office (federal agency)",
        "Kite Ministry (other government)",
    ):
        assert line in text


def test_a_milestone_of_the_study_keeps_its_title() -> None:
    milestones = [
        {"type": kind, "achievements": [{"groupId": "FG000", "numSubjects": "7"}]}
        for kind in ("STARTED", "In mITT Set, KX-0431", "ITT", "NOT COMPLETED")
    ]
    flow = {"groups": [{"id": "FG000", "title": "Walk"}], "periods": [{"milestones": milestones}]}
    text = parsed(a_study() | {"resultsSection": {"participantFlowModule": flow}}).text
    assert "Started | 7\nIn mITT Set, KX-0431 | 7\nITT | 7\nNot completed | 7" in text


def test_a_module_the_registry_adds_later_is_in_the_text_too() -> None:
    assert "Shoe size: 42" in parsed(a_study(footwearModule={"shoeSize": 42})).text


def test_sections_have_roles() -> None:
    roles = {section.title: section.role for section in sections_of(parsed(a_study()))}
    assert roles["Outcomes"] == "outcomes"
    assert roles["Eligibility"] == "eligibility"
    assert roles["Brief summary"] == "abstract"


def test_a_study_without_an_nct_id_is_refused_where_it_is_found() -> None:
    content = json.dumps([a_study(None), a_study("NCT00000002")]).encode()
    bad, good = ClinicalTrialsParser().records(io.BytesIO(content), "studies.json", 10**6)
    assert isinstance(bad.error, MissingIdentifierError)
    assert "studies.json, record 1" in bad.error.message
    assert good.doc_id == "NCT00000002"


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(MalformedDocumentError, match="outcomesModule"):
        parsed(a_study(outcomesModule=["none"]))  # type: ignore[arg-type]


def test_white_space_and_key_order_do_not_change_the_version() -> None:
    study = a_study()
    shuffled = dict(reversed(study.items()))
    contents = (json.dumps(study).encode(), json.dumps(shuffled, indent=3).encode())
    versions = {
        location.version
        for content in contents
        for location in ClinicalTrialsParser().records(io.BytesIO(content), "s", 10**6)
    }
    assert len(versions) == 1


STUDIES = [a_study(f"NCT0000000{number}") for number in (1, 2, 3)]
PAGE = a_page_of_studies(*STUDIES)


@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        json.dumps({"nextPageToken": 'a"studies": [', "totalCount": None, "studies": STUDIES}).encode(),
        json.dumps({"studies": STUDIES}, indent=2).encode(),
    ],
)
def test_each_study_of_a_page_is_found_with_its_bytes(page: bytes) -> None:
    locations = list(ClinicalTrialsParser().records(io.BytesIO(page), "page.json", 10**6))
    assert [location.doc_id for location in locations] == ["NCT00000001", "NCT00000002", "NCT00000003"]
    assert [json.loads(page[at.start : at.start + at.length]) for at in locations] == STUDIES


@given(end=st.integers(PAGE.index(b"[{") + 1, len(PAGE) - 1))
def test_a_page_cut_anywhere_gives_the_studies_before_and_an_error_that_names_it(end: int) -> None:
    *good, cut = ClinicalTrialsParser().records(io.BytesIO(PAGE[:end]), "page.json", 10**6)
    whole = list(ClinicalTrialsParser().records(io.BytesIO(PAGE), "page.json", 10**6))
    assert good == [location for location in whole if location.start + location.length <= end]
    assert isinstance(cut.error, MalformedDocumentError)
    assert f"page.json, record {len(good) + 1}" in cut.error.message
    assert "cut off" in cut.error.message


def test_the_last_page_of_a_listing_may_be_empty() -> None:
    assert list(ClinicalTrialsParser().records(io.BytesIO(a_page_of_studies()), "page.json", 10**6)) == []


def a_study_with(**references: object) -> Document:
    study = a_study()
    study["protocolSection"]["referencesModule"] = references
    return parsed(study)


def test_a_data_set_whose_id_has_several_lines_is_one_line() -> None:
    document = a_study_with(availIpds=[{"id": "DS-7\nDS-8", "type": "Data Set"}, {"id": "DS-9"}])
    assert "Available data sets\n\nDS-7 DS-8 (data set)\nDS-9" in document.text


@pytest.mark.parametrize(
    ("reference", "retracted", "cited"),
    [
        ({"pmid": "5"}, "PMID 5. Retracted: PMID 6", "PMID 5 [Retracted: PMID 6]"),
        ({"citation": "Vane Q."}, "Vane Q.: PMID 6", "Vane Q. [Retracted: PMID 6]"),
        (
            {"pmid": "5", "citation": "Vane Q."},
            "Vane Q. PMID 5. Retracted: PMID 6",
            "Vane Q. [Retracted: PMID 6]",
        ),
        ({}, "Retracted: PMID 6", "[Retracted: PMID 6]"),
    ],
)
def test_a_retracted_reference_is_named_once(reference: dict[str, str], retracted: str, cited: str) -> None:
    document = a_study_with(references=[reference | {"retractions": [{"pmid": "6"}]}])
    assert f"Retracted references\n\n{retracted}\n" in f"{document.text}\n"
    assert [entry.text for entry in document.references] == [cited]
