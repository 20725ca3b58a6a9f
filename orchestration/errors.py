"""What can go wrong: one tree of errors, each with a stable code that logs, dead letters and JSON carry.

Every error is Transient (the runner repeats the item), Permanent (the item becomes a dead letter) or
Unavailable (a service is away: nothing is spent, the runner waits and then hands documents back).
Messages name the thing, the cause and the next step. Codes: 1xx usage and configuration, 2xx documents,
3xx stages, 4xx services, 5xx stores, 9xx hardware. A code is never reused.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AddressRefusedError",
    "AnswerTooLargeError",
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
    "LeaseLostError",
    "MalformedDocumentError",
    "MedkgError",
    "MissingIdentifierError",
    "NotAPdfError",
    "PdfLimitError",
    "PdfWithoutTextError",
    "PermanentError",
    "PlaneUnavailableError",
    "RateLimitedError",
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
    "error_class",
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
    """Any error that medkg raises on purpose; `code` is stable, `exit_code` what the command returns."""

    code: ClassVar[str] = "MEDKG-000"
    exit_code: ClassVar[int] = ExitCode.SOME_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def error_class(name: str) -> type[MedkgError] | None:
    """The error class of that name; None if it is none of ours. For errors that crossed a text boundary."""
    kinds: list[type[MedkgError]] = [MedkgError]
    for kind in kinds:
        if kind.__name__ == name:
            return kind
        kinds.extend(kind.__subclasses__())
    return None


def _rebuild(kind: type[MedkgError], message: str, attributes: dict[str, object]) -> MedkgError:
    """Unpickle an error whatever its constructor takes: errors cross process boundaries."""
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(attributes)
    return error


class TransientError(MedkgError):
    """It may work next time: the runner repeats the item under its policy."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the service asked us to wait (Retry-After), if it did."""


class PermanentError(MedkgError):
    """It will not work next time either: the item becomes a dead letter."""


class UnavailableError(MedkgError):
    """A needed service is away: no attempt is spent, documents are handed back, never dead-lettered."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# --- 1xx usage and configuration -------------------------------------------------------------------


class UsageError(PermanentError):
    """The command line asks for something that does not exist or does not fit together."""

    code = "MEDKG-100"
    exit_code = ExitCode.USAGE


class ConfigurationError(PermanentError):
    """A setting, policy file or environment variable has a value that cannot be used."""

    code = "MEDKG-101"
    exit_code = ExitCode.USAGE


class DagsterPipelineConfigError(ConfigurationError):
    """A topology is wrong: unknown stage, policy or field, a cycle, an edge whose types do not match."""

    code = "MEDKG-102"


class IndexMissingError(PermanentError):
    """A search before anything was indexed."""

    code = "MEDKG-103"
    exit_code = ExitCode.USAGE


# --- 2xx documents ---------------------------------------------------------------------------------


class MalformedDocumentError(PermanentError):
    """The bytes are not what their format promises: truncated, wrongly encoded, not well-formed."""

    code = "MEDKG-200"


class UnsafeXmlError(PermanentError):
    """The XML declares entities or asks for external ones; medkg expands neither."""

    code = "MEDKG-201"


class MissingIdentifierError(PermanentError):
    """The record has no identifier (a study without an NCT id), so it cannot be cited or updated."""

    code = "MEDKG-202"


class DuplicateDocumentError(PermanentError):
    """One input holds two records of the same id with different content; the first was taken."""

    code = "MEDKG-203"


class DocumentTooLargeError(PermanentError):
    """The record is larger than `max_document_bytes`."""

    code = "MEDKG-204"


class EmptyDocumentError(PermanentError):
    """The record has no text to index."""

    code = "MEDKG-205"


class UnknownFormatError(PermanentError):
    """The content is none of the formats that the installed parsers know."""

    code = "MEDKG-206"


class InputUnreadableError(PermanentError):
    """A file or folder cannot be read: missing, no permission, not a regular file."""

    code = "MEDKG-207"


class EmbeddingInputTooLongError(PermanentError):
    """A text has more tokens than the embedding model takes; nothing is cut silently."""

    code = "MEDKG-208"


class RecordWithheldError(PermanentError):
    """The source answers for a record that it does not give it: no such id, withdrawn, not open."""

    code = "MEDKG-210"


class EncryptedPdfError(PermanentError):
    """The PDF is encrypted with a password, and medkg breaks none."""

    code = "MEDKG-220"


class PdfWithoutTextError(PermanentError):
    """The PDF has pages but no text layer (scanned images); a converter that reads images is needed."""

    code = "MEDKG-221"


class PdfLimitError(PermanentError):
    """The PDF has more pages, characters or memory's worth of content than its converter takes."""

    code = "MEDKG-222"


class NotAPdfError(PermanentError):
    """What a link leads to is no PDF, e.g. a landing page."""

    code = "MEDKG-231"


