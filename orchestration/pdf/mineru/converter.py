"""MinerU as a PdfConverter: its HTTP service, mineru-api, protocol version 2.

Comes in: the bytes of PDFs. Leaves: `pdf-ir` bytes, or the reason for a failure. One POST /tasks per PDF, GET
/tasks/{id} to poll, GET /tasks/{id}/result to fetch. The service keeps its tasks in memory: after a restart
it has none of them (404), and they are lost. A service that is down, unhealthy, of another protocol or
refuses access is unavailable, which is not the fault of a PDF. Nothing is retried here.
mineru/cli/fast_api.py and api_protocol.py of MinerU 3.4.4 (read 2026-11-28);
https://opendatalab.github.io/MinerU/usage/quick_usage/ (read 2026-11-28). MinerU 4 has another API.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

import httpx
from pydantic import Field

from orchestration.contracts import ConversionState, ConversionStatus
from orchestration.errors import (
    ConfigurationError,
    ConversionFailedError,
    ConversionLostError,
    DagsterResourceUnavailableError,
    DocumentTooLargeError,
    EncryptedPdfError,
    MalformedDocumentError,
    MedkgError,
    PdfLimitError,
    RateLimitedError,
)
from orchestration.pdf.configuration import configured
from orchestration.pdf.mineru.content import converted
from orchestration.records import Record
from orchestration.settings import Settings

__all__ = ["NAME", "PROTOCOL", "VERSION", "MineruConfig", "MineruConverter"]

NAME: Final = "mineru"
VERSION: Final = "2"
PROTOCOL: Final = 2
FILE_STEM: Final = "document"
"""Name of every upload; results come under it. The service makes folders of names, so no id is used."""
IN_FLIGHT: Final = 2
"""Tasks for each that the service works on at once: the next one waits there, not here."""
ELSEWHERE: Final = "http://mineru.invalid"
"""In place of the address of a service that only other machines know (RFC 2606)."""
_STATES: Final = {
    "pending": ConversionState.QUEUED,
    "processing": ConversionState.RUNNING,
    "completed": ConversionState.DONE,
    "failed": ConversionState.FAILED,
}
_TASK_ID = re.compile(r"[\w-]{1,100}")


class MineruConfig(Record):
    """Settings of MinerU in a topology; the defaults suit articles in English on a CPU."""

    backend: Literal["pipeline", "vlm-engine", "vlm-http-client", "hybrid-engine", "hybrid-http-client"] = (
        Field(default="pipeline", description="MinerU's backend.")
    )
    parse_method: Literal["auto", "txt", "ocr"] = Field(
        default="auto", description="Where text comes from; auto reads scans by OCR."
    )
    language: str = Field(
        default="en", pattern=r"^[a-z_]{2,20}$", description="MinerU's name of the language."
    )
    formulas: bool = Field(default=True, description="Read formulas as LaTeX.")
    tables: bool = Field(default=True, description="Read tables.")
    server_url: str | None = Field(default=None, description="Model server of the *-http-client backends.")
    seconds: float = Field(default=60, gt=0, le=3_600, description="What one request may take.")
    max_megabytes: int = Field(default=200, ge=1, le=2_000, description="Largest PDF.")
    max_result_megabytes: int = Field(default=256, ge=1, le=2_000, description="Largest result.")


class MineruConverter:
    """PdfConverter that calls a MinerU service. Thread-safe."""

    name = NAME
    version = VERSION

    def __init__(self, url: str, **config: object) -> None:
        """`url` of the service, fields of `MineruConfig`; raises ConfigurationError. Does not connect."""
        self._config = configured(MineruConfig, NAME, config)
        timeout = httpx.Timeout(self._config.seconds, connect=min(5.0, self._config.seconds))
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, follow_redirects=False)
        self._url = url
        self._lock = threading.Lock()
        self._health: Mapping[str, Any] | None = None

    @classmethod
    def from_settings(cls, config: Mapping[str, Any], settings: Settings) -> Self:
        """The converter of MEDKG_MINERU_URL; raises ConfigurationError if that is not set.

        With MEDKG_PDF_QUEUE only the workers of the queue need it.
        """
        if settings.mineru_url is None and settings.pdf_queue is not None:
            return cls(ELSEWHERE, **config)
        if settings.mineru_url is None:
            raise ConfigurationError(
                "this topology converts PDFs with MinerU, and MEDKG_MINERU_URL is not set. Start "
                "`mineru-api` and set it, e.g. http://127.0.0.1:8000, or name another converter."
            )
        return cls(settings.mineru_url, **config)

    @property
    def capacity(self) -> int:
        health = self._health
        return IN_FLIGHT * int(health["max_concurrent_requests"]) if health else IN_FLIGHT

    def health(self) -> Mapping[str, Any]:
        """The service's own health report; raises DagsterResourceUnavailableError if it cannot be used."""
        response = self._request("GET", "/health")
        health = self._json(response)
        protocol = health.get("protocol_version")
        if response.status_code != 200 or protocol != PROTOCOL:
            cause = health.get("error") or f"it speaks protocol {protocol!r}, medkg {PROTOCOL} (MinerU 3)"
            raise self._unavailable(str(cause))
        concurrent = health.get("max_concurrent_requests")
        if not isinstance(concurrent, int) or not isinstance(health.get("version"), str):
            raise self._unavailable("its /health has no version or no max_concurrent_requests")
        with self._lock:
            self._health = {**health, "max_concurrent_requests": max(1, min(concurrent, 1_000))}
            return self._health

    def submit(self, pdf: bytes, doc_id: str) -> str:
        config = self._config
        if len(pdf) > config.max_megabytes * 1_000_000:
            raise DocumentTooLargeError(
                f"{doc_id}: the PDF has {len(pdf):,} bytes, more than MinerU is asked to read "
                f"({config.max_megabytes} MB). Split it, or raise `max_megabytes` of the converter."
            )
        if self._health is None:
            self.health()
        fields = {
            "lang_list": config.language,
            "backend": config.backend,
            "parse_method": config.parse_method,
            "formula_enable": _flag(config.formulas),
            "table_enable": _flag(config.tables),
            "return_md": "false",
            "return_middle_json": "true",
            "return_content_list": "true",
        }
        if config.server_url is not None:
            fields["server_url"] = config.server_url
        upload = {"files": (f"{FILE_STEM}.pdf", pdf, "application/pdf")}
        response = self._request("POST", "/tasks", data=fields, files=upload)
        if response.status_code != 202:
            raise self._refused(response, doc_id)
        task_id = self._json(response).get("task_id")
        if not isinstance(task_id, str) or not _TASK_ID.fullmatch(task_id):
            raise self._unavailable("its answer to POST /tasks has no task_id")
        return task_id

    def poll(self, task_ids: Sequence[str]) -> Sequence[ConversionStatus]:
        return [self._status(task_id) for task_id in task_ids]

    def result(self, task_id: str) -> bytes:
        response = self._request("GET", f"/tasks/{_checked(task_id)}/result")
        if response.status_code == 404:
            raise _lost(task_id)
        result = self._json(response)
        if response.status_code in (202, 409):
            raise _failure(task_id, str(result.get("error") or result.get("message") or "no reason given"))
        if response.status_code != 200:
            raise self._unavailable(_detail(result, response))
        results = result.get("results")
        entry = results.get(FILE_STEM) if isinstance(results, dict) else None
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(part), str) for part in ("content_list", "middle_json")
        ):
            raise ConversionFailedError(
                f"MinerU task {task_id}: its result holds no content_list and middle_json of the PDF. Submit "
                "it again; if it stays so, look into the service's log."
            )
        version = f"{VERSION}+mineru-{result.get('version')}-{result.get('backend')}"
        document = converted(entry["content_list"], entry["middle_json"], f"MinerU task {task_id}", version)
        return document.model_dump_json().encode()

    def forget(self, task_ids: Sequence[str]) -> None:
        """Do nothing: the service drops tasks itself some time after they ended (default: one day)."""

    def close(self) -> None:
        self._client.close()

    def _status(self, task_id: str) -> ConversionStatus:
        response = self._request("GET", f"/tasks/{_checked(task_id)}")
        if response.status_code == 404:
            return ConversionStatus(task_id, ConversionState.FAILED, _lost(task_id))
        status = self._json(response)
        if response.status_code != 200:
            raise self._unavailable(_detail(status, response))
        state = _STATES.get(str(status.get("status")))
        if state is None:
            raise self._unavailable(
                f"it calls a task {status.get('status')!r}, which protocol {PROTOCOL} does not"
            )
        if state is ConversionState.FAILED:
            reason = str(status.get("error") or "no reason given")
            return ConversionStatus(task_id, state, _failure(task_id, reason))
        ahead = status.get("queued_ahead")
        return ConversionStatus(task_id, state, ahead=ahead if isinstance(ahead, int) else None)

    # --- requests ----------------------------------------------------------------------------------

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The answer, read whole up to the largest result; raises DagsterResourceUnavailableError."""
        limit = self._config.max_result_megabytes * 1_000_000
        try:
            with self._client.stream(method, path, **content) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > limit:
                        raise PdfLimitError(
                            f"{self._url}{path}: MinerU's result is larger than {limit:,} bytes. Raise "
                            "`max_result_megabytes` of the converter, or leave the PDF out."
                        )
        except httpx.HTTPError as error:
            with self._lock:
                self._health = None  # another version may run there when it is back
            raise self._unavailable(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        # The body is already decoded, so its length and encoding headers no longer apply.
        return httpx.Response(response.status_code, headers=_kept(response.headers), content=bytes(body))

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise self._unavailable(f"it answered {response.status_code} with no JSON") from error
        if not isinstance(answer, dict):
            raise self._unavailable(f"it answered {response.status_code} with no JSON object")
        return answer

    def _refused(self, response: httpx.Response, doc_id: str) -> MedkgError:
        """The error for a refused task: the PDF is invalid, the service is busy, or it cannot be used."""
        detail = _detail(self._json(response) if response.content else {}, response)
        if response.status_code == 429:
            after = response.headers.get("retry-after", "")
            return RateLimitedError(
                f"{doc_id}: MinerU takes no more tasks for now.",
                retry_after=float(after) if after.isdigit() else None,
            )
        if response.status_code == 413:
            return DocumentTooLargeError(f"{doc_id}: larger than MinerU takes: {detail}. Split the PDF.")
        if response.status_code == 400 and "Unsupported file type" in detail:
            return MalformedDocumentError(
                f"{doc_id}: MinerU does not take it for a PDF: {detail}. Fetch it again."
            )
        return self._unavailable(detail)

    def _unavailable(self, cause: str) -> DagsterResourceUnavailableError:
        return DagsterResourceUnavailableError(
            f"MinerU at {self._url} is unavailable: {cause}. Start it with `mineru-api`, or correct "
            "MEDKG_MINERU_URL and restart the host (`medkg down`, `medkg up`). PDFs wait for it."
        )


def _kept(headers: httpx.Headers) -> dict[str, str]:
    return {name: headers[name] for name in ("content-type", "retry-after") if name in headers}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _checked(task_id: str) -> str:
    if not _TASK_ID.fullmatch(task_id):
        raise _lost(task_id)
    return task_id


def _detail(answer: Mapping[str, Any], response: httpx.Response) -> str:
    detail = answer.get("detail") or answer.get("error") or answer.get("message") or ""
    return f"it answered {response.status_code} {json.dumps(detail)[:300] if detail else ''}".rstrip()


def _lost(task_id: str) -> ConversionLostError:
    return ConversionLostError(
        f"MinerU no longer knows task {task_id[:100]!r}: it was restarted, or the result expired. Submit the "
        "PDF again."
    )


def _failure(task_id: str, reason: str) -> MedkgError:
    """The error of a failed task: Permanent if MinerU's message says that the PDF cannot be opened."""
    words = reason.casefold()
    message = f"MinerU task {task_id} failed: {reason[:500]}."
    if "password" in words or "encrypted" in words:
        return EncryptedPdfError(f"{message} Get a copy of the PDF without a password.")
    if "failed to load file" in words or "data format error" in words:
        return MalformedDocumentError(f"{message} Fetch the PDF again.")
    return ConversionFailedError(f"{message} It may succeed when submitted again; see the service's log.")
