"""The errors of medkg: one tree, each with a stable code that logs, dead letters and JSON carry.

Every error is Transient (the runner repeats the item), Permanent (the item becomes a dead letter) or
Unavailable (a service is unavailable: no attempt is counted, the runner waits, then hands documents back).
A message names the thing, the cause and the next step; a docstring is cause and next step, from which
docs/reference/errors.md is generated. Codes: 1xx usage and configuration, 2xx documents,
3xx stages, 4xx services, 5xx stores, 9xx hardware. A code is never reused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar

__all__ = [
    "AddressRefusedError",
    "AnswerTooLargeError",
    "BrokerRefusedError",
    "CircuitOpenError",
    "ConfigurationError",
    "ConversionFailedError",
    "ConversionLostError",
    "CopyUnusableError",
    "CursorRefusedError",
    "DagsterGateConditionError",
    "DagsterPipelineConfigError",
    "DagsterResourceUnavailableError",
    "DagsterStageTimeoutError",
    "DocumentTooLargeError",
    "DocumentsRefusedError",
    "DuplicateDocumentError",
    "EmbeddingInputTooLongError",
    "EmptyDocumentError",
    "EncryptedPdfError",
    "ExitCode",
    "GpuUnavailableError",
    "HostUnavailableError",
    "IllegalTransitionError",
    "IndexMissingError",
    "InputUnreadableError",
    "ItemsRefusedError",
    "LeaseLostError",
    "LedgerLostError",
    "LineageRejectedError",
    "LineageUnavailableError",
    "MalformedDocumentError",
    "MedkgError",
    "MessageRefusedError",
    "MetricsAddressError",
    "MissingIdentifierError",
    "NotAPdfError",
    "OutdatedWindowError",
    "PdfLimitError",
    "PdfWithoutTextError",
    "PermanentError",
    "PlaneUnavailableError",
    "RateLimitedError",
    "RecordWithheldError",
    "RequestRejectedError",
    "RunAccountingError",
    "SearchDegradedError",
    "SearchLegTimeoutError",
    "ServiceError",
    "ServiceFailedError",
    "StageContractError",
    "StageCrashedError",
    "StageFailedError",
    "StoreCorruptError",
    "StoreUnwritableError",
    "TransientError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnknownFormatError",
    "UnsafeXmlError",
    "UsageError",
    "VocabularyUnreadableError",
    "error_kinds",
    "errors_by_code",
    "rebuilt_error",
]


class ExitCode:
    """Exit codes of the `medkg` command (stable)."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    NO_GPU = 99
    INTERRUPTED = 130


class MedkgError(Exception):
    """An error that medkg raises on purpose. Look up its `code` in this list; `exit_code` is what the command
    returns."""

    code: ClassVar[str] = "MEDKG-000"
    exit_code: ClassVar[int] = ExitCode.SOME_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def rebuilt_error(class_name: str, message: str, **attributes: object) -> MedkgError | None:
    """Return the error of that class, which may be qualified, or None if medkg has no such class.

    For errors that crossed a process boundary as text or JSON.
    """
    name = class_name.rsplit(".", 1)[-1]
    kind = next((kind for kind in error_kinds() if kind.__name__ == name), None)
    return _rebuild(kind, message, attributes) if kind is not None else None


def error_kinds() -> Iterator[type[MedkgError]]:
    """MedkgError and all of its subclasses, the general ones first."""
    kinds: list[type[MedkgError]] = [MedkgError]
    for kind in kinds:
        yield kind
        kinds.extend(kind.__subclasses__())


@cache
def errors_by_code() -> Mapping[str, type[MedkgError]]:
    """The error of each code; of several, as subclasses that keep a code, the most general one."""
    by_code: dict[str, type[MedkgError]] = {}
    for kind in error_kinds():
        by_code.setdefault(kind.code, kind)
    return by_code


def _rebuild(kind: type[MedkgError], message: str, attributes: dict[str, object]) -> MedkgError:
    """Unpickle an error without calling its constructor: errors cross process boundaries."""
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.message = message
    error.__dict__.update(attributes)
    return error


