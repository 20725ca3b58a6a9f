"""The download stage: a document's PDF, from the first of the places its record names that has it.

Comes in: a document's payloads: a PDF itself, or a record whose format says where its PDF is. Leaves: the
PDF as a payload kept in the object store, with the record behind it; its provenance is kept beside it. What
came is judged by its bytes: a landing page is no PDF, whatever its server calls it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Self
from urllib.parse import urlsplit

from orchestration.contracts import PDF, Isolation, ObjectStore, Parser, WebClient, has_pdf_mark
from orchestration.contracts.downloads import LinksToPdfs, PdfLink
from orchestration.contracts.web import Download as Fetched
from orchestration.errors import (
    AddressRefusedError,
    MalformedDocumentError,
    MedkgError,
    NotAPdfError,
    PermanentError,
)
from orchestration.records import RawPayload, StageContext
from orchestration.stages.pdf_objects import keep_pdf
from orchestration.stages.services import DownloadLimits, StageServices

POLICY: Final = "download"
"""Policy of resilience.yaml for each host that files come from."""

HEAD_BYTES: Final = 1024
"""So far a web page is looked for, to name what came instead of a PDF."""


class Download:
    """DownloadStage over the links that formats give."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(
        self,
        web: Callable[[], WebClient],
        objects: ObjectStore,
        parsers: Mapping[str, Parser],
        limits: DownloadLimits,
    ) -> None:
        """`web` opens the client, which a PDF that was ingested has no need of."""
        self._web = web
        self._objects = objects
        self._parsers = parsers
        self._limits = limits

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.web, services.objects, services.parsers, services.downloads, **config)

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]:
        """The PDF, then the record that linked to it.

        Raises MalformedDocumentError for a record without a link; else, when no place has the PDF, what was
        wrong with each: permanent if it is so of all.
        """
        pdf = next((one for one in payloads if one.format == PDF), None)
        if pdf is not None:
            kept = keep_pdf(self._objects, ctx.tenant_id, pdf)
            return [kept, *(one for one in payloads if one is not pdf)]
        return [self._fetched(ctx, self._links(ctx, payloads)), *payloads]

    def _links(self, ctx: StageContext, payloads: Sequence[RawPayload]) -> list[PdfLink]:
        links = [link for payload in payloads for link in self._links_of(payload)]
        if not links:
            formats = ", ".join(one.format for one in payloads) or "nothing"
            raise MalformedDocumentError(
                f"{ctx.doc_id}: its record ({formats}) names no place that has the PDF. Run it through a "
                "topology that works on the record, e.g. auto."
            )
        return links

    def _links_of(self, payload: RawPayload) -> Sequence[PdfLink]:
        parser = self._parsers.get(payload.format)
        return parser.pdf_links(payload) if isinstance(parser, LinksToPdfs) else ()

    def _fetched(self, ctx: StageContext, links: Sequence[PdfLink]) -> RawPayload:
        """The PDF of the first place that has it."""
        errors: list[MedkgError] = []
        for link in links:
            try:
                return self._from(ctx, link)
            except MedkgError as error:
                errors.append(error)
        curable = [error for error in errors if not isinstance(error, PermanentError)]
        if curable:
            raise curable[0]
        if len(errors) == 1:
            raise errors[0]
        places = "; ".join(f"{number}. {error.message}" for number, error in enumerate(errors, 1))
        raise NotAPdfError(f"{ctx.doc_id}: none of its {len(errors)} places has the PDF: {places}")

    def _from(self, ctx: StageContext, link: PdfLink) -> RawPayload:
        file = self._download(ctx, link.url)
        content = file.path.read_bytes()
        file.path.unlink()
        _check_pdf(link.url, file, content)
        fetched = RawPayload(
            doc_id=ctx.doc_id,
            source=ctx.source,
            format=PDF,
            content=content,
            uri=file.url,
            version=file.sha256,
        )
        kept = keep_pdf(self._objects, ctx.tenant_id, fetched)
        self._keep_provenance(kept, link, file)
        return kept

    def _download(self, ctx: StageContext, url: str) -> Fetched:
        """The file, in a place of this document's own, so that its next try goes on where this one broke."""
        name = sha256("\0".join((ctx.tenant_id, ctx.source, ctx.doc_id, url)).encode()).hexdigest()
        self._limits.folder.mkdir(parents=True, exist_ok=True)
        return self._web().download(
            url,
            self._limits.folder / name,
            most_bytes=self._limits.most_bytes,
            seconds=self._limits.seconds,
            policy=POLICY,
            admit=self._admit,
        )

    def _admit(self, url: str) -> None:
        """Raise AddressRefusedError for a link, or a redirect, that leads no place where we fetch from."""
        host = urlsplit(url).hostname
        if self._limits.hosts and host not in self._limits.hosts:
            raise AddressRefusedError(
                f"{url}: host {host} is not one of those allowed "
                f"({', '.join(sorted(self._limits.hosts))}). Add it to MEDKG_DOWNLOAD_HOSTS if it is to be."
            )

    def _keep_provenance(self, pdf: RawPayload, link: PdfLink, file: Fetched) -> None:
        """Beside the PDF, one object for each URL that it came from."""
        assert pdf.stored is not None
        folder, _, _ = pdf.stored.rpartition("/")
        provenance = {
            "url": link.url,
            "final_url": file.url,
            "licence": link.licence,
            "sha256": pdf.version,
            "bytes": file.size,
            "content_type": file.headers.get("content-type"),
            "etag": file.headers.get("etag"),
            "downloaded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        name = sha256(link.url.encode()).hexdigest()[:16]
        self._objects.put(f"{folder}/from-{name}.json", json.dumps(provenance).encode())


def _check_pdf(url: str, file: Fetched, content: bytes) -> None:
    if has_pdf_mark(content):
        return
    called = file.headers.get("content-type", "nothing")
    head = content[:HEAD_BYTES].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<!--")) or b"<html" in head:
        what = "a web page (a landing page, a login or a captcha)"
    else:
        what = f"{len(content):,} bytes that are no PDF (its server calls them {called})"
    raise NotAPdfError(f"{url} is {what}. Open it in a browser to see what it asks for.")
