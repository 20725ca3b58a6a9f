"""What obstore's errors mean, by what the server said: obstore tells most of them apart by their text alone.

Comes in: an error of obstore. Leaves: one of ours that names the store, what it said, and the next step.
Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and MinIO's and Ceph's own.
"""

from __future__ import annotations

import re
from typing import Final

from obstore.exceptions import BaseError

from orchestration.disk_space import unwritable_disk
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    MedkgError,
    RequestRejectedError,
    StoreUnwritableError,
)

__all__ = ["ANY_FAILURE", "is_absent", "of_folder", "of_s3"]

ANY_FAILURE: Final = (BaseError, OSError)
"""What obstore raises for an answer; its ValueErrors are about keys, which are checked before."""

CODE: Final = re.compile(r"<Code>(\w+)</Code>")
STATUS: Final = re.compile(r"non-2xx status code: (\d{3})")
FULL: Final = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "StorageFull"})
OVERLOADED: Final = frozenset({"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "ServiceUnavailable"})
WRONG_PLACE: Final = frozenset(
    {
        "NoSuchBucket",
        "InvalidBucketName",
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    }
)
NO_CREDENTIALS: Final = (
    "169.254.169.254",
    "instance metadata",
    "MissingSecretAccessKey",
    "MissingAccessKeyId",
)


def is_absent(error: Exception) -> bool:
    """Whether it says that there is no such object, not that there is no bucket or no user."""
    return isinstance(error, FileNotFoundError) and _code(error) in ("", "NoSuchKey")


def of_s3(name: str, error: Exception) -> MedkgError:
    """Of an answer of an S3 server, or of none."""
    code, status = _code(error), _status(error)
    said = f"{name}: {' '.join(part for part in (str(status or ''), code) if part) or _first_line(error)}"
    if status == 507 or code in FULL:
        return StoreUnwritableError(f"{said}. Free space of the object store, or raise its quota.")
    wrong = _wrongly_configured(name, said, error)
    if wrong is not None:
        return wrong
    if code in OVERLOADED or status is None or status in (408, 429) or status >= 500:
        return DagsterResourceUnavailableError(
            f"{said}. Its server does not answer or is overloaded: start it, or correct AWS_ENDPOINT_URL."
        )
    return RequestRejectedError(f"{said}. Please report it with this message.")


def _wrongly_configured(name: str, said: str, error: Exception) -> ConfigurationError | None:
    """What another setting would repair; None for anything else."""
    code, status = _code(error), _status(error)
    if any(sign in str(error) for sign in NO_CREDENTIALS):
        return ConfigurationError(
            f"{name}: there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give "
            "this machine or its service account a role."
        )
    if code == "NotImplemented" or status == 501:
        return ConfigurationError(
            f"{said}. Its server knows no conditional writes (If-None-Match, If-Match), which medkg needs: "
            "use AWS S3, MinIO, Ceph or another of their kind, or a newer version of it."
        )
    if code in WRONG_PLACE or status in (301, 307):
        return ConfigurationError(
            f"{said}. Make the bucket, or correct MEDKG_OBJECTS_URL, AWS_REGION and AWS_ENDPOINT_URL."
        )
    if code not in OVERLOADED and (status in (401, 403) or (status == 404 and code != "NoSuchKey")):
        return ConfigurationError(
            f"{said}. Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or allow this user to list, read, "
            "write and delete below MEDKG_OBJECTS_URL."
        )
    return None


def of_folder(name: str, error: Exception) -> MedkgError:
    """Of a folder that cannot be read or written."""
    return unwritable_disk(error, name) or StoreUnwritableError(
        f"{name} cannot be used: {_first_line(error)}. Free space or set its permissions, or choose another "
        "--data-dir or MEDKG_OBJECTS_URL."
    )


def _code(error: Exception) -> str:
    match = CODE.search(str(error))
    return match[1] if match else ""


def _status(error: Exception) -> int | None:
    match = STATUS.search(str(error))
    return int(match[1]) if match else None


def _first_line(error: Exception) -> str:
    """The message without obstore's dump of internal structures."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or str(error).splitlines()[0])