class TransientError(MedkgError):
    """The same call may succeed later. The runner repeats the item under the policy of its stage."""

    retry_after: float | None = None
    """Seconds after which the service asks for the next request (Retry-After); None if it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(MedkgError):
    """The same call would fail again. The item becomes a dead letter; replay it once the cause is fixed."""


class UnavailableError(MedkgError):
    """A needed service is unavailable. No attempt is counted: the runner waits, then hands the documents
    back to the queue; start the service and run the same command again.
    """

    exit_code = ExitCode.UNAVAILABLE
    retry_after: float | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# --- 1xx usage and configuration -------------------------------------------------------------------


class UsageError(PermanentError):
    """A command or call names something that does not exist or does not fit together. Correct the
    arguments; the message lists what exists.
    """

    code = "MEDKG-100"
    exit_code = ExitCode.USAGE


class ConfigurationError(PermanentError):
    """A setting, policy file or environment variable has a value that cannot be used. Correct the value
    that the message names; docs/reference/settings.md lists the valid ones.
    """

    code = "MEDKG-101"
    exit_code = ExitCode.USAGE


class DagsterPipelineConfigError(ConfigurationError):
    """A topology is invalid: an unknown stage, policy or field, a cycle, or an edge whose types do not
    match. Correct the line that the message names, then run `medkg topology validate`.
    """

    code = "MEDKG-102"


class IndexMissingError(PermanentError):
    """A search ran before anything was indexed. Ingest documents first, e.g. `medkg run auto --path
    FOLDER`.
    """

    code = "MEDKG-103"
    exit_code = ExitCode.USAGE


class VocabularyUnreadableError(PermanentError):
    """A file of a vocabulary is not what its format requires, or holds no concept with a name. Correct the
    line that the message names, or name the format, then run `medkg vocabulary add` again.
    """

    code = "MEDKG-104"
    exit_code = ExitCode.USAGE


# --- 2xx documents ---------------------------------------------------------------------------------


class MalformedDocumentError(PermanentError):
    """The bytes are not what their format requires: truncated, wrongly encoded or not well-formed. Correct
    the file or fetch it again, then replay the dead letter.
    """

    code = "MEDKG-200"


class UnsafeXmlError(PermanentError):
    """The XML declares entities or refers to external ones, which medkg does not expand. Remove the
    declarations, then replay the dead letter.
    """

    code = "MEDKG-201"


class MissingIdentifierError(PermanentError):
    """The record has no identifier (e.g. a study without an NCT id), so it cannot be cited or updated. Add
    the identifier, then replay the dead letter.
    """

    code = "MEDKG-202"


class DuplicateDocumentError(PermanentError):
    """One input holds two records of the same id with different content; the first one was taken. Remove or
    correct one of the two, then run the input again.
    """

    code = "MEDKG-203"


class DocumentTooLargeError(PermanentError):
    """The record is larger than `max_document_bytes`. Raise that limit (MEDKG_MAX_DOCUMENT_BYTES) or split
    the record, then replay the dead letter.
    """

    code = "MEDKG-204"


class EmptyDocumentError(PermanentError):
    """The record has no text to index. Nothing needs to be done unless the source should have text there."""

    code = "MEDKG-205"


class UnknownFormatError(PermanentError):
    """The content is in none of the formats that the installed parsers read. Install a parser plugin for
    it, or remove the file from the input.
    """

    code = "MEDKG-206"


class InputUnreadableError(PermanentError):
    """A file or folder cannot be read: it is missing, not permitted or not a regular file. Correct the path
    or its permissions, then run the input again.
    """

    code = "MEDKG-207"


class EmbeddingInputTooLongError(PermanentError):
    """A text has more tokens than the embedding model accepts, and medkg truncates nothing silently. Set a
    smaller chunk size in the topology, then replay the dead letter.
    """

    code = "MEDKG-208"


class RecordWithheldError(PermanentError):
    """The source answers for a record without returning it: there is no such id, it was withdrawn, or it is
    not open. Check the id at the source; replay the dead letter if the record is available again.
    """

    code = "MEDKG-210"


class DocumentsRefusedError(PermanentError):
    """A store cannot take a document: an id or a value is longer than stores take, a vector is not finite,
    or the server refuses an entry. Correct what the message names, then replay the dead letter.
    """

    code = "MEDKG-211"

    reasons: Mapping[Any, str]
    """Why, by document (its DocumentKey); of the other documents of the write none is refused."""

    def __init__(self, message: str, reasons: Mapping[Any, str] | None = None) -> None:
        super().__init__(message)
        self.reasons = reasons or {}


class EncryptedPdfError(PermanentError):
    """The PDF is encrypted with a password, which medkg does not break. Provide a decrypted copy, then run
    it.
    """

    code = "MEDKG-220"


class PdfWithoutTextError(PermanentError):
    """The PDF has pages but no text layer, e.g. scanned images. Use a topology whose converter reads
    images, such as pdf-two-phase.
    """

    code = "MEDKG-221"


class PdfLimitError(PermanentError):
    """The PDF has more pages, characters or content in memory than its converter accepts. Split the PDF or
    raise the limits of the converter, then replay the dead letter.
    """

    code = "MEDKG-222"


class NotAPdfError(PermanentError):
    """A link that should lead to a PDF leads to something else, e.g. a landing page. Correct the link at
    the source, or provide the PDF as a file.
    """

    code = "MEDKG-231"


# --- 3xx stages ------------------------------------------------------------------------------------


class StageFailedError(PermanentError):
    """A stage raised an error that medkg does not know; the message keeps its class and text. Report it to
    the author of the stage, and replay the dead letter once it is fixed.
    """

    code = "MEDKG-300"


class DagsterStageTimeoutError(TransientError):
    """A stage took longer than the time-out of its policy and was stopped. Raise `timeout_seconds` in the
    policy if the work needs longer, then replay the dead letter.
    """

    code = "MEDKG-301"


class StageCrashedError(TransientError):
    """The process of an isolated stage ended abruptly (segmentation fault, out of memory, killed). Check
    the memory of the machine and the log, then replay the dead letter.
    """

    code = "MEDKG-302"


class StageContractError(PermanentError):
    """A stage broke its contract: a wrong type, a wrong length, or offsets that do not match the text. Run
    the stage through its conformance suite in medkg.testing, and correct it.
    """

    code = "MEDKG-303"


class DagsterGateConditionError(PermanentError):
    """The condition of a gate was not met within its time-out. See what the document lacks in the message
    and the log of the converter, then replay the dead letter.
    """

    code = "MEDKG-304"


# --- 4xx services ----------------------------------------------------------------------------------


class ServiceError(TransientError):
    """A service answered with a server error (HTTP 5xx), reset the connection or timed out. The call is
    repeated under the policy; check the status of the service if it goes on.
    """

    code = "MEDKG-400"


class RateLimitedError(TransientError):
    """A service asked for fewer requests (HTTP 429). `retry_after` is obeyed; lower the rate of the policy
    if it goes on.
    """

    code = "MEDKG-401"


class RequestRejectedError(PermanentError):
    """A service refused the request (HTTP 4xx other than 408 and 429), so repeating it would not help.
    Correct the query, the credentials or the id that the message names.
    """

    code = "MEDKG-402"

    status: int | None = None
    """HTTP status; None when the refusal was not an HTTP answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ItemsRefusedError(RequestRejectedError):
    """A server refused single entries of a bulk request. Correct the documents that the message names, then
    replay their dead letters.
    """

    code = "MEDKG-425"

    reasons: Mapping[str, str]
    """Why, by the id of the entry."""

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message, status=400)
        self.reasons = reasons


