"""PDFs as files: recognised and taken whole, for a converter to turn into a document.

Comes in: a file. Leaves: its record. A PDF is no text, so nothing is parsed here: a topology with a stage of
type pdf-ir has it converted, and the parser of format pdf-ir makes the document of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from orchestration.contracts import PDF, RecordLocation, has_pdf_mark
from orchestration.contracts.pdf import PDF_MARK
from orchestration.errors import UnknownFormatError
from orchestration.parsing.byte_stream import hashed_file
from orchestration.records import RawPayload


class PdfParser:
    """One PDF a file."""

    format = PDF
    version = "1"
    source = "files"

    def recognises(self, head: bytes, name: str) -> int:
        """By the mark alone."""
        if head.startswith(PDF_MARK):
            return 100
        return 90 if has_pdf_mark(head) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """The file, as one record without an id of its own."""
        yield hashed_file(stream, uri, max_record_bytes)

    def parse(self, payload: RawPayload, tenant_id: str) -> NoReturn:
        """Raises UnknownFormatError: converting a PDF is a choice that its topology makes."""
        raise UnknownFormatError(
            f"{payload.doc_id} is a PDF, and its topology converts none. Run it through pdf-two-phase "
            "(MinerU), or through pdf-text-layer, which reads no scans."
        )
