"""The parse stage: raw bytes to a Document, by the parser that is registered for the payload's format.

Comes in: a document's payloads: the first is its content, the others are its records. Leaves: the Document.
Runs in worker processes that can be killed, because parsers can hang or crash in C code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from orchestration.contracts import Isolation, Parser
from orchestration.errors import MalformedDocumentError, UnknownFormatError
from orchestration.records import Document, RawPayload, StageContext


class Parse:
    """ParseStage over the installed parsers."""

    version = "1"
    isolation = Isolation.PROCESS

    def __init__(self, parsers: Mapping[str, Parser]) -> None:
        self._parsers = parsers

    @classmethod
    def from_parsers(cls, config: Mapping[str, Any], parsers: Mapping[str, Parser]) -> Self:
        return cls(parsers, **config)

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> Document:
        """The document of the first payload; raises its parser's error.

        Records behind it, e.g. the one that linked to a PDF, complete its title and metadata.
        """
        if not payloads:
            raise MalformedDocumentError(
                f"{ctx.doc_id}: its source returned no content. Check the record at its origin."
            )
        document = self._parse(ctx, payloads[0])
        for record in payloads[1:]:
            document = _completed(document, self._parse(ctx, record))
        return document

    def _parse(self, ctx: StageContext, payload: RawPayload) -> Document:
        parser = self._parsers.get(payload.format)
        if parser is None:
            raise UnknownFormatError(
                f"{ctx.doc_id}: no parser for format {payload.format!r}; installed: "
                f"{', '.join(sorted(self._parsers))}. Install one (entry point group medkg.parsers)."
            )
        return parser.parse(payload, ctx.tenant_id)


def _completed(document: Document, record: Document) -> Document:
    """The document with the title and metadata of its record, which take precedence over its own."""
    return document.model_copy(
        update={
            "title": record.title or document.title,
            "metadata": {**document.metadata, **record.metadata},
        }
    )