class CircuitOpenError(UnavailableError):
    """The circuit breaker of a dependency is open after repeated failures. Check the dependency; calls go
    on by themselves after the reset time of the policy.
    """

    code = "MEDKG-403"


class DagsterResourceUnavailableError(UnavailableError):
    """A resource that a stage depends on (ledger, broker, database) is unavailable. Start it or correct its
    address, then run the same command again.
    """

    code = "MEDKG-404"


class PlaneUnavailableError(DagsterResourceUnavailableError):
    """The actor plane is not running, is starting, or lost a replica. Run `medkg status` to see which, and
    `medkg up` to start it.
    """

    code = "MEDKG-405"


class HostUnavailableError(DagsterResourceUnavailableError):
    """The host process of this data folder is not running or does not answer. Run `medkg status`, and
    `medkg up` or the same command again.
    """

    code = "MEDKG-406"


class AnswerTooLargeError(PermanentError):
    """An answer has more bytes than its kind is allowed; reading stopped there. Check the address; raise
    the limit that the message names if such answers are expected.
    """

    code = "MEDKG-420"


class ServiceFailedError(PermanentError):
    """A service failed on a request in every attempt of its policy. Check the service, then replay the dead
    letter.
    """

    code = "MEDKG-421"


class AddressRefusedError(PermanentError):
    """A URL is not fetched because of its scheme, its private address or a host that is not allowed.
    Correct the URL, or name the host in MEDKG_PRIVATE_HOSTS.
    """

    code = "MEDKG-422"


class UnexpectedAnswerError(PermanentError):
    """A service answered in another shape than it documents; its interface may have changed. Update medkg,
    or report the answer that the message quotes.
    """

    code = "MEDKG-423"


class CursorRefusedError(PermanentError):
    """A service no longer knows the position in its list at which the enumeration would continue. The
    enumeration restarts by itself; nothing needs to be done.
    """

    code = "MEDKG-424"


