"""Studies of ClinicalTrials.gov, their results, and pages of its API."""

from __future__ import annotations

import json
from typing import Any


def a_study(nct_id: str | None = "NCT00000001", **modules: dict[str, Any]) -> dict[str, Any]:
    """A study of ClinicalTrials.gov v2 without results; `modules` replace or add protocol modules."""
    identification = {"briefTitle": "Walking for better sleep", "officialTitle": "A randomised walking trial"}
    protocol: dict[str, Any] = {
        "identificationModule": ({"nctId": nct_id} if nct_id else {}) | identification,
        "statusModule": {
            "overallStatus": "COMPLETED",
            "startDateStruct": {"date": "2019-03", "type": "ACTUAL"},
        },
        "descriptionModule": {"briefSummary": "Does walking help adults to sleep?"},
        "conditionsModule": {"conditions": ["Insomnia"], "keywords": ["walking"]},
        "designModule": {"studyType": "INTERVENTIONAL", "phases": ["NA"], "enrollmentInfo": {"count": 80}},
        "outcomesModule": {
            "primaryOutcomes": [{"measure": "Sleep duration", "timeFrame": "12 weeks"}],
            "secondaryOutcomes": [{"measure": "Mood", "description": "By questionnaire"}],
        },
        "eligibilityModule": {
            "eligibilityCriteria": "Inclusion Criteria:\n\n* Age \\>= 18 years\n\n"
            "Exclusion Criteria:\n\n* Night shifts",
            "sex": "ALL",
        },
    }
    return {"protocolSection": protocol | modules, "hasResults": False}


def a_page_of_studies(*studies: dict[str, Any], next_page_token: str = "KV5sq") -> bytes:
    """A page of ClinicalTrials.gov's listing of studies."""
    page = {"totalCount": len(studies), "studies": studies, "nextPageToken": next_page_token}
    return json.dumps(page).encode()


def study_results(title: str = "Sleep duration") -> dict[str, Any]:
    """A resultsSection with one table of each kind."""
    groups = [{"id": "G0", "title": "Walking"}, {"id": "G1", "title": "Usual care"}]
    return {
        "participantFlowModule": {
            "groups": groups,
            "periods": [
                {
                    "title": "Overall Study",
                    "milestones": [
                        {
                            "type": "STARTED",
                            "achievements": [
                                {"groupId": "G0", "numSubjects": "40"},
                                {"groupId": "G1", "numSubjects": "39"},
                            ],
                        }
                    ],
                }
            ],
        },
        "outcomeMeasuresModule": {
            "outcomeMeasures": [
                {
                    "type": "PRIMARY",
                    "title": title,
                    "unitOfMeasure": "minutes",
                    "paramType": "MEAN",
                    "groups": groups,
                    "classes": [
                        {
                            "categories": [
                                {
                                    "measurements": [
                                        {"groupId": "G0", "value": "452", "spread": "31"},
                                        {"groupId": "G1", "value": "420", "spread": "29"},
                                    ]
                                }
                            ]
                        }
                    ],
                }
            ]
        },
        "adverseEventsModule": {
            "eventGroups": [
                {"id": "G0", "title": "Walking", "seriousNumAffected": 1, "seriousNumAtRisk": 40},
                {"id": "G1", "title": "Usual care", "seriousNumAffected": 0, "seriousNumAtRisk": 39},
            ],
            "seriousEvents": [
                {
                    "term": "Ankle fracture",
                    "organSystem": "Injuries",
                    "stats": [{"groupId": "G0", "numAffected": 1, "numAtRisk": 40}],
                }
            ],
        },
    }
