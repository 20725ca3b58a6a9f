"""Marks the values of a study that the graph is made of, before the study is written as text.

Input: a study of the v2 data model. Output: the study with marks in these values; every other value as it is.
What each annotation is called, and what belongs to what: KINDS.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestration.parsing.clinicaltrials.fields import readable
from orchestration.parsing.json.fields import list_at, module_at, text_at
from orchestration.parsing.marking import Marks

__all__ = ["KINDS", "marked_study"]

Fields = dict[str, Any]

KINDS: Final[Mapping[str, str]] = {
    "trial": "the registry's id of the study; its earlier ids and EudraCT number",
    "condition": "a condition that it studies; MeSH where the registry gives it for the same name",
    "intervention": "what it tests, with the type of the registry; MeSH as for conditions",
    "synonym": "another name; of an intervention",
    "arm": "an arm by its label, with its type",
    "arm_intervention": "an intervention as an arm names it, without its type; of the arm",
    "outcome": "an outcome of the protocol, with its role",
    "time_frame": "when it is measured; of an outcome or a measure",
    "phase": "a phase",
    "study_type": "interventional, observational, expanded access",
    "status": "the overall status",
    "sponsor": "a sponsor or collaborator, with its role",
    "enrollment": "number of participants",
    "sex": "who may take part",
    "minimum_age": "who may take part",
    "maximum_age": "who may take part",
    "condition_mesh": "a MeSH term that the registry derived from the conditions",
    "intervention_mesh": "a MeSH term that the registry derived from the interventions",
    "measure": "an outcome with results, with its role",
    "group": "a group of a measure, with its id; of the measure",
    "effect_type": "estimated parameter of an analysis; of the measure",
    "effect": "its value; of the measure",
    "ci_percent": "level of its confidence interval; of the measure",
    "ci_lower": "lower limit; of the measure",
    "ci_upper": "upper limit; of the measure",
    "p_value": "P value of an analysis; of the measure",
    "method": "statistical method of an analysis; of the measure",
    "reference": "a publication, with its role: Result, Background, Derived; written by the builder",
    "retraction": "the notice that retracts a publication; of the reference",
}

_ROLES: Final = {"primaryOutcomes": "primary", "secondaryOutcomes": "secondary", "otherOutcomes": "other"}
_OF_ANALYSIS: Final = {
    "paramType": "effect_type",
    "paramValue": "effect",
    "ciPctValue": "ci_percent",
    "ciLowerLimit": "ci_lower",
    "ciUpperLimit": "ci_upper",
    "pValue": "p_value",
    "statisticalMethod": "method",
}
_PADDED: Final = re.compile(r"([DC])0*(\d{6,9})")
"""MeSH ids, which some exports of the registry fill up with zeros."""


def marked_study(study: Mapping[str, Any], marks: Marks) -> Fields:
    """The study with its values marked; raises TypeError where types are wrong."""
    marked: Fields = copy.deepcopy(dict(study))
    protocol = module_at(marked, "protocolSection")
    derived = module_at(marked, "derivedSection")
    conditions = _mesh_ids(derived, "conditionBrowseModule")
    interventions = _mesh_ids(derived, "interventionBrowseModule")
    marker = _Marker(marks)
    identification = module_at(protocol, "identificationModule")
    marker.value(identification, "nctId", "trial", "trial", identifiers=_other_ids(identification))
    _mark_conditions(marker, module_at(protocol, "conditionsModule"), conditions)
    _mark_arms(marker, module_at(protocol, "armsInterventionsModule"), interventions)
    _mark_outcomes(marker, module_at(protocol, "outcomesModule"))
    _mark_design(marker, protocol)
    _mark_mesh(marker, derived, "conditionBrowseModule", "condition_mesh")
    _mark_mesh(marker, derived, "interventionBrowseModule", "intervention_mesh")
    results = module_at(module_at(marked, "resultsSection"), "outcomeMeasuresModule")
    _mark_measures(marker, results)
    return marked


class _Marker:
    """Replaces values of records by marked ones."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def value(self, record: Any, key: str, kind: str, annotation_id: str, **details: Any) -> None:
        """Mark the value under a key, a text or a number."""
        text = text_at(record, key)
        if text:
            record[key] = self._marks.mark(readable(key, text), kind, annotation_id, **details)

    def items(
        self,
        record: Any,
        key: str,
        mark: Callable[[int, str], tuple[str, Fields]],
        kind: str,
        behind: str = "",
    ) -> None:
        """Mark the texts of a list, or what is behind a separator in each; `mark`: id and details of each."""
        values = record.get(key)
        if not isinstance(values, list):
            return
        for number, value in enumerate(values):
            if isinstance(value, str):
                annotation_id, details = mark(number, value)
                head, separator, rest = value.partition(behind) if behind else ("", "", value)
                if not rest.strip():
                    head, separator, rest = "", "", value
                marked = self._marks.mark(readable(key, rest), kind, annotation_id, **details)
                values[number] = f"{head}{separator}{marked}"


def _other_ids(module: Any) -> tuple[str, ...]:
    """CURIEs of the ids under which the study was registered before, and of its EudraCT number."""
    aliases = module.get("nctIdAliases")
    earlier = [each for each in aliases if isinstance(each, str)] if isinstance(aliases, list) else []
    numbers = [
        text_at(each, "id")
        for each in list_at(module, "secondaryIdInfos")
        if text_at(each, "type") == "EUDRACT_NUMBER"
    ]
    curies = [*(f"NCT:{each.strip()}" for each in earlier), *(f"EUCTR:{each.strip()}" for each in numbers)]
    return tuple(dict.fromkeys(curies))


