"""ClinicalTrials.gov v2 records: all protocol modules, results with their tables, derived MeSH terms.

Comes in: a list of studies, JSON Lines, a page of the API, or one study. Leaves: one Document per study; each
outcome is one block, and so are the eligibility criteria. Cited papers are references, not text; retractions
of them are both. What is left out of the text is in LEFT_OUT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

from orchestration.contracts import RecordLocation, revision_of
from orchestration.errors import DocumentTooLargeError, MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.clinicaltrials.cells import other_fields
from orchestration.parsing.clinicaltrials.fields import (
    field_lines,
    humanised,
    markup_lines,
    markup_paragraphs,
)
from orchestration.parsing.clinicaltrials.marked_study import marked_study
from orchestration.parsing.clinicaltrials.publications import (
    add_documents,
    add_notices,
    add_publications,
    result_pmids,
)
from orchestration.parsing.clinicaltrials.results import add_results
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.json.fields import list_at, module_at, text_at, without
from orchestration.parsing.json.records import json_records, load_record
from orchestration.parsing.marking import Marks
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, Document, RawPayload

Study = Mapping[str, Any]

_OUTCOME_LISTS = {
    "primaryOutcomes": "Primary outcome",
    "secondaryOutcomes": "Secondary outcome",
    "otherOutcomes": "Other outcome",
}
# Modules that become one block of `Label: value` lines each, in this order, with their headings.
_FIELD_MODULES = {
    "identificationModule": ("Identification", "identification"),
    "statusModule": ("Status", "status"),
    "sponsorCollaboratorsModule": ("Sponsor and collaborators", "sponsor"),
    "oversightModule": ("Oversight", "oversight"),
    "ipdSharingStatementModule": ("Sharing of participant data", "data_sharing"),
}
LEFT_OUT: Final = (
    "protocolSection.contactsLocationsModule.locations.contacts",
    "protocolSection.contactsLocationsModule.locations.geoPoint",
    "protocolSection.contactsLocationsModule.locations_nested",
    "documentSection.largeDocumentModule.largeDocs.typeAbbrev",
    "documentSection.largeDocumentModule.largeDocs.uploadDate",
    "documentSection.largeDocumentModule.largeDocs.filename",
    "documentSection.largeDocumentModule.largeDocs.size",
    "derivedSection.conditionBrowseModule.browseBranches",
    "derivedSection.conditionBrowseModule.browseLeaves",
    "derivedSection.conditionBrowseModule.meshes.id",
    "derivedSection.conditionBrowseModule.ancestors.id",
    "derivedSection.interventionBrowseModule.browseBranches",
    "derivedSection.interventionBrowseModule.browseLeaves",
    "derivedSection.interventionBrowseModule.meshes.id",
    "derivedSection.interventionBrowseModule.ancestors.id",
    "derivedSection.miscInfoModule.versionHolder",
    "derivedSection.miscInfoModule.modelPredictions",
)
"""Paths of fields that are neither text nor metadata: persons to call at single sites, coordinates, a copy of
the sites that some exports add, names of files, and what the API derives for its own use. Ids that join the
parts of a record (groupId and the ids of groups) and 'POSTED' are left out too."""
_READ_SEPARATELY = frozenset(
    {
        "descriptionModule",
        "conditionsModule",
        "designModule",
        "armsInterventionsModule",
        "outcomesModule",
        "eligibilityModule",
        "contactsLocationsModule",
        "referencesModule",
    }
)


class ClinicalTrialsParser:
    """Studies of ClinicalTrials.gov as its API gives them (data model 2); annotated: marked_study.KINDS."""

    format = "ctgov-v2"
    version = "7"
    source = "clinicaltrials"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by the sections that every study has."""
        text = decode_head(head)
        if text is None or not text.lstrip().startswith(("{", "[")):
            return 0
        if re.search(r'"(protocolSection|resultsSection|derivedSection)"\s*:', text):
            return 95
        return 40 if '"nctId"' in text else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield every study; streams."""
        return json_records(
            stream, uri, max_record_bytes, _nct_id, list_key="studies", nested=_nct_id, revision=_revision
        )

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Parse the study; raises MissingIdentifierError, or MalformedDocumentError for wrong types."""
        study = load_record(payload.content, payload.uri)
        _nct_id(study)
        marks = Marks()
        builder = DocumentBuilder(marks)
        try:
            _add_study(builder, marks, marked_study(study, marks))
            metadata = _metadata(study)
        except DocumentTooLargeError as error:
            raise DocumentTooLargeError(f"{payload.uri}: {error.message}") from error
        except (TypeError, AttributeError, ValueError, RecursionError) as error:
            raise MalformedDocumentError(
                f"{payload.uri}: {payload.doc_id} is not of the ClinicalTrials.gov v2 data model: {error}. "
                "Fetch the study again from https://clinicaltrials.gov/api/v2/studies."
            ) from error
        return builder.build(payload, tenant_id, self, metadata=metadata)


