"""Registry records as readable lines: field names as labels, codes as words, their markup as plain text.

Comes in: the nested objects of a registry's JSON. Leaves: lines such as 'Start date: 2019-03 (actual)'.
Unknown fields are written too, under their own names, so that a new field of the registry is not lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestration.records import BlockKind

_CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
# Fields whose values are codes of the registry; elsewhere capitals are acronyms and stay.
_CODED = frozenset(
    {
        "allocation",
        "assessmentType",
        "ciNumSides",
        "class",
        "dispersionType",
        "infoTypes",
        "interventionModel",
        "ipdSharing",
        "masking",
        "nonInferiorityType",
        "observationalModel",
        "overallStatus",
        "lastKnownStatus",
        "paramType",
        "phases",
        "primaryPurpose",
        "reportingStatus",
        "restrictionType",
        "retention",
        "role",
        "samplingMethod",
        "sex",
        "status",
        "statusForNctId",
        "stdAges",
        "studyType",
        "timePerspective",
        "type",
        "whoMasked",
    }
)
_LABELS = {
    "nctId": "NCT id",
    "orgStudyIdInfo": "Organization's study id",
    "secondaryIdInfos": "Secondary ids",
    "whoMasked": "Who is masked",
    "oversightHasDmc": "Has a data monitoring committee",
    "isFdaRegulatedDrug": "FDA-regulated drug",
    "isFdaRegulatedDevice": "FDA-regulated device",
    "ipdSharing": "Plan to share individual participant data",
    "interventionNames": "Interventions",
    "armGroupLabels": "Arms",
    "stdAges": "Age groups",
    "sex": "Sex",
    "anticipatedPostingDate": "Anticipated posting date",
    "allCauseMortalityComment": "All-cause mortality",
    "calculatePct": "Percentages calculated",
    "ciLowerLimit": "Confidence interval, lower limit",
    "ciLowerLimitComment": "Confidence interval, on the lower limit",
    "ciNumSides": "Confidence interval, sides",
    "ciPctValue": "Confidence interval, percent",
    "ciUpperLimit": "Confidence interval, upper limit",
    "ciUpperLimitComment": "Confidence interval, on the upper limit",
    "denomUnitsSelected": "Units of the denominator",
    "firstMcpInfo": "First major comments",
    "frequencyThreshold": "Frequency threshold, percent",
    "paramType": "Estimated parameter",
    "paramValue": "Estimated value",
    "piSponsorEmployee": "Principal investigators are employees of the sponsor",
    "restrictionType": "Restriction of publication",
    "restrictiveAgreement": "Agreement that restricts publication",
    "pValue": "P value",
    "pValueComment": "On the P value",
    "typeUnitsAnalyzed": "Units analyzed",
    "unpostedEvents": "Results submitted and not posted",
    "unpostedResponsibleParty": "Responsible party",
    "url": "URL",
    "violationEvents": "Violations",
}
CODE_WORDS: Final = {
    **{agency: agency for agency in ("AHRQ", "CDC", "CTIS", "FDA", "NIH", "SAMHSA", "VA")},
    "AMBIG": "Ambiguous",
    "CSR": "Clinical study report",
    "EUDRACT_NUMBER": "EudraCT number",
    "FED": "Federal agency",
    "GT60": "more than 60 days",
    "ICF": "Informed consent form",
    "INDIV": "Individual",
    "LTE60": "60 days or less",
    "NA": "Not applicable",
    "OTHER_GOV": "Other government",
    "SAMPLES_WITHOUT_DNA": "Samples without DNA",
    "SAMPLES_WITH_DNA": "Samples with DNA",
    "SAP": "Statistical analysis plan",
}
"""Codes that do not read as words when their capitals become small letters."""
_NAMES_OF_CODES: Final = frozenset(words for words in CODE_WORDS.values() if not words[1:].islower())
_SMALL_WORDS = {"Id": "id", "Ids": "ids"}
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>~|^&=])")
_BULLET = re.compile(r"^(\s*)[*•·‣]\s+")
_ITEM = re.compile(r"^\s*(?:[-*•·‣]|\d{1,3}[.)])\s+\S")


def humanised(name: str) -> str:
    """'NOT_YET_RECRUITING' as 'Not yet recruiting', 'PHASE2' as 'Phase 2', 'targetDuration' as
    'Target duration'."""
    if name in CODE_WORDS:
        return CODE_WORDS[name]
    if _CODE.fullmatch(name):
        words = re.sub(r"(?<=[A-Z])(?=\d)", " ", name.replace("_", " "))
    else:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return words[:1].upper() + words[1:].lower()


def field_lines(record: Mapping[str, Any]) -> list[str]:
    """One line per field, nested objects in one line, lists separated by semicolons."""
    lines = []
    for key, value in record.items():
        text = _value(key, value)
        if text:
            first, *rest = text.split("\n")
            lines += [f"{_label(key)}: {first}", *rest]
    return lines


def _label(key: str) -> str:
    return _LABELS.get(key) or humanised(key.removesuffix("Struct").removesuffix("Info"))


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        text = readable(key, value)
        return text if text != value else "\n".join(markup_lines(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list):
        items = [_value(key, item) for item in value]
        separator = "\n" if any(isinstance(item, Mapping) for item in value) else "; "
        joined = separator.join(item for item in items if item)
        return "\n" + joined if separator == "\n" and len(items) > 1 else joined
    return ""


def readable(key: str, value: str) -> str:
    """A code of the registry as words; any other value as it is."""
    return humanised(value) if key in _CODED and _CODE.fullmatch(value) else value


def _object(value: Mapping[str, Any]) -> str:
    """{'date': '2019-03', 'type': 'ACTUAL'} as '2019-03 (actual)'; other objects field by field."""
    main = next((key for key in ("date", "id", "name", "fullName", "count", "masking") if key in value), None)
    parts = [_value(main, value[main]).replace("\n", " ")] if main else []
    for key, item in value.items():
        text = _value(key, item).replace("\n", " ")
        if key == main or not text:
            continue
        bare = key in ("type", "class", "role") and parts
        parts.append(_inside(text) if bare else f"{_label(key)}: {text}")
    if main and len(parts) > 1:
        return f"{parts[0]} ({'; '.join(parts[1:])})"
    return "; ".join(parts)


def _inside(text: str) -> str:
    """'Federal agency' as 'federal agency'; abbreviations and names of the registry's codes stay: 'NIH'."""
    return text if text in _NAMES_OF_CODES else text.lower()


def markup_lines(text: str) -> list[str]:
    """The lines of a field in the registry's markup, without escapes and blank lines; bullets as '- '."""
    unescaped = _ESCAPE.sub(r"\1", text.replace("\r\n", "\n").replace("\r", "\n"))
    return [_BULLET.sub(r"\1- ", line) for line in unescaped.split("\n") if line.strip()]


def markup_paragraphs(text: str) -> Iterator[tuple[BlockKind, list[str]]]:
    """The paragraphs and lists of a long field; line breaks within a paragraph are intended and kept."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = markup_lines(paragraph)
        if lines:
            items = sum(bool(_ITEM.match(line)) for line in lines)
            yield (BlockKind.LIST if items > len(lines) / 2 else BlockKind.PARAGRAPH), lines