def _mark_conditions(marker: _Marker, module: Any, mesh: Mapping[str, str]) -> None:
    marker.items(
        module,
        "conditions",
        lambda number, name: (f"condition-{number}", {"identifiers": _ids(mesh, name)}),
        "condition",
    )


def _mark_arms(marker: _Marker, module: Any, mesh: Mapping[str, str]) -> None:
    interventions = list_at(module, "interventions")
    numbers = {
        _folded(
            f"{text_at(each, 'type').replace('_', ' ')}: {text_at(each, 'name')}"
        ): f"intervention-{number}"
        for number, each in enumerate(interventions)
    }
    for number, arm in enumerate(list_at(module, "armGroups")):
        arm_id = f"arm-{number}"
        marker.value(arm, "label", "arm", arm_id, type=text_at(arm, "type"))
        marker.items(
            arm,
            "interventionNames",
            lambda place, name, arm_id=arm_id: (  # type: ignore[misc]
                f"{arm_id}-intervention-{place}",
                {"of": arm_id, "intervention": numbers.get(_folded(name), "")},
            ),
            "arm_intervention",
            behind=": ",
        )
    for number, intervention in enumerate(interventions):
        identifier = f"intervention-{number}"
        name = text_at(intervention, "name")
        kind = text_at(intervention, "type")
        marker.value(
            intervention, "name", "intervention", identifier, identifiers=_ids(mesh, name), type=kind
        )
        marker.items(
            intervention,
            "otherNames",
            lambda place, _, identifier=identifier: (f"{identifier}-name-{place}", {"of": identifier}),  # type: ignore[misc]
            "synonym",
        )


def _name_by_arms(intervention: Any) -> str:
    """How arms name an intervention: 'Dietary Supplement: Vitamin D'; folded."""
    kind = text_at(intervention, "type").replace("_", " ")
    return _folded(f"{kind}: {text_at(intervention, 'name')}")


def _folded(name: str) -> str:
    """A name of an intervention as it is compared: in any case, with any white space."""
    return " ".join(name.casefold().split())


def _mark_outcomes(marker: _Marker, module: Any) -> None:
    for key, role in _ROLES.items():
        for number, outcome in enumerate(list_at(module, key)):
            identifier = f"outcome-{role}-{number}"
            marker.value(outcome, "measure", "outcome", identifier, role=role)
            marker.value(outcome, "timeFrame", "time_frame", f"{identifier}-time", of=identifier)


def _mark_design(marker: _Marker, protocol: Any) -> None:
    """Phases, type, status, sponsors, and who may take part."""
    design = module_at(protocol, "designModule")
    phases = design.get("phases")
    if isinstance(phases, list) and "NA" not in phases:
        marker.items(design, "phases", lambda number, _: (f"phase-{number}", {}), "phase")
    marker.value(design, "studyType", "study_type", "study_type")
    marker.value(module_at(design, "enrollmentInfo"), "count", "enrollment", "enrollment")
    marker.value(module_at(protocol, "statusModule"), "overallStatus", "status", "status")
    sponsors = module_at(protocol, "sponsorCollaboratorsModule")
    marker.value(module_at(sponsors, "leadSponsor"), "name", "sponsor", "sponsor-lead", role="lead")
    for number, collaborator in enumerate(list_at(sponsors, "collaborators")):
        marker.value(collaborator, "name", "sponsor", f"sponsor-{number}", role="collaborator")
    eligibility = module_at(protocol, "eligibilityModule")
    for key, kind in (("sex", "sex"), ("minimumAge", "minimum_age"), ("maximumAge", "maximum_age")):
        marker.value(eligibility, key, kind, kind)


def _mark_measures(marker: _Marker, module: Any) -> None:
    for number, measure in enumerate(list_at(module, "outcomeMeasures")):
        identifier = f"measure-{number}"
        role = text_at(measure, "type").lower()
        marker.value(measure, "title", "measure", identifier, role=role)
        marker.value(measure, "timeFrame", "time_frame", f"{identifier}-time", of=identifier)
        for group in list_at(measure, "groups"):
            group_id = text_at(group, "id")
            marker.value(group, "title", "group", f"{identifier}-{group_id}", of=identifier, group=group_id)
        for place, analysis in enumerate(list_at(measure, "analyses")):
            groups = analysis.get("groupIds")
            shared = {
                "of": identifier,
                "analysis": str(place),
                "groups": " ".join(map(str, groups)) if isinstance(groups, list) else "",
            }
            for key, kind in _OF_ANALYSIS.items():
                marker.value(analysis, key, kind, f"{identifier}-{place}-{kind}", **shared)


def _mark_mesh(marker: _Marker, derived: Any, module: str, kind: str) -> None:
    for number, term in enumerate(list_at(module_at(derived, module), "meshes")):
        marker.value(term, "term", kind, f"{kind}-{number}", identifiers=_curies(text_at(term, "id")))


def _mesh_ids(derived: Any, module: str) -> dict[str, str]:
    """MeSH id by term, in lower case."""
    terms = list_at(module_at(derived, module), "meshes")
    return {text_at(term, "term").casefold(): text_at(term, "id") for term in terms}


def _ids(mesh: Mapping[str, str], name: str) -> tuple[str, ...]:
    return _curies(mesh.get(name.strip().casefold(), ""))


def _curies(mesh_id: str) -> tuple[str, ...]:
    match = _PADDED.fullmatch(mesh_id)
    return (f"MESH:{match[1]}{match[2]}",) if match else ()
