"""A few invented abstracts with their annotations, to train on in a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestration.records import (
    AnnotatedClaim,
    AnnotatedDocument,
    AnnotatedMention,
    AnnotatedRelation,
    Judgement,
)

BOTH: Final = frozenset({"Chemical", "Disease"})

CASES: Final = (
    ("veltamine", "liver failure", "migraine"),
    ("brodoxin", "acute deafness", "asthma"),
    ("carnopril", "dry cough", "hypertension"),
    ("sulfatrene", "skin rash", "gout"),
    ("lodinazole", "seizures", "panic disorder"),
    ("ortimycin", "renal damage", "pneumonia"),
    ("pentrolol", "bradycardia", "angina"),
    ("zelcaine", "numbness", "chronic pain"),
)
"""Drug, what it caused, what it was given for."""


def mention(text: str, name: str, kind: str, concept: str, after: int = 0) -> AnnotatedMention:
    """The first occurrence of the name from a character on."""
    start = text.index(name, after)
    return AnnotatedMention(start, start + len(name), kind, name, (concept,))


def a_case(number: int, drug: str, harm: str, indication: str) -> AnnotatedDocument:
    """An abstract in which the drug causes the harm and does not cause what it is given for."""
    text = (
        f"A case of {harm} caused by {drug}. A patient with {indication} was given {drug} for two weeks. "
        f"She then had {harm}, which ended when {drug} was stopped."
    )
    chemical, caused, treated = f"X:C{number}", f"X:D{number}", f"X:I{number}"
    places = [at for at in range(len(text)) if text.startswith(drug, at)]
    mentions = [mention(text, drug, "Chemical", chemical, at) for at in places]
    harms = [at for at in range(len(text)) if text.startswith(harm, at)]
    mentions += [mention(text, harm, "Disease", caused, at) for at in harms]
    mentions.append(mention(text, indication, "Disease", treated))
    return AnnotatedDocument(
        doc_id=f"case-{number}",
        text=text,
        mentions=tuple(mentions),
        relations=(AnnotatedRelation("induces", (chemical,), (caused,)),),
        kinds=BOTH,
        predicates=frozenset({"induces"}),
    )


def a_trial(number: int, drug: str, outcome: str) -> AnnotatedDocument:
    """A text with three judged claims and no annotated mentions."""
    states = {
        "increased": f"{drug} significantly increased {outcome} compared with placebo.",
        "decreased": f"{drug} significantly decreased {outcome} compared with placebo.",
        "unchanged": f"There was no significant difference in {outcome} between {drug} and placebo.",
    }
    text, claims = "", []
    for direction, sentence in states.items():
        span = (len(text), len(text) + len(sentence))
        text += f"{sentence} "
        judgement = Judgement(direction, *span)
        claims.append(AnnotatedClaim(f"{number}-{direction}", drug, "placebo", outcome, (judgement,)))
    return AnnotatedDocument(
        doc_id=f"trial-{number}", text=text, claims=tuple(claims), kinds=frozenset(), predicates=frozenset()
    )


def small_gold() -> list[AnnotatedDocument]:
    """Eight cases and eight trials."""
    cases = [a_case(number, *case) for number, case in enumerate(CASES)]
    return cases + [a_trial(number, drug, indication) for number, (drug, _, indication) in enumerate(CASES)]


def pubtator(documents: Sequence[AnnotatedDocument]) -> str:
    """The documents with mentions as PubTator text, relations as CID."""
    lines = []
    for number, document in enumerate(documents):
        title, abstract = document.text.split(". ", 1)
        lines += [f"{number}|t|{title}.", f"{number}|a|{abstract}"]
        for each in document.mentions:
            fields = (number, each.start_char, each.end_char, each.text, each.kind, each.concepts[0])
            lines.append("\t".join(map(str, fields)))
        for relation in document.relations:
            lines.append(f"{number}\tCID\t{relation.subject[0]}\t{relation.object[0]}")
        lines.append("")
    return "\n".join(lines)
