"""A trial's record as claims: what it studies, tests, measures and found, for whom, in which phase.

Input: the annotations of a ClinicalTrials.gov study (`parsing.clinicaltrials.marked_study.KINDS`). Output:
mentions and claims. Arms and groups are concepts of their trial: two trials' arms called Placebo are two.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from orchestration.extraction.findings import Findings
from orchestration.records import Annotation, Document, Entity, Qualifier, Span, local_concept

__all__ = ["add_trial"]

_KINDS_OF_INTERVENTION: Final[Mapping[str, str]] = {
    "DRUG": "Drug",
    "BIOLOGICAL": "Drug",
    "DIETARY_SUPPLEMENT": "Drug",
    "GENETIC": "Drug",
    "DEVICE": "Device",
    "PROCEDURE": "Procedure",
    "RADIATION": "Procedure",
    "DIAGNOSTIC_TEST": "Procedure",
    "BEHAVIORAL": "Behavior",
}
_NO_SUBSTANCE: Final = re.compile(
    r"(?:\w*therap(?:y|ies|ist)|physiotherapy|treatments?|exercises?|training|rehabilitation|education|counsell?ing"
    r"|program(?:me)?s?|care|surgery|massage|acupuncture|stimulation|diet|arm|group|cohort|device|brace|pump"
    r"|\w{2,}(?:meter|scope|graph))",
    re.IGNORECASE,
)
"""Last word of what is no substance: records give such things as other names of drugs."""
_WORD: Final = re.compile(r"\w+")
_IN_PARENTHESES: Final = re.compile(r"\([^()]*\)")
_OF_POPULATION: Final = ("sex", "minimum_age", "maximum_age", "enrollment")
_PUBLICATIONS: Final[Mapping[str, tuple[str, bool, str]]] = {
    "Result": ("reports_results_of", True, "manual_agent"),
    "Derived": ("mentions", True, "automated_agent"),
}
"""Predicate of a publication, whether it is the subject, and who stated it, by role; the trial cites others.
The registry derives publications that name its number."""

_OF_SPONSOR: Final = {"lead": "sponsored_by", "collaborator": "has_collaborator"}
"""Predicate by role of an organization."""
_PLAIN: Final[Mapping[str, tuple[str, str]]] = {
    "phase": ("Phase", "in_phase"),
    "study_type": ("StudyType", "has_study_type"),
    "status": ("Status", "has_status"),
    "condition_mesh": ("Condition", "indexed_with"),
    "intervention_mesh": ("Intervention", "indexed_with"),
}
"""Kind of the mention and predicate of values that the trial simply has."""


def add_trial(findings: Findings, document: Document) -> None:
    """Add what the annotations say; nothing for a study whose id the text does not show."""
    by_kind: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in document.annotations:
        by_kind[annotation.kind].append(annotation)
    if not by_kind["trial"]:
        return
    named = by_kind["trial"][0]
    trial = findings.mention(
        "Trial", _span(named), concept=f"NCT:{document.doc_id}", identifiers=named.identifiers
    )
    _Trial(findings, document, by_kind, trial).add()


class _Trial:
    def __init__(
        self,
        findings: Findings,
        document: Document,
        by_kind: Mapping[str, Sequence[Annotation]],
        trial: Entity,
    ) -> None:
        self._findings = findings
        self._document = document
        self._by_kind = by_kind
        self._trial = trial

    def add(self) -> None:
        population = self._qualifiers(*_OF_POPULATION)
        for condition in self._annotated("condition"):
            mention = self._mention("Condition", condition)
            self._findings.claim(self._trial, "studies", mention, qualifiers=population)
        interventions = self._add_interventions()
        self._add_arms(interventions)
        for outcome in self._annotated("outcome"):
            self._add_outcome(outcome)
        for kind, (entity_kind, predicate) in _PLAIN.items():
            for value in self._annotated(kind):
                self._findings.claim(self._trial, predicate, self._mention(entity_kind, value))
        for sponsor in self._annotated("sponsor"):
            predicate = _OF_SPONSOR[sponsor.attributes["role"]]
            self._findings.claim(self._trial, predicate, self._mention("Organization", sponsor))
        for measure in self._annotated("measure"):
            self._add_measure(measure)
        self._add_publications()

    def _add_interventions(self) -> dict[str, Entity]:
        """The interventions by the ids of their annotations."""
        names: dict[str | None, list[Annotation]] = defaultdict(list)
        for synonym in self._annotated("synonym"):
            names[synonym.of].append(synonym)
        mentions: dict[str, Entity] = {}
        phases = self._qualifiers("phase")
        for annotation in self._annotated("intervention"):
            kind = _KINDS_OF_INTERVENTION.get(annotation.attributes.get("type", ""), "Intervention")
            mention = self._mention(kind, annotation)
            mentions[annotation.annotation_id] = mention
            self._findings.claim(self._trial, "tests", mention, qualifiers=phases)
            for synonym in names[annotation.annotation_id]:
                if kind == "Drug" and _is_no_substance(self._text(synonym), mention.name):
                    self._findings.mention("Intervention", _span(synonym))
                else:
                    self._findings.mention(kind, _span(synonym), concept=mention.concept)
        return mentions

    def _add_arms(self, interventions: Mapping[str, Entity]) -> None:
        received: dict[str | None, list[Annotation]] = defaultdict(list)
        for each in self._annotated("arm_intervention"):
            received[each.of].append(each)
        for annotation in self._annotated("arm"):
            arm = self._arm(annotation)
            self._findings.claim(self._trial, "has_arm", arm)
            for each in received[annotation.annotation_id]:
                intervention = interventions.get(each.attributes.get("intervention", ""))
                if intervention is not None:
                    named = self._findings.mention(
                        intervention.kind, _span(each), concept=intervention.concept
                    )
                    self._findings.claim(arm, "receives", named)

    def _add_publications(self) -> None:
        """Publications that have an identifier, and the notices that retract them."""
        publications: dict[str | None, Entity] = {}
        for annotation in self._annotated("reference"):
            role = annotation.attributes.get("role", "")
            predicate, is_subject, agent = _PUBLICATIONS.get(role, ("cites", False, "manual_agent"))
            if annotation.identifiers:
                article = self._mention("Article", annotation)
                publications[annotation.annotation_id] = article
                ends = (article, self._trial) if is_subject else (self._trial, article)
                line = self._findings.from_line_start(article.span)
                self._findings.claim(ends[0], predicate, ends[1], [line], agent_type=agent)
        for annotation in self._annotated("retraction"):
            retracted = publications.get(annotation.of)
            if retracted is not None:
                notice = self._mention("Article", annotation)
                line = self._findings.from_line_start(notice.span)
                self._findings.claim(notice, "retracts", retracted, [line])

    def _add_outcome(self, annotation: Annotation) -> None:
        outcome = self._mention("Outcome", annotation)
        times = [each for each in self._annotated("time_frame") if each.of == annotation.annotation_id]
        qualifiers = [self._findings.qualifier("time_frame", _span(each)) for each in times]
        predicate = f"has_{annotation.attributes['role']}_outcome"
        self._findings.claim(self._trial, predicate, outcome, qualifiers=qualifiers)

    def _add_measure(self, annotation: Annotation) -> None:
        """A measure with results: each analysis is a claim of its first group, compared with the others."""
        outcome = self._mention("Outcome", annotation)
        of_measure = [
            each
            for kind in self._by_kind
            for each in self._by_kind[kind]
            if each.of == annotation.annotation_id
        ]
        groups = {each.attributes["group"]: self._arm(each) for each in of_measure if each.kind == "group"}
        times = [
            self._findings.qualifier("time_frame", _span(each))
            for each in of_measure
            if each.kind == "time_frame"
        ]
        self._findings.claim(self._trial, "reports", outcome, qualifiers=times)
        analyses: dict[str, list[Annotation]] = defaultdict(list)
        for each in of_measure:
            if "analysis" in each.attributes:
                analyses[each.attributes["analysis"]].append(each)
        for values in analyses.values():
            compared = [
                groups[name] for name in values[0].attributes.get("groups", "").split() if name in groups
            ]
            if not compared:
                continue
            ordered = sorted(values, key=lambda each: each.start_char)
            effects = [self._findings.qualifier(each.kind, _span(each)) for each in ordered]
            comparators = [self._findings.qualifier("comparator", other.span) for other in compared[1:]]
            self._findings.claim(
                compared[0],
                "compared_on",
                outcome,
                _evidence([outcome.span, *(each.span for each in effects)]),
                qualifiers=[*comparators, *effects, *times],
                knowledge_level="statistical_association",
            )

    def _text(self, annotation: Annotation) -> str:
        return self._document.text[annotation.start_char : annotation.end_char]

    def _annotated(self, kind: str) -> Sequence[Annotation]:
        return self._by_kind.get(kind, ())

    def _mention(self, kind: str, annotation: Annotation) -> Entity:
        return self._findings.mention(kind, _span(annotation), identifiers=annotation.identifiers)

    def _arm(self, annotation: Annotation) -> Entity:
        concept = local_concept("Arm", f"{self._document.doc_id}/{self._text(annotation)}")
        return self._findings.mention("Arm", _span(annotation), concept=concept)

    def _qualifiers(self, *kinds: str) -> list[Qualifier]:
        return [
            self._findings.qualifier(kind, _span(each)) for kind in kinds for each in self._annotated(kind)
        ]


def _is_no_substance(synonym: str, drug: str) -> bool:
    """Whether another name of a drug names a procedure, a device or an arm ("physical therapy").

    One that has a word of the drug's name ("testosterone therapy") is taken as the record states it.
    """
    words = _WORD.findall(_IN_PARENTHESES.sub("", synonym).casefold())
    if not words or not _NO_SUBSTANCE.fullmatch(words[-1]):
        return False
    return not {*words[:-1]} & {*_WORD.findall(drug.casefold())}


def _span(annotation: Annotation) -> Span:
    return Span(start_char=annotation.start_char, end_char=annotation.end_char)


def _evidence(spans: Iterable[Span]) -> list[Span]:
    """The spans in the order of the text, each once."""
    return sorted(dict.fromkeys(spans), key=lambda span: (span.start_char, span.end_char))