def _nct_id(study: Study) -> str:
    section = study.get("protocolSection")
    module = section.get("identificationModule") if isinstance(section, Mapping) else None
    nct_id = module.get("nctId") if isinstance(module, Mapping) else None
    if isinstance(nct_id, str) and nct_id.strip():
        return nct_id.strip()
    raise MissingIdentifierError(
        "the study has no protocolSection.identificationModule.nctId, so it could not be cited or updated. "
        "Ask the API for whole records (no `fields` parameter)."
    )


def _revision(study: Study) -> str:
    """Of the dates of the last update, then of the registry's data."""
    status = _mapping(_mapping(study.get("protocolSection")).get("statusModule"))
    posted = _mapping(status.get("lastUpdatePostDateStruct")).get("date")
    derived = _mapping(_mapping(study.get("derivedSection")).get("miscInfoModule"))
    dates = (posted, status.get("lastUpdateSubmitDate"), derived.get("versionHolder"))
    return revision_of(*(date if isinstance(date, str) else "" for date in dates))


def _mapping(value: object) -> Study:
    return value if isinstance(value, Mapping) else {}


def _add_study(builder: DocumentBuilder, marks: Marks, study: Study) -> None:
    protocol = module_at(study, "protocolSection")
    identification = module_at(protocol, "identificationModule")
    builder.title(text_at(identification, "briefTitle") or text_at(identification, "officialTitle"))
    _add_description(builder, module_at(protocol, "descriptionModule"))
    _add_conditions(builder, module_at(protocol, "conditionsModule"))
    _add_design(builder, module_at(protocol, "designModule"))
    _add_arms(builder, module_at(protocol, "armsInterventionsModule"))
    _add_outcomes(builder, module_at(protocol, "outcomesModule"))
    _add_eligibility(builder, module_at(protocol, "eligibilityModule"))
    _add_contacts(builder, module_at(protocol, "contactsLocationsModule"))
    for name, (heading, role) in _FIELD_MODULES.items():
        _add_fields(builder, heading, role, without(module_at(protocol, name), "briefTitle"))
    for name in sorted(protocol.keys() - _READ_SEPARATELY - _FIELD_MODULES.keys()):
        _add_fields(builder, humanised(name.removesuffix("Module")), None, module_at(protocol, name))
    add_publications(builder, marks, module_at(protocol, "referencesModule"))
    add_results(builder, module_at(study, "resultsSection"))
    add_documents(builder, module_at(study, "documentSection"))
    add_notices(builder, study)
    _add_mesh(builder, module_at(study, "derivedSection"))


def _add_description(builder: DocumentBuilder, module: Study) -> None:
    for field, heading, role in (
        ("briefSummary", "Brief summary", "abstract"),
        ("detailedDescription", "Detailed description", "description"),
    ):
        with builder.section(heading, role):
            for kind, lines in markup_paragraphs(text_at(module, field)):
                builder.lines(kind, lines)
    _add_fields(builder, "Description", None, without(module, "briefSummary", "detailedDescription"))


def _add_conditions(builder: DocumentBuilder, module: Study) -> None:
    _add_fields(builder, "Conditions", "conditions", module)


def _add_design(builder: DocumentBuilder, module: Study) -> None:
    _add_fields(builder, "Design", "methods", module)


def _add_arms(builder: DocumentBuilder, module: Study) -> None:
    with builder.section("Arms and interventions", "interventions"):
        for arm in list_at(module, "armGroups"):
            head = ": ".join(filter(None, [humanised(text_at(arm, "type")) or "Arm", text_at(arm, "label")]))
            _add_fields_block(builder, head, arm, ("type", "label"), ("description", "interventionNames"))
        for intervention in list_at(module, "interventions"):
            head = ": ".join(
                filter(None, [humanised(text_at(intervention, "type")), text_at(intervention, "name")])
            )
            first = ("description", "otherNames", "armGroupLabels")
            _add_fields_block(builder, head, intervention, ("type", "name"), first)
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, "armGroups", "interventions"))


def _add_fields_block(
    builder: DocumentBuilder, head: str, record: Study, in_head: Iterable[str], first: Sequence[str]
) -> None:
    """Append a record as one block: its head, the fields `first` in this order, then all others."""
    ordered = {key: record[key] for key in first if key in record}
    builder.lines(
        BlockKind.REGISTRY_FIELD, [head, *field_lines(ordered), *other_fields(record, *in_head, *first)]
    )