class BrokerRefusedError(PermanentError):
    """A Kafka broker refuses the client: wrong credentials or certificates, no right on a topic, or a topic
    that it does not create. Correct MEDKG_KAFKA_CONFIG, or have the right or topic made that is named.
    """

    code = "MEDKG-426"


class MessageRefusedError(PermanentError):
    """A message on a topic of PDF conversions cannot be used: it is no message of this version, or it answers
    for another object than was requested. It is on the dead-letter topic; correct what publishes it.
    """

    code = "MEDKG-427"


class MetricsAddressError(PermanentError):
    """The endpoint of metrics cannot listen: another process has the port, or the address is none of this
    machine. Set MEDKG_METRICS_PORT and MEDKG_METRICS_HOST, or end the process that the message names.
    """

    code = "MEDKG-450"
    exit_code = ExitCode.USAGE


class ConversionFailedError(TransientError):
    """A PDF converter failed on a document, or returned something that is not a converted document. It is
    tried again; see the log of the converter if it becomes a dead letter.
    """

    code = "MEDKG-430"


class ConversionLostError(TransientError):
    """A PDF converter no longer knows a task, because it was restarted or the result expired. The PDF is
    submitted again by itself; nothing needs to be done.
    """

    code = "MEDKG-431"


class SearchLegTimeoutError(UnavailableError):
    """A leg of a search, or its reranking, took longer than its time budget. Search again, leave the leg out
    with --legs, or raise MEDKG_SEARCH_SECONDS and MEDKG_SEARCH_LEG_SECONDS."""

    code = "MEDKG-440"


class SearchDegradedError(UnavailableError):
    """A leg failed during an evaluation, whose measures would be those of the other legs alone. See the log,
    fix the leg, and evaluate again."""

    code = "MEDKG-441"


class LineageUnavailableError(UnavailableError):
    """The OpenLineage server, broker or file does not take events now. They are sent again later and nothing
    waits for them; look at the server that the message names. `medkg status` shows how far lineage is behind.
    """

    code = "MEDKG-445"


class LineageRejectedError(PermanentError):
    """The OpenLineage server refused one event, which is left out; the others are sent. The server's log
    has the reason. Report it with the event that medkg's log names, if the server accepts OpenLineage 2-0-2.
    """

    code = "MEDKG-446"


# --- 5xx ledger and stores -------------------------------------------------------------------------


class IllegalTransitionError(PermanentError):
    """A document cannot move from its status to the requested one. This is a defect of medkg: report it
    with the ledger file.
    """

    code = "MEDKG-500"


class LeaseLostError(PermanentError):
    """The lease on a document passed to another run while this run worked on it. Nothing is lost and
    nothing needs to be done: the other run finishes the document.
    """

    code = "MEDKG-501"


class OutdatedWindowError(PermanentError):
    """A window was started with other models, parsers or stages than there are now. Nothing needs to be
    done: its documents are queued again and start from the beginning.
    """

    code = "MEDKG-505"


class StoreUnwritableError(UnavailableError):
    """A store cannot be written: the disk is full, the folder is read-only, or another program locks it.
    Free space or correct the permissions, then run the same command again.
    """

    code = "MEDKG-502"


class StoreCorruptError(UnavailableError):
    """A stored file is damaged (checksum or size). Run `medkg verify --repair`, which rebuilds what it can,
    or restore a backup.
    """

    code = "MEDKG-503"


class LedgerLostError(PermanentError):
    """The ledger of a data folder is empty or gone, while its stores hold documents: a run would treat the
    folder as new, and readers would find nothing. Put a copy of the ledger back, or run `medkg verify
    --repair`, which makes the ledger again from the stores."""

    code = "MEDKG-507"
    exit_code = ExitCode.USAGE


class CopyUnusableError(PermanentError):
    """An export or backup is damaged, incomplete, written by a newer medkg, or no copy at all; nothing of
    it is read in. Use another copy, or the medkg version that wrote it.
    """

    code = "MEDKG-506"


class RunAccountingError(MedkgError):
    """Documents in and documents accounted for differ at the end of a run. This is a defect of medkg:
    report it with the ledger file.
    """

    code = "MEDKG-504"


# --- 9xx hardware ----------------------------------------------------------------------------------


class GpuUnavailableError(DagsterResourceUnavailableError):
    """A profile asks for a GPU and none is usable; medkg never falls back to the CPU. Fix what the message
    names (driver, memory, ECC errors), or choose the `cpu` profile.
    """

    code = "MEDKG-900"
    exit_code = ExitCode.NO_GPU
