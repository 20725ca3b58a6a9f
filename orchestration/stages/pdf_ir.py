"""The pdf_ir stage: queues each PDF for the converter that the topology names, without waiting for it.

Comes in: a document's payloads, one of them a PDF. Leaves: a payload of format pdf-ir in the PDF's place,
whose bytes are in the object store once the ledger marks it pdf_ir_ready; a gate behind this stage waits for
that mark. A PDF that this converter has converted before is ready at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import (
    PDF,
    PDF_IR,
    AskedConverter,
    Isolation,
    ObjectStore,
    Outcome,
    PdfConverter,
    PdfTaskLedger,
    PdfTaskRequest,
)
from orchestration.errors import MalformedDocumentError, MedkgError
from orchestration.records import RawPayload, StageContext
from orchestration.stages.pdf_objects import converted_key, is_stored, store_pdf
from orchestration.stages.services import StageServices


class PdfIr:
    """Stage of type pdf-ir over the conversions of the ledger."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(
        self,
        tasks: PdfTaskLedger,
        objects: ObjectStore,
        make: Callable[[AskedConverter], PdfConverter],
        stage: str,
        converter: str = "mineru",
        options: Mapping[str, Any] | None = None,
        max_attempts: int = 5,
    ) -> None:
        """`make` raises ConfigurationError for a converter that is not installed, has no such option or lacks
        a setting. It is called here, so that no document waits for such a converter.
        """
        self._tasks = tasks
        self._objects = objects
        self._stage = stage
        self._asked = AskedConverter(name=converter, options=json.dumps(options or {}, sort_keys=True))
        pdf_converter = make(self._asked)
        self._converter_version = pdf_converter.version
        pdf_converter.close()
        self._max_attempts = max_attempts

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(
            services.pdf_tasks, services.objects, services.pdf_converter, services.stage_name, **config
        )

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]:
        """The payloads of one document; raises MalformedDocumentError where none is a PDF."""
        (outcome,) = self.execute_batch([(ctx, payloads)])
        if isinstance(outcome, MedkgError):
            raise outcome
        return outcome

    def execute_batch(
        self, items: Sequence[tuple[StageContext, list[RawPayload]]]
    ) -> Sequence[Outcome[list[RawPayload]]]:
        """Queue all PDFs in one transaction; the outcome of a document without a PDF is an error."""
        outcomes: list[Outcome[list[RawPayload]]] = []
        requests: list[PdfTaskRequest] = []
        for ctx, payloads in items:
            pdf = next((payload for payload in payloads if payload.format == PDF), None)
            if pdf is None:
                outcomes.append(_no_pdf(ctx, payloads))
                continue
            request = self._request(ctx, store_pdf(self._objects, ctx.tenant_id, pdf))
            requests.append(request)
            records = [payload for payload in payloads if payload is not pdf]
            outcomes.append([_converted(ctx, pdf, request), *records])
        if requests:
            self._tasks.request(self._asked, self._stage, self._max_attempts, requests)
        return outcomes

    def _request(self, ctx: StageContext, pdf: RawPayload) -> PdfTaskRequest:
        assert pdf.stored is not None
        key = converted_key(ctx.tenant_id, pdf.version, self._asked, self._converter_version)
        return PdfTaskRequest(ctx=ctx, pdf_key=pdf.stored, ir_key=key, done=is_stored(self._objects, key))


def _converted(ctx: StageContext, pdf: RawPayload, request: PdfTaskRequest) -> RawPayload:
    """The future payload of the converted PDF; its version is the document's, which the record sets."""
    return RawPayload(
        doc_id=ctx.doc_id,
        source=ctx.source,
        format=PDF_IR,
        content=b"",
        uri=pdf.uri,
        version=ctx.version,
        stored=request.ir_key,
    )


def _no_pdf(ctx: StageContext, payloads: Sequence[RawPayload]) -> MalformedDocumentError:
    formats = ", ".join(payload.format for payload in payloads) or "nothing"
    return MalformedDocumentError(
        f"{ctx.doc_id}: there is no PDF to convert, only {formats}. Put a stage of type download before this "
        "one, or ingest PDFs."
    )
