"""Every string and number of a study is in its document, but for the paths that are named as left out."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound
from orchestration.parsing.clinicaltrials.fields import humanised
from orchestration.parsing.clinicaltrials.parser import LEFT_OUT, ClinicalTrialsParser
from orchestration.records import Document

STUDIES = Path(__file__).parents[5] / "shared" / "data" / "clinicaltrials" / "studies.jsonl"
JOINING = re.compile(r"(.*\.)?(groupId|groupIds|(groups|eventGroups)\.id|reportingStatus)")
"""Ids that join the parts of a record, and the status POSTED, which needs no word."""

GROUPS = [{"id": "G0", "title": "Kite", "description": "Flew."}, {"id": "G1", "title": "Rest"}]
COUNTS = [{"groupId": "G0", "value": "31"}, {"groupId": "G1", "value": "32"}]
CLASSES = [
    {
        "title": "Coast",
        "denoms": [{"units": "Lines", "counts": [{"groupId": "G0", "value": "33"}]}],
        "categories": [
            {
                "title": "Calm",
                "measurements": [
                    {"groupId": "G0", "value": "34", "spread": "35", "comment": "By eye"},
                    {"groupId": "G1", "value": "NA", "lowerLimit": "36", "upperLimit": "37"},
                ],
            }
        ],
    }
]
MEASURE = {
    "title": "Height",
    "description": "Of the kite.",
    "populationDescription": "All who flew.",
    "paramType": "GEOMETRIC_MEAN",
    "dispersionType": "Inter-Quartile Range",
    "unitOfMeasure": "fathoms",
    "calculatePct": False,
    "denomUnitsSelected": "Kites",
    "denoms": [{"units": "Kites", "counts": COUNTS}],
    "classes": CLASSES,
}
EVENT = {
    "term": "Rope burn",
    "organSystem": "Skin",
    "sourceVocabulary": "MedDRA 23.0",
    "assessmentType": "SYSTEMATIC_ASSESSMENT",
    "notes": "In a gale",
    "stats": [{"groupId": "G0", "numEvents": 41, "numAffected": 42, "numAtRisk": 43}],
}
ANALYSIS = {
    "groupIds": ["G0", "G1"],
    "groupDescription": "All kites",
    "paramType": "HAZARD_RATIO",
    "paramValue": "0.51",
    "dispersionType": "STANDARD_ERROR_OF_MEAN",
    "dispersionValue": "0.11",
    "statisticalMethod": "LOG_RANK",
    "statisticalComment": "By coast",
    "pValue": "<0.001",
    "pValueComment": "Not adjusted",
    "ciNumSides": "TWO_SIDED",
    "ciPctValue": "95",
    "ciLowerLimit": "0.31",
    "ciUpperLimit": "0.81",
    "ciLowerLimitComment": "Exact",
    "ciUpperLimitComment": "Bound",
    "estimateComment": "Per knot",
    "testedNonInferiority": True,
    "nonInferiorityType": "NON_INFERIORITY_OR_EQUIVALENCE",
    "nonInferiorityComment": "Margin of a fathom",
    "otherAnalysisDescription": "Again by hand",
}
STUDY: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {"nctId": "NCT09999999", "briefTitle": "Kites"},
        "statusModule": {
            "overallStatus": "WITHHELD",
            "expandedAccessInfo": {"nctId": "NCT08888888", "statusForNctId": "AVAILABLE"},
        },
        "descriptionModule": {"briefSummary": "Short.", "detailedDescription": "Long."},
        "armsInterventionsModule": {
            "armGroups": [{"label": "A", "type": "EXPERIMENTAL", "description": "Of silk."}],
            "interventions": [{"name": "Kite", "type": "DEVICE", "otherNames": ["Dragon"]}],
        },
        "outcomesModule": {"primaryOutcomes": [{"measure": "Lift", "timeFrame": "A day"}]},
        "contactsLocationsModule": {
            "locations": [{"facility": "Beach", "city": "Dune", "status": "RECRUITING"}]
        },
        "referencesModule": {
            "references": [
                {
                    "pmid": "11",
                    "citation": "Vane Q. Kites. 2021.",
                    "retractions": [{"pmid": "12", "source": "Kite J. 2022"}],
                },
                {"pmid": "13"},
            ],
            "seeAlsoLinks": [
                {"url": "https://kite.example"},
                {"label": "More", "url": "https://tail.example"},
            ],
            "availIpds": [
                {"id": "DS-7", "type": "Data Set", "url": "https://data.example", "comment": "Ask first"}
            ],
        },
    },
    "resultsSection": {
        "participantFlowModule": {
            "preAssignmentDetails": "Two weeks of calm.",
            "recruitmentDetails": "At the beach.",
            "typeUnitsAnalyzed": "Kites",
            "groups": GROUPS,
            "periods": [
                {
                    "title": "Whole study",
                    "milestones": [
                        {
                            "type": "STARTED",
                            "comment": "One late",
                            "achievements": [
                                {
                                    "groupId": "G0",
                                    "numSubjects": "21",
                                    "numUnits": "22",
                                    "comment": "By phone",
                                }
                            ],
                        }
                    ],
                    "dropWithdraws": [
                        {
                            "type": "Lost",
                            "comment": "Moved inland",
                            "reasons": [{"groupId": "G1", "numSubjects": "23", "comment": "No wind"}],
                        }
                    ],
                }
            ],
        },
        "baselineCharacteristicsModule": {
            "populationDescription": "All.",
            "typeUnitsAnalyzed": "Lines",
            "groups": GROUPS,
            "denoms": [{"units": "Participants", "counts": COUNTS}],
            "measures": [MEASURE],
        },
        "outcomeMeasuresModule": {
            "outcomeMeasures": [
                {
                    **MEASURE,
                    "type": "PRIMARY",
                    "reportingStatus": "POSTED",
                    "timeFrame": "4 weeks",
                    "typeUnitsAnalyzed": "Kites",
                    "groups": GROUPS,
                    "analyses": [ANALYSIS],
                },
                {
                    "type": "SECONDARY",
                    "title": "Mood",
                    "reportingStatus": "NOT_POSTED",
                    "anticipatedPostingDate": "2027-03",
                    "paramType": "MEAN",
                    "unitOfMeasure": "points",
                },
            ]
        },
        "adverseEventsModule": {
            "frequencyThreshold": "5",
            "timeFrame": "8 weeks",
            "description": "Asked weekly.",
            "allCauseMortalityComment": "None died.",
            "eventGroups": [
                {
                    "id": "G0",
                    "title": "Kite",
                    **{
                        f"{kind}Num{count}": 50 + number * 2 + (count == "AtRisk")
                        for number, kind in enumerate(("deaths", "serious", "other"))
                        for count in ("Affected", "AtRisk")
                    },
                }
            ],
            "seriousEvents": [EVENT],
            "otherEvents": [
                EVENT,
                {**EVENT, "sourceVocabulary": "SNOMED CT", "assessmentType": "NON_SYSTEMATIC"},
            ],
        },
        "moreInfoModule": {
            "limitationsAndCaveats": {"description": "Stopped by weather."},
            "certainAgreement": {"restrictionType": "GT60", "otherDetails": "Review first"},
            "pointOfContact": {
                "title": "Dr",
                "organization": "Kite Institute",
                "phone": "555",
                "phoneExt": "7",
            },
        },
    },
    "annotationSection": {
        "annotationModule": {
            "unpostedAnnotation": {
                "unpostedResponsibleParty": "Kite Institute",
                "unpostedEvents": [
                    {"type": "RELEASE", "date": "2024-02-02"},
                    {"type": "RESET", "date": "2024-03-03"},
                ],
            },
            "violationAnnotation": {
                "violationEvents": [
                    {
                        "type": "VIOLATION_IDENTIFIED",
                        "description": "Failure to submit required results",
                        "creationDate": "2023-01-01",
                        "issuedDate": "2023-01-02",
                        "releaseDate": "2023-01-03",
                        "postedDate": "2023-01-04",
                    }
                ]
            },
        }
    },
    "documentSection": {"largeDocumentModule": {"largeDocs": [{"label": "Protocol", "date": "2020-01-01"}]}},
    "derivedSection": {
        "miscInfoModule": {
            "removedCountries": ["Nowhere"],
            "submissionTracking": {
                "submissionInfos": [{"releaseDate": "2024-04-04", "resetDate": "2024-05-05"}]
            },
        }
    },
}


def parsed(study: dict[str, Any]) -> Document:
    document = ClinicalTrialsParser().parse(
        a_payload(study, "ctgov-v2", doc_id="NCT09999999", source="clinicaltrials"), "default"
    )
    assert_sound(document)
    return document


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths of strings and numbers; elements of lists have the path of their list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    elif not isinstance(value, bool) and value is not None:
        yield path, value


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def missing(study: dict[str, Any]) -> list[tuple[str, Any]]:
    """Leaves that the document does not hold, in their own words or as the words of a code."""
    document = parsed(study)
    references = " ".join(f"{entry.text} {entry.pmid}" for entry in document.references)
    held = plain(f"{document.text} {references} {json.dumps(document.metadata, ensure_ascii=False)}")
    return [
        (path, value)
        for path, value in leaves(study)
        if not path.startswith(LEFT_OUT)
        and not JOINING.fullmatch(path)
        and plain(str(value)) not in held
        and plain(humanised(str(value))) not in held
    ]


def test_a_study_with_every_field_is_held_whole() -> None:
    assert missing(STUDY) == []


def test_units_stand_with_their_counts_and_comments_with_their_cells() -> None:
    text = parsed(STUDY).text
    for line in (
        "Started | 21 (22 Kites) [By phone]",
        "Not completed: Lost | | 23 [No wind]",
        "Started: One late",
        "Number analyzed (Kites) | 31 | 32",
        "Coast: Number analyzed (Lines) | 33",
        "Coast: Calm | 34 (35) [By eye] | NA (36 to 37)",
        "Secondary outcome: Mood (mean, points)",
        "Reporting status: not posted",
        "Serious adverse events (MedDRA 23.0; Systematic assessment)",
        "Skin | Rope burn | MedDRA 23.0 | Systematic assessment | 42/43 (41 events)",
        "Rope burn: In a gale",
        "Vane Q. Kites. 2021. PMID 11. Retracted: PMID 12, Kite J. 2022",
        "https://kite.example",
        "DS-7 (data set; URL: https://data.example; Comment: Ask first)",
        "Restriction of publication: more than 60 days",
    ):
        assert line in text, line
    assert "\n: " not in text


def test_a_value_of_a_group_that_its_table_lacks_is_a_note_below_it() -> None:
    study = copy.deepcopy(STUDY)
    flow = study["resultsSection"]["participantFlowModule"]["periods"][0]["milestones"][0]
    flow["achievements"].append({"groupId": "G9", "numSubjects": "99"})
    assert "Started, group G9: 99" in parsed(study).text


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_the_words_of_a_field_are_they_are_held(data: st.DataObject) -> None:
    study = copy.deepcopy(STUDY)
    places = list(_places(study))
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(st.text("abcxyz 09.,;:-<>[](){}%*\\#\n", min_size=1).map(lambda t: f"q{t}q"))
    assert missing(study) == []


def _places(value: Any, path: str = "") -> Iterator[tuple[Any, Any]]:
    """Where strings stand that may be any: no ids, codes or statuses."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        inner = f"{path}.{key}" if isinstance(key, str) else path
        if isinstance(item, dict | list):
            yield from _places(item, inner)
        elif isinstance(item, str) and not inner.endswith(("nctId", "groupId", "groupIds", ".id", "Status")):
            yield value, key


@given(name=st.from_regex(r"new[A-Z][a-z]{3,8}", fullmatch=True), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_field_that_the_registry_adds_anywhere_is_held(name: str, data: st.DataObject) -> None:
    study = copy.deepcopy(STUDY)
    data.draw(st.sampled_from(list(_objects(study))))[name] = "zanzibar of kites"
    assert missing(study) == []


def _objects(value: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Objects of the protocol, the results and the annotations; those that group others have no fields."""
    if isinstance(value, dict):
        if path.count(".") >= 2 and not path.startswith(".derivedSection"):
            yield value
        for key, item in value.items():
            yield from _objects(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item, path)


@pytest.mark.shared_data
@pytest.mark.skipif(
    not STUDIES.is_file(), reason="needs the real documents of ../shared/data (see its README)"
)
def test_all_studies_are_held_whole() -> None:
    with STUDIES.open() as lines:
        lost = [
            (json.loads(line)["protocolSection"]["identificationModule"]["nctId"], leaves_lost)
            for line in lines
            if (leaves_lost := missing(json.loads(line)))
        ]
    assert lost == []
