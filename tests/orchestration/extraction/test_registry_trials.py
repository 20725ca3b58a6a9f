"""The registry extractor: a trial's record as claims, each at the words that state it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medkg.testing.builders import a_payload, a_study
from orchestration.contracts import Extraction
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.registry import RegistryExtractor
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import Claim, Document, Entity, local_concept
from orchestration.topology.shipped import shipped_folder


def parsed(study: dict[str, Any]) -> Document:
    payload = a_payload(json.dumps(study), "ctgov-v2", doc_id="NCT00000001", source="clinicaltrials")
    return ClinicalTrialsParser().parse(payload, "default")


def stated(extraction: Extraction) -> set[tuple[str, str, str]]:
    """Claims as subject, predicate and object by name."""
    name_of = {entity.entity_id: entity.name for entity in extraction[0]}
    return {(name_of[claim.subject], claim.predicate, name_of[claim.object]) for claim in extraction[1]}


def found(study: dict[str, Any]) -> Extraction:
    return RegistryExtractor().extract(parsed(study))


def mention(extraction: Extraction, name: str) -> Entity:
    return next(entity for entity in extraction[0] if entity.name == name)


def claim(extraction: Extraction, predicate: str) -> Claim:
    (each,) = [claim for claim in extraction[1] if claim.predicate == predicate]
    return each


def qualifiers(claim: Claim) -> list[tuple[str, str]]:
    return [(each.kind, each.value) for each in claim.qualifiers]


A_TRIAL = a_study(
    conditionsModule={"conditions": ["Insomnia", "Snoring"]},
    designModule={
        "studyType": "INTERVENTIONAL",
        "phases": ["PHASE2", "PHASE3"],
        "enrollmentInfo": {"count": 80, "type": "ACTUAL"},
    },
    armsInterventionsModule={
        "armGroups": [
            {"label": "Walkers", "type": "EXPERIMENTAL", "interventionNames": ["Behavioral: Walking"]},
            {"label": "Sleepers", "type": "ACTIVE_COMPARATOR", "interventionNames": ["Drug: Melatonin"]},
        ],
        "interventions": [
            {"type": "BEHAVIORAL", "name": "Walking"},
            {"type": "DRUG", "name": "Melatonin", "otherNames": ["Circadin"]},
        ],
    },
    sponsorCollaboratorsModule={
        "leadSponsor": {"name": "Sleep Trust", "class": "OTHER"},
        "collaborators": [{"name": "Pillow Ltd", "class": "INDUSTRY"}],
    },
) | {
    "derivedSection": {
        "conditionBrowseModule": {"meshes": [{"id": "D000007319", "term": "insomnia"}]},
        "interventionBrowseModule": {"meshes": [{"id": "D008550", "term": "Melatonin"}]},
    }
}

A_MEASURE = {
    "type": "PRIMARY",
    "title": "Sleep duration",
    "timeFrame": "12 weeks",
    "groups": [{"id": "OG000", "title": "Walkers"}, {"id": "OG001", "title": "Sleepers"}],
    "analyses": [
        {
            "groupIds": ["OG000", "OG001"],
            "pValue": "0.03",
            "statisticalMethod": "ANCOVA",
            "paramType": "Mean Difference (Net)",
            "paramValue": "32.0",
            "ciPctValue": "95",
            "ciLowerLimit": "12.0",
            "ciUpperLimit": "52.0",
        }
    ],
}


def test_a_trial_studies_tests_and_measures_what_its_record_names() -> None:
    assert stated(found(A_TRIAL)) == {
        ("NCT00000001", "studies", "Insomnia"),
        ("NCT00000001", "studies", "Snoring"),
        ("NCT00000001", "tests", "Walking"),
        ("NCT00000001", "tests", "Melatonin"),
        ("NCT00000001", "has_arm", "Walkers"),
        ("NCT00000001", "has_arm", "Sleepers"),
        ("Walkers", "receives", "Walking"),
        ("Sleepers", "receives", "Melatonin"),
        ("NCT00000001", "has_primary_outcome", "Sleep duration"),
        ("NCT00000001", "has_secondary_outcome", "Mood"),
        ("NCT00000001", "in_phase", "Phase 2"),
        ("NCT00000001", "in_phase", "Phase 3"),
        ("NCT00000001", "has_study_type", "Interventional"),
        ("NCT00000001", "has_status", "Completed"),
        ("NCT00000001", "sponsored_by", "Sleep Trust"),
        ("NCT00000001", "has_collaborator", "Pillow Ltd"),
        ("NCT00000001", "indexed_with", "insomnia"),
        ("NCT00000001", "indexed_with", "Melatonin"),
    }


def test_concepts_have_the_identifiers_of_the_record() -> None:
    extraction = found(A_TRIAL)
    assert mention(extraction, "NCT00000001").concept == "NCT:NCT00000001"
    assert mention(extraction, "Insomnia").concept == "MESH:D007319", "ids filled up with zeros too"
    assert mention(extraction, "Snoring").concept.startswith("local:")
    melatonin = mention(extraction, "Melatonin")
    assert (melatonin.concept, melatonin.kind) == ("MESH:D008550", "Drug")
    assert mention(extraction, "Circadin").concept == melatonin.concept, "another name of the same thing"
    named = [each for each in extraction[0] if each.name == "Melatonin" and each.kind == "Drug"]
    assert len(named) == 2 and {each.concept for each in named} == {melatonin.concept}, "by the arm too"


@pytest.mark.parametrize(
    ("other_name", "is_the_drug"),
    [
        ("Circadin", True),
        ("HO-2207", True),
        ("melatonin therapy", True),  # has a word of the drug
        ("physical therapy", False),
        ("Treatment arm (blinded)", False),
        ("baseline brand algometer", False),
    ],
)
def test_another_name_of_a_drug_that_names_no_substance_is_a_separate_concept(
    other_name: str, is_the_drug: bool
) -> None:
    modules = {"interventions": [{"type": "DRUG", "name": "Melatonin", "otherNames": [other_name]}]}
    extraction = found(a_study(armsInterventionsModule=modules))
    drug, other = mention(extraction, "Melatonin"), mention(extraction, other_name)
    if is_the_drug:
        assert (other.kind, other.concept) == ("Drug", drug.concept)
    else:
        assert (other.kind, other.concept) == ("Intervention", local_concept("Intervention", other_name))


@pytest.mark.parametrize(
    ("kind", "name", "by_the_arm"),
    [
        ("DIETARY_SUPPLEMENT", "Vitamin D", "Dietary Supplement: Vitamin D"),
        ("DIAGNOSTIC_TEST", "CT_scan", "Diagnostic Test: CT_scan"),
        ("DRUG", "Drug A: high dose", "Drug: Drug A: high dose"),
        ("DRUG", "Drug  A", "Drug: drug a"),
        ("OTHER", "Usual care", "Other: Usual care"),
    ],
)
def test_an_arm_receives_the_intervention_that_it_names(kind: str, name: str, by_the_arm: str) -> None:
    study = a_study(
        armsInterventionsModule={
            "armGroups": [{"label": "Arm A", "interventionNames": [by_the_arm]}],
            "interventions": [{"type": kind, "name": name}],
        }
    )
    received = claim(found(study), "receives")
    assert stated(found(study)) >= {("Arm A", "receives", by_the_arm.partition(": ")[2])}
    assert received.object != received.subject


def test_population_and_times_are_qualifiers_at_their_words() -> None:
    document = parsed(A_TRIAL)
    extraction = RegistryExtractor().extract(document)
    studies = next(each for each in extraction[1] if each.predicate == "studies")
    assert ("enrollment", "80") in qualifiers(studies)
    assert qualifiers(claim(extraction, "has_primary_outcome")) == [("time_frame", "12 weeks")]
    for each in extraction[1]:
        for qualifier in each.qualifiers:
            span = qualifier.span
            assert document.text[span.start_char : span.end_char] == qualifier.value


def test_an_analysis_is_a_claim_with_effect_interval_and_comparator() -> None:
    study = A_TRIAL | {"resultsSection": {"outcomeMeasuresModule": {"outcomeMeasures": [A_MEASURE]}}}
    compared = claim(found(study), "compared_on")
    assert sorted(qualifiers(compared)) == [
        ("ci_lower", "12.0"),
        ("ci_percent", "95"),
        ("ci_upper", "52.0"),
        ("comparator", "Sleepers"),
        ("effect", "32.0"),
        ("effect_type", "Mean Difference (Net)"),
        ("method", "ANCOVA"),
        ("p_value", "0.03"),
        ("time_frame", "12 weeks"),
    ]
    assert compared.knowledge_level == "statistical_association"


def test_two_analyses_of_a_measure_are_two_claims() -> None:
    second = {"groupIds": ["OG001", "OG000"], "pValue": "0.4"}
    measure = A_MEASURE | {"analyses": [*A_MEASURE["analyses"], second]}
    study = A_TRIAL | {"resultsSection": {"outcomeMeasuresModule": {"outcomeMeasures": [measure]}}}
    extraction = found(study)
    name_of = {entity.entity_id: entity.name for entity in extraction[0]}
    compared = {
        (name_of[each.subject], dict(qualifiers(each))["p_value"])
        for each in extraction[1]
        if each.predicate == "compared_on"
    }
    assert compared == {("Walkers", "0.03"), ("Sleepers", "0.4")}


def test_arms_of_two_trials_are_two_concepts() -> None:
    other = json.loads(json.dumps(A_TRIAL).replace("NCT00000001", "NCT00000002"))
    payload = a_payload(json.dumps(other), "ctgov-v2", doc_id="NCT00000002", source="clinicaltrials")
    extraction = RegistryExtractor().extract(ClinicalTrialsParser().parse(payload, "default"))
    assert mention(extraction, "Walkers").concept != mention(found(A_TRIAL), "Walkers").concept


def test_all_of_it_is_grounded_and_allowed_by_the_shipped_schema() -> None:
    study = A_TRIAL | {"resultsSection": {"outcomeMeasuresModule": {"outcomeMeasures": [A_MEASURE]}}}
    document = parsed(study)
    extraction = RegistryExtractor().extract(document)
    result = grounded(document, extraction, load_graph_schema(shipped_folder()))
    assert (result.extraction, dict(result.dropped)) == (extraction, {})


def test_the_same_record_gives_the_same_ids() -> None:
    assert found(A_TRIAL) == found(A_TRIAL)
