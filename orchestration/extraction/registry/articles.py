"""Registered trials that an article names: the link between a publication and its trial.

Input: a document with a title. Output: the article as a mention at its title, each registry number as a
mention of its trial, and a claim `mentions` per trial, with all its numbers as evidence. A number is taken in
the forms that the registries use; a blank behind the name of the registry is allowed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

from orchestration.extraction.findings import Findings
from orchestration.records import Block, BlockKind, Document, Entity, Section, Span, local_concept

__all__ = ["add_article"]

_NUMBER: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?P<NCT>NCT[ \u00a0]?\d{8})"
    r"|(?P<ISRCTN>ISRCTN[ \u00a0]?\d{8})"
    r"|(?P<ACTRN>ACTRN[ \u00a0]?\d{14})"
    r"|(?P<DRKS>DRKS[ \u00a0]?\d{8})"
    r"|(?P<UMIN>UMIN[ \u00a0]?\d{9})"
    r"|(?P<CHICTR>ChiCTR[ \u00a0]?\d{10})"
    r"|(?P<EUCTR>(?:EudraCT(?:[ \u00a0](?:number|no\.?))?[:\u00a0 ]*|EUCTR)20\d\d-\d{6}-\d\d)"
    r")(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_ID_KINDS: Final = (("pmid", "PMID"), ("pmcid", "PMC"), ("doi", "doi"))
"""Identifiers of an article, in the order in which they name it, with their prefixes."""


def add_article(findings: Findings, document: Document) -> None:
    """Add the trials that the text names; nothing for a document without a title or without any."""
    numbers: dict[str, list[Entity]] = defaultdict(list)
    title = _title(document)
    if title is None:
        return
    for match in _NUMBER.finditer(document.text):
        registry = str(match.lastgroup)
        number = re.sub(r"\s", "", match[0])
        concept = f"{registry}:{_written(registry, number)}"
        span = Span(start_char=match.start(), end_char=match.end())
        numbers[concept].append(findings.mention("Trial", span, concept=concept))
    if not numbers:
        return
    identifiers = _identifiers(document)
    span = Span(start_char=title.start_char, end_char=title.end_char)
    unnamed = local_concept("Article", f"{document.source}/{document.doc_id}")
    article = findings.mention(
        "Article", span, concept=identifiers[0] if identifiers else unnamed, identifiers=identifiers
    )
    for trials in numbers.values():
        findings.claim(
            article, "mentions", trials[0], [each.span for each in trials], agent_type="automated_agent"
        )


def _written(registry: str, number: str) -> str:
    """The number as its registry writes it: in capitals, without what stands before EudraCT's digits."""
    if registry == "EUCTR":
        return re.sub(r"^\D+(?=20\d\d-)", "", number)
    return f"ChiCTR{number[6:]}" if registry == "CHICTR" else number.upper()


def _identifiers(document: Document) -> tuple[str, ...]:
    identifiers: list[str] = []
    for name, prefix in _ID_KINDS:
        value: Any = document.metadata.get(name)
        if isinstance(value, str) and value:
            identifiers.append(f"{prefix}:{value}")
    return tuple(identifiers)


def _title(document: Document) -> Block | None:
    """The block of the title."""
    waiting: list[Section] = list(document.sections[:1])
    while waiting:
        section = waiting.pop()
        for block in section.blocks:
            if block.kind is BlockKind.TITLE:
                return block
        waiting.extend(section.sections[:1])
    return None
