"""Evidence in context: the quotes of a claim in their document, and the documents for and against it.

Input: statements, and the documents that state them. Output: JSON values. A quote has the selectors of W3C
annotations: its characters, itself and the text around it.
Source: https://www.w3.org/TR/annotation-model/#selectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from orchestration.contracts import Statement, agrees, contradicts, sentence_spans
from orchestration.records import Block, Claim, Document, DocumentKey, Section, Span, all_sections

__all__ = ["claim_json", "documents_by_stance", "publications_by_stance", "quote_json", "selector"]

AROUND: Final = 80
"""Characters of a quote's prefix and suffix."""

MOST_CONTEXT: Final = 600
"""Characters of a block that is shown whole; of a longer one, the sentences around the quote are."""


def claim_json(statement: Statement) -> dict[str, Any]:
    """A claim as JSON, with its mentions in place of their ids, and facts of its document."""
    mentions = {
        end: {
            **mention.model_dump(mode="json", exclude={"tenant_id", "doc_id", "entity_id"}),
            "canonical": canonical,
        }
        for end, mention, canonical in (
            ("subject", statement.subject, statement.subject_concept),
            ("object", statement.object, statement.object_concept),
        )
    }
    return {
        "doc_id": statement.key.doc_id,
        "source": statement.key.source,
        "version": statement.version,
        "title": statement.title,
        "year": statement.year,
        "study_type": statement.study_type,
        "retracted": statement.retracted,
        **statement.claim.model_dump(mode="json", exclude={"tenant_id", "doc_id", "subject", "object"}),
        **mentions,
    }


def selector(text: str, span: Span) -> dict[str, Any]:
    """Characters of a span, its text as `exact`, and up to 80 characters on each side."""
    start, end = span.start_char, span.end_char
    return {
        "start_char": start,
        "end_char": end,
        "exact": text[start:end],
        "prefix": text[max(0, start - AROUND) : start],
        "suffix": text[end : end + AROUND],
    }


def quote_json(document: Document, span: Span) -> dict[str, Any]:
    """The quote with its block, section and page, and as `context` the block or sentences around it.

    `context` has its own characters; the quote stands in it from `in_context[0]` to `in_context[1]`.
    """
    section, block = _place(document, span.start_char)
    start, end = _context(document.text, span, block)
    return {
        **selector(document.text, span),
        "context": document.text[start:end],
        "context_start_char": start,
        "in_context": [span.start_char - start, span.end_char - start],
        "block_id": block.block_id if block else None,
        "page_no": block.page_no if block else None,
        "section": section.role if section else None,
        "title_path": list(section.title_path) if section else [],
    }


def documents_by_stance(
    statements: Sequence[Statement],
    publications: Mapping[DocumentKey, DocumentKey],
    about: Claim | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Documents `for` and `against`, newest first, each with its claims, facts and retraction.

    Of a claim: those that agree with it and those that contradict it. Without one: those that state a
    claim and those that deny one. Documents of one publication stand together: `publication` is the first of
    them, which `publications` has for each.
    """

    def is_for(claim: Claim) -> bool:
        return not claim.negated if about is None else agrees(about, claim)

    def is_against(claim: Claim) -> bool:
        return claim.negated if about is None else contradicts(about, claim)

    return {
        name: _by_document(statements, publications, has)
        for name, has in (("for", is_for), ("against", is_against))
    }


def publications_by_stance(documents: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    """The number of publications of each stance of `documents_by_stance`."""
    return {
        name: len({tuple(each["publication"].values()) for each in of_stance})
        for name, of_stance in documents.items()
    }


def _by_document(
    statements: Sequence[Statement],
    publications: Mapping[DocumentKey, DocumentKey],
    chosen: Callable[[Claim], bool],
) -> list[dict[str, Any]]:
    documents: dict[DocumentKey, dict[str, Any]] = {}
    for each in statements:
        if chosen(each.claim):
            of_publication = publications.get(each.key, each.key)
            entry = documents.setdefault(
                each.key,
                {
                    "doc_id": each.key.doc_id,
                    "source": each.key.source,
                    "publication": {"source": of_publication.source, "doc_id": of_publication.doc_id},
                    "title": each.title,
                    "year": each.year,
                    "study_type": each.study_type,
                    "retracted": each.retracted,
                    "claims": [],
                },
            )
            entry["claims"].append(each.claim.claim_id)
    newest: dict[tuple[str, ...], int] = {}
    for entry in documents.values():
        place = tuple(entry["publication"].values())
        newest[place] = max(newest.get(place, 0), entry["year"] or 0)

    def order(entry: Mapping[str, Any]) -> tuple[Any, ...]:
        place = tuple(entry["publication"].values())
        return -newest[place], place, -(entry["year"] or 0), entry["source"], entry["doc_id"]

    return sorted(documents.values(), key=order)


def _context(text: str, span: Span, block: Block | None) -> tuple[int, int]:
    """Characters of the block; of a long one, of the sentences in which the quote begins and ends."""
    if block is None:
        return max(0, span.start_char - AROUND), min(len(text), span.end_char + AROUND)
    first, last = block.start_char, max(block.end_char, span.end_char)
    if last - first <= MOST_CONTEXT:
        return first, last
    sentences = sentence_spans(text, first, last)
    start = max((each.start_char for each in sentences if each.start_char <= span.start_char), default=first)
    end = min((each.end_char for each in sentences if each.end_char >= span.end_char), default=last)
    start = max(start, span.start_char - MOST_CONTEXT)
    end = min(end, span.end_char + MOST_CONTEXT)
    return start, start + len(text[start:end].rstrip())


def _place(document: Document, start: int) -> tuple[Section | None, Block | None]:
    """The section and the block at a character; None between blocks."""
    for section in all_sections(document.sections):
        for block in section.blocks:
            if block.start_char <= start < block.end_char:
                return section, block
    return None, None
