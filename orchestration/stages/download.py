"""The download stage: a document's PDF, from the first link of its record that leads to one.

Comes in: a document's payloads: a PDF itself, or a record whose format contains links to its PDF. Leaves: the
PDF as a payload in the object store, followed by the record; its provenance is stored beside it. Bytes decide
what a PDF is: a landing page is none, whatever content type its server declares.
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
from orchestration.contracts.web import DownloadedFile
from orchestration.errors import (
    AddressRefusedError,
    MalformedDocumentError,
    MedkgError,
    NotAPdfError,
    PermanentError,
)
from orchestration.records import RawPayload, StageContext
from orchestration.stages.pdf_objects import store_pdf
from orchestration.stages.services import DownloadLimits, StageServices

POLICY: Final = "download"
"""Policy of resilience.yaml for each host of downloads."""

HEAD_BYTES: Final = 1024
"""Bytes that are searched for a web page, to describe what came in place of a PDF."""


class Download:
    """DownloadStage over the links that parsers find in records."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(
        self,
        web: Callable[[], WebClient],
        objects: ObjectStore,
        parsers: Mapping[str, Parser],
        limits: DownloadLimits,
    ) -> None:
        """`web` opens the client; a document that already is a PDF does not call it."""
        self._web = web
        self._objects = objects
        self._parsers = parsers
        self._limits = limits

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.web, services.objects, services.parsers, services.downloads, **config)

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]:
        """The PDF, then the record that links to it.

        Raises MalformedDocumentError for a record without a link. When no link leads to a PDF, raises the
        first error that is not permanent, else NotAPdfError with the errors of all links.
        """
        pdf = next((payload for payload in payloads if payload.format == PDF), None)
        if pdf is not None:
            stored = store_pdf(self._objects, ctx.tenant_id, pdf)
            return [stored, *(payload for payload in payloads if payload is not pdf)]
        return [self._fetch(ctx, self._links(ctx, payloads)), *payloads]

    def _links(self, ctx: StageContext, payloads: Sequence[RawPayload]) -> list[PdfLink]:
        links = [link for payload in payloads for link in self._links_of(payload)]
        if not links:
            formats = ", ".join(payload.format for payload in payloads) or "nothing"
            raise MalformedDocumentError(
                f"{ctx.doc_id}: its record ({formats}) has no link to a PDF. Run it through a topology "
                "that indexes the record itself, e.g. auto."
            )
        return links

    def _links_of(self, payload: RawPayload) -> Sequence[PdfLink]:
        parser = self._parsers.get(payload.format)
        return parser.pdf_links(payload) if isinstance(parser, LinksToPdfs) else ()

    def _fetch(self, ctx: StageContext, links: Sequence[PdfLink]) -> RawPayload:
        """The PDF of the first link that leads to one."""
        errors: list[MedkgError] = []
        for link in links:
            try:
                return self._fetch_link(ctx, link)
            except MedkgError as error:
                errors.append(error)
        repeatable = [error for error in errors if not isinstance(error, PermanentError)]
        if repeatable:
            raise repeatable[0]
        if len(errors) == 1:
            raise errors[0]
        causes = "; ".join(f"{number}. {error.message}" for number, error in enumerate(errors, 1))
        raise NotAPdfError(f"{ctx.doc_id}: none of its {len(errors)} links leads to a PDF: {causes}")

    def _fetch_link(self, ctx: StageContext, link: PdfLink) -> RawPayload:
        file = self._download(ctx, link.url)
        content = file.path.read_bytes()
        file.path.unlink()
        _check_pdf(link.url, file, content)
        pdf = RawPayload(
            doc_id=ctx.doc_id,
            source=ctx.source,
            format=PDF,
            content=content,
            uri=file.url,
            version=file.sha256,
        )
        stored = store_pdf(self._objects, ctx.tenant_id, pdf)
        self._store_provenance(stored, link, file)
        return stored

    def _download(self, ctx: StageContext, url: str) -> DownloadedFile:
        """The file, at a path of this document, so that the next attempt continues an interrupted one."""
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
        """Raise AddressRefusedError for a link or redirect to a host that is not allowed."""
        host = urlsplit(url).hostname
        if self._limits.hosts and host not in self._limits.hosts:
            raise AddressRefusedError(
                f"{url}: host {host} is not one of those allowed "
                f"({', '.join(sorted(self._limits.hosts))}). Add it to MEDKG_DOWNLOAD_HOSTS to allow it."
            )

    def _store_provenance(self, pdf: RawPayload, link: PdfLink, file: DownloadedFile) -> None:
        """Store one object per URL of the PDF beside it."""
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


def _check_pdf(url: str, file: DownloadedFile, content: bytes) -> None:
    if has_pdf_mark(content):
        return
    declared = file.headers.get("content-type", "nothing")
    head = content[:HEAD_BYTES].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<!--")) or b"<html" in head:
        what = "a web page (a landing page, a login or a captcha)"
    else:
        what = f"{len(content):,} bytes that are not a PDF (content type {declared})"
    raise NotAPdfError(f"{url} is {what}. Open it in a browser to see what it requires.")