def _add_outcomes(builder: DocumentBuilder, module: Study) -> None:
    with builder.section("Outcomes", "outcomes"):
        for field, label in _OUTCOME_LISTS.items():
            for outcome in list_at(module, field):
                time_frame = text_at(outcome, "timeFrame")
                builder.lines(
                    BlockKind.OUTCOME,
                    [
                        f"{label}: {text_at(outcome, 'measure')}",
                        *markup_lines(text_at(outcome, "description")),
                        f"Time frame: {time_frame}" if time_frame else "",
                        *other_fields(outcome, "measure", "description", "timeFrame"),
                    ],
                )
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, *_OUTCOME_LISTS))


def _add_eligibility(builder: DocumentBuilder, module: Study) -> None:
    with builder.section("Eligibility", "eligibility"):
        builder.lines(BlockKind.ELIGIBILITY, markup_lines(text_at(module, "eligibilityCriteria")))
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, "eligibilityCriteria"))


def _add_contacts(builder: DocumentBuilder, module: Study) -> None:
    with builder.section("Contacts and locations", "locations"):
        people = {key: module[key] for key in ("overallOfficials", "centralContacts") if key in module}
        builder.lines(BlockKind.REGISTRY_FIELD, field_lines(people))
        builder.lines(BlockKind.LIST, map(_location, list_at(module, "locations")))
        others = other_fields(module, *people, "locations", "locations_nested")
        builder.lines(BlockKind.REGISTRY_FIELD, others)


_OF_LOCATION = ("facility", "city", "state", "zip", "country", "status", "contacts", "geoPoint")


def _location(location: Study) -> str:
    place = [text_at(location, key) for key in ("facility", "city", "state", "zip", "country")]
    status = humanised(text_at(location, "status"))
    others = other_fields(location, *_OF_LOCATION)
    return ", ".join([*filter(None, place), *others]) + (f" ({status})" if status else "")


def _add_fields(builder: DocumentBuilder, heading: str, role: str | None, module: Study) -> None:
    lines = field_lines(module)
    if lines:
        with builder.section(heading, role):
            builder.lines(BlockKind.REGISTRY_FIELD, lines)


def _add_mesh(builder: DocumentBuilder, section: Study) -> None:
    lines = [
        f"{label}: {'; '.join(terms)}"
        for label, terms in (
            ("Condition MeSH terms", _mesh(section, "conditionBrowseModule", "meshes")),
            ("Intervention MeSH terms", _mesh(section, "interventionBrowseModule", "meshes")),
        )
        if terms
    ]
    with builder.section("MeSH terms", "mesh"):
        builder.lines(BlockKind.REGISTRY_FIELD, lines)


def _mesh(section: Study, module: str, field: str) -> list[str]:
    return [text_at(term, "term") for term in list_at(module_at(section, module), field)]


def _metadata(study: Study) -> dict[str, Any]:
    """Metadata that searches filter by and citations show."""
    protocol = module_at(study, "protocolSection")
    identification = module_at(protocol, "identificationModule")
    status = module_at(protocol, "statusModule")
    design = module_at(protocol, "designModule")
    arms = module_at(protocol, "armsInterventionsModule")
    sponsor = module_at(protocol, "sponsorCollaboratorsModule")
    derived = module_at(study, "derivedSection")
    condition_mesh = _mesh(derived, "conditionBrowseModule", "meshes")
    intervention_mesh = _mesh(derived, "interventionBrowseModule", "meshes")
    start = text_at(module_at(status, "startDateStruct"), "date")
    return {
        "nct_id": text_at(identification, "nctId"),
        "official_title": text_at(identification, "officialTitle"),
        "acronym": text_at(identification, "acronym"),
        "status": text_at(status, "overallStatus"),
        "study_type": text_at(design, "studyType"),
        "phase": [str(phase) for phase in design.get("phases") or []],
        "enrollment": module_at(design, "enrollmentInfo").get("count"),
        "start_date": start,
        "completion_date": text_at(module_at(status, "completionDateStruct"), "date"),
        "year": start[:4],
        "result_pmids": result_pmids(module_at(protocol, "referencesModule")),
        "lead_sponsor": text_at(module_at(sponsor, "leadSponsor"), "name"),
        "conditions": list(module_at(protocol, "conditionsModule").get("conditions") or []),
        "interventions": [text_at(item, "name") for item in list_at(arms, "interventions")],
        "has_results": bool(study.get("hasResults") or study.get("resultsSection")),
        "mesh": list(dict.fromkeys([*condition_mesh, *intervention_mesh])),
        "condition_mesh": condition_mesh,
        "intervention_mesh": intervention_mesh,
        "mesh_ancestors": list(
            dict.fromkeys(
                [
                    *_mesh(derived, "conditionBrowseModule", "ancestors"),
                    *_mesh(derived, "interventionBrowseModule", "ancestors"),
                ]
            )
        ),
    }