# --- 3xx stages ------------------------------------------------------------------------------------


class StageFailedError(PermanentError):
    """A stage raised an error that medkg does not know; its class and message are kept."""

    code = "MEDKG-300"


class DagsterStageTimeoutError(TransientError):
    """A stage took longer than its policy's time-out and was stopped."""

    code = "MEDKG-301"


class StageCrashedError(TransientError):
    """The process of an isolated stage died (segmentation fault, out of memory, killed)."""

    code = "MEDKG-302"


class StageContractError(PermanentError):
    """A stage broke its contract: wrong type, wrong length, offsets that do not give the body."""

    code = "MEDKG-303"


class DagsterGateConditionError(PermanentError):
    """A gate's condition was not met within its time-out."""

    code = "MEDKG-304"


# --- 4xx services ----------------------------------------------------------------------------------


class ServiceError(TransientError):
    """A service answered with a server error (HTTP 5xx), reset the connection or timed out."""

    code = "MEDKG-400"


class RateLimitedError(TransientError):
    """A service asked us to slow down (HTTP 429); `retry_after` is obeyed."""

    code = "MEDKG-401"


class RequestRejectedError(PermanentError):
    """A service refused the request (HTTP 4xx other than 408 and 429); repeating it would not help."""

    code = "MEDKG-402"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status, where it was one."""


class CircuitOpenError(UnavailableError):
    """The circuit breaker of a dependency is open after repeated failures."""

    code = "MEDKG-403"


class DagsterResourceUnavailableError(UnavailableError):
    """A resource a stage depends on is away (ledger, broker, database)."""

    code = "MEDKG-404"


class PlaneUnavailableError(DagsterResourceUnavailableError):
    """The actor plane is not there, is starting, or lost a replica."""

    code = "MEDKG-405"


class HostUnavailableError(DagsterResourceUnavailableError):
    """The host process of this data folder is not running or does not answer."""

    code = "MEDKG-406"


class AnswerTooLargeError(PermanentError):
    """An answer has more bytes than its kind may have; reading stopped there."""

    code = "MEDKG-420"


class ServiceFailedError(PermanentError):
    """A service failed at a request in every attempt of its policy."""

    code = "MEDKG-421"


class AddressRefusedError(PermanentError):
    """A URL that is not fetched: another scheme, a private address, a host that is not allowed."""

    code = "MEDKG-422"


class UnexpectedAnswerError(PermanentError):
    """A service answered in another shape than it documents; its interface may have changed."""

    code = "MEDKG-423"


class CursorRefusedError(PermanentError):
    """A service no longer knows the place in its list from which we wanted to go on."""

    code = "MEDKG-424"


class ConversionFailedError(TransientError):
    """A PDF converter failed on a document, or gave something that is none; another try may do."""

    code = "MEDKG-430"


class ConversionLostError(TransientError):
    """A PDF converter no longer knows a task (it was restarted, or the result expired): submit it again."""

    code = "MEDKG-431"


class SearchLegTimeoutError(UnavailableError):
    """A leg of a search, or its reranking, took longer than its time budget. Search again, leave the leg out
    with --legs, or raise MEDKG_SEARCH_SECONDS and MEDKG_SEARCH_LEG_SECONDS."""

    code = "MEDKG-440"


class SearchDegradedError(UnavailableError):
    """A leg failed during an evaluation, whose measures would be those of the other legs alone. See the log,
    fix the leg, and evaluate again."""

    code = "MEDKG-441"


# --- 5xx ledger and stores -------------------------------------------------------------------------


class IllegalTransitionError(PermanentError):
    """A document may not move from its status to the one asked for."""

    code = "MEDKG-500"


class LeaseLostError(PermanentError):
    """The lease on a document passed to another run while this one worked on it."""

    code = "MEDKG-501"


class OutdatedWindowError(PermanentError):
    """A window was begun with other models, parsers or stages than there are now."""

    code = "MEDKG-505"


class StoreUnwritableError(UnavailableError):
    """A store cannot be written: disk full, read-only folder, locked by another program."""

    code = "MEDKG-502"


class StoreCorruptError(UnavailableError):
    """A stored file is damaged (checksum, size); `medkg verify --repair` rebuilds what it can."""

    code = "MEDKG-503"


class CopyUnusableError(PermanentError):
    """An export or backup is damaged, broken off, of a newer medkg or none at all; nothing of it is taken."""

    code = "MEDKG-506"


class RunAccountingError(MedkgError):
    """Documents in and documents accounted for differ at the end of a run."""

    code = "MEDKG-504"


# --- 9xx hardware ----------------------------------------------------------------------------------


class GpuUnavailableError(DagsterResourceUnavailableError):
    """No usable GPU for a profile that asks for one; medkg never falls back to the CPU."""

    code = "MEDKG-900"
    exit_code = ExitCode.NO_GPU
