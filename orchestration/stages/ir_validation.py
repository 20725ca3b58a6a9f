"""The ir_validation stage: checks the structure of parsed documents and stores them.

Comes in: a Document from any parser. Leaves: the same Document, after its offsets were checked and it was
written to the document store, which later shows every citation in its context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import DocumentStore, Isolation, Outcome
from orchestration.errors import EmptyDocumentError, MedkgError, StageContractError
from orchestration.records import Block, Document, Section, StageContext
from orchestration.stages.services import StageServices


class IrValidation:
    """ValidateStage that checks the structure and stores the document."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.documents, **config)

    def execute(self, ctx: StageContext, document: Document) -> Document:
        """The document itself; raises EmptyDocumentError or StageContractError."""
        (outcome,) = self.execute_batch([(ctx, document)])
        if isinstance(outcome, MedkgError):
            raise outcome
        return outcome

    def execute_batch(self, items: Sequence[tuple[StageContext, Document]]) -> Sequence[Outcome[Document]]:
        """Store valid documents in one write; the outcome of an invalid one is its error."""
        outcomes: list[Outcome[Document]] = [_checked(ctx, document) for ctx, document in items]
        valid = [
            (ctx, outcome)
            for (ctx, _), outcome in zip(items, outcomes, strict=True)
            if not isinstance(outcome, MedkgError)
        ]
        if valid:
            self._documents.put(valid)
        return outcomes


def _checked(ctx: StageContext, document: Document) -> Outcome[Document]:
    if not document.text.strip():
        return EmptyDocumentError(f"{ctx.doc_id}: the record has no text. Check it at its source.")
    for problem in _problems(ctx, document):
        return StageContractError(
            f"{ctx.doc_id}: {problem}. This is a defect of parser {document.parser}; please report it."
        )
    return document


def _problems(ctx: StageContext, document: Document) -> Iterator[str]:
    if (document.doc_id, document.tenant_id) != (ctx.doc_id, ctx.tenant_id):
        yield f"the parser returned document {document.tenant_id}/{document.doc_id}"
    block_ids: set[str] = set()
    for section in document.sections:
        yield from _section_problems(section, len(document.text), block_ids)


def _section_problems(section: Section, end: int, block_ids: set[str]) -> Iterator[str]:
    if not 0 <= section.start_char <= section.end_char <= end:
        yield f"section {section.title!r} spans {section.start_char}-{section.end_char} of {end}"
    for block in section.blocks:
        yield from _block_problems(block, section, block_ids)
    for child in section.sections:
        yield from _section_problems(child, section.end_char, block_ids)


def _block_problems(block: Block, section: Section, block_ids: set[str]) -> Iterator[str]:
    if block.block_id in block_ids:
        yield f"block id {block.block_id!r} occurs twice"
    block_ids.add(block.block_id)
    if not section.start_char <= block.start_char <= block.end_char <= section.end_char:
        yield f"block {block.block_id!r} lies outside its section {section.title!r}"
