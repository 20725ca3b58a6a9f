"""The parse stage: raw bytes to a Document, by the parser that is registered for the payload's format.

Comes in: a document's payloads (the first is the record itself). Leaves: the Document. It runs in
worker processes that can be killed, because parsers can hang or crash in C code.
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
        """The document of the first payload; raises the parser's error."""
        if not payloads:
            raise MalformedDocumentError(
                f"{ctx.doc_id}: its source gave no content. Check the record at the source."
            )
        payload = payloads[0]
        parser = self._parsers.get(payload.format)
        if parser is None:
            raise UnknownFormatError(
                f"{ctx.doc_id}: no parser for format {payload.format!r}; installed: "
                f"{', '.join(sorted(self._parsers))}. Install one (entry point group medkg.parsers)."
            )
        return parser.parse(payload, ctx.tenant_id)
