"""PDFs as files: recognised and taken whole, for a converter to turn into a document.

Comes in: a file. Leaves: its record. Nothing is parsed here: in a topology with a stage of
type pdf-ir it is converted, and the parser of format pdf-ir makes the document from that.
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
    """Parser of PDF files: one record per file, converted later."""

    format = PDF
    version = "1"
    source = "files"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by the PDF signature alone."""
        if head.startswith(PDF_MARK):
            return 100
        return 90 if has_pdf_mark(head) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield the file as one record that has no id."""
        yield hashed_file(stream, uri, max_record_bytes)

    def parse(self, payload: RawPayload, tenant_id: str) -> NoReturn:
        """Raise UnknownFormatError: the topology decides how a PDF is converted."""
        raise UnknownFormatError(
            f"{payload.doc_id} is a PDF, and its topology converts none. Run it through pdf-two-phase "
            "(MinerU), or through pdf-text-layer, which reads no scans."
        )
