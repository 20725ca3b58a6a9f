"""JSON Lines: one annotated document per line, in medkg's own form or in that of Evidence Inference.

Input: the text of a file. Output: a draft per line. medkg's form is `GoldLine`, with mentions by character
offsets and relations between mentions (by id) or concepts (by CURIE). Evidence Inference (DeYoung et al.,
BioNLP 2020): {pmcid, text, claims}, a claim per annotator and question; those marked invalid are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.errors import UsageError
from orchestration.extraction.gold.drafts import Draft, DraftError, DraftMention, DraftRelation
from orchestration.records import AnnotatedClaim, Judgement

__all__ = ["GoldLine", "json_line_drafts"]

Direction = Literal["increased", "decreased", "unchanged"]
_LABELS: Final[Mapping[str, Direction]] = {
    "significantly increased": "increased",
    "significantly increase": "increased",
    "significantly decreased": "decreased",
    "significantly decrease": "decreased",
    "no significant difference": "unchanged",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GoldLineMention(_Part):
    """A mention of a line."""

    id: str | None = Field(default=None, description="How relations name it.")
    start: int = Field(ge=0, description="First character.")
    end: int = Field(ge=1, description="One past the last character.")
    text: str = Field(min_length=1, description="The text of the span.")
    kind: str = Field(min_length=1, description="Its kind.")
    concepts: list[str] = Field(default=[], description="CURIEs, any of which is right; []: unlinked.")
    composite: bool = Field(
        default=False, description="The CURIEs are several concepts, all mentioned; else keys of one concept."
    )


class GoldLineRelation(_Part):
    """A relation of a line."""

    predicate: str = Field(min_length=1, description="Its predicate.")
    subject: str = Field(min_length=1, description="Id of a mention, or CURIE.")
    object: str = Field(min_length=1, description="Id of a mention, or CURIE.")
    directed: bool = Field(default=True, description="False: both may be exchanged.")
    negated: bool = Field(default=False, description="The document denies it.")
    direction: Direction | None = Field(default=None, description="Of an effect.")
    novel: bool | None = Field(default=None, description="Found here, or known before.")
    evidence: list[tuple[int, int]] = Field(default=[], description="Start and end characters.")


class GoldLineJudgement(_Part):
    """A judgement of a claim."""

    direction: Direction = Field(description="What the intervention did to the outcome.")
    start: int = Field(ge=0, description="First character of the evidence.")
    end: int = Field(ge=1, description="One past the last character.")
    annotator: str = Field(default="", description="Who judged.")


class GoldLineClaim(_Part):
    """A question with its judgements."""

    id: str = Field(min_length=1, description="Unique in the document.")
    intervention: str = Field(description="What was given.")
    comparator: str = Field(description="What it was compared with.")
    outcome: str = Field(description="What was measured.")
    judgements: list[GoldLineJudgement] = Field(min_length=1, description="One or more.")


class GoldLine(_Part):
    """A line of medkg's form."""

    doc_id: str = Field(min_length=1, description="Unique in the file.")
    text: str = Field(min_length=1, description="The whole text.")
    title: str = Field(default="", description="The text begins with it.")
    record: str | None = Field(
        default=None, description="File whose text it is, from the gold file's folder: a trial, an article."
    )
    mentions: list[GoldLineMention] = []
    relations: list[GoldLineRelation] = []
    claims: list[GoldLineClaim] = []


class _EvidenceClaim(BaseModel):
    """A claim of Evidence Inference; further fields are ignored."""

    prompt_id: str
    intervention: str
    comparator: str
    outcome: str
    label: str
    valid: bool = True
    annotator: str = ""
    start_char: int
    end_char: int


class _EvidenceLine(BaseModel):
    pmcid: str = Field(min_length=1)
    text: str
    claims: list[_EvidenceClaim]


def json_line_drafts(text: str, file: str) -> Iterator[Draft]:
    """Drafts in the order of the lines; raises UsageError for a line that is not a JSON object."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"gold {file}, line {number}: it is not JSON, {error}. A line holds one document; the file "
                "may be cut off."
            ) from error
        if not isinstance(value, dict):
            raise UsageError(f"gold {file}, line {number}: it is not a JSON object with one document.")
        yield _draft(value, number)


def _draft(value: dict[str, Any], number: int) -> Draft:
    try:
        if "pmcid" in value:
            return _of_evidence_inference(_EvidenceLine.model_validate(value), number)
        return _of_line(GoldLine.model_validate_json(json.dumps(value)), number)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        doc_id = str(value.get("pmcid", value.get("doc_id", "without id")))[:100]
        return Draft(doc_id, "", number, error=DraftError(number, f"{where}: {first['msg']}"))


def _of_line(line: GoldLine, number: int) -> Draft:
    draft = Draft(line.doc_id, line.text, number, line.title, record=line.record)
    if not line.text.startswith(line.title):
        draft.error = DraftError(number, "its text does not begin with its title")
    for each in line.mentions:
        draft.mentions.append(
            DraftMention(
                each.start,
                each.end,
                each.kind,
                each.text,
                tuple(each.concepts),
                number,
                each.id,
                composite=each.composite,
            )
        )
    for relation in line.relations:
        fields = relation.model_dump()
        fields["evidence"] = tuple(relation.evidence)
        draft.relations.append(DraftRelation(**fields, line=number))
    for claim in line.claims:
        judgements = tuple(
            Judgement(each.direction, each.start, each.end, each.annotator) for each in claim.judgements
        )
        draft.claims.append(
            AnnotatedClaim(claim.id, claim.intervention, claim.comparator, claim.outcome, judgements)
        )
    return draft


def _of_evidence_inference(line: _EvidenceLine, number: int) -> Draft:
    draft = Draft(line.pmcid, line.text, number)
    questions: dict[tuple[str, str, str, str], list[Judgement]] = {}
    for each in line.claims:
        if not each.valid:
            continue
        direction = _LABELS.get(each.label.strip().casefold())
        if direction is None:
            draft.error = DraftError(number, f"claim {each.prompt_id} has the label {each.label[:60]!r}")
            break
        question = (each.prompt_id, each.intervention, each.comparator, each.outcome)
        judgement = Judgement(direction, each.start_char, each.end_char, each.annotator)
        questions.setdefault(question, []).append(judgement)
    draft.claims = [
        AnnotatedClaim(*question, tuple(dict.fromkeys(judgements)))
        for question, judgements in questions.items()
    ]
    return draft
