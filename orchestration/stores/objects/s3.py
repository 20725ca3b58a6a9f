"""Objects in a bucket of S3, or of a server that speaks S3 (MinIO, Ceph, Versity).

Comes in: bucket and prefix. Leaves: objects that are durable when a write returns; the server sees to that.
Endpoint, region, credentials and roles are AWS's usual variables and files of a pod, which obstore reads
itself, so that medkg holds no secret. Nothing is repeated: the policy of the stage that asked does that. An
object is one request, never parts, so that a write that was interrupted leaves nothing on the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from orchestration.stores.objects.failures import of_s3
from orchestration.stores.objects.keys import check_key
from orchestration.stores.objects.reading import ReadableObjects

__all__ = ["S3Objects"]

CLIENT: Final[Any] = {
    "allow_http": True,
    "connect_timeout": "5s",
    "read_timeout": "120s",
    "timeout": "600s",
}
"""Seconds of one request; http is only spoken to an endpoint that is named so."""
NEVER_AGAIN: Final[Any] = {"max_retries": 0}


class S3Objects(ReadableObjects):
    """Objects below a prefix of a bucket; thread-safe."""

    def __init__(self, bucket: str, prefix: str | None) -> None:
        name = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        try:
            store = S3Store(bucket, prefix=prefix, client_options=CLIENT, retry_config=NEVER_AGAIN)
        except BaseError as error:
            raise of_s3(name, error) from error
        super().__init__(store, name, of_s3)

    def put(self, key: str, content: bytes) -> None:
        """Write the object, replacing one that is there. Durable when it returns."""
        with self._errors_named():
            obstore.put(self._store, check_key(key), content, use_multipart=False)

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless there is one; whether it was written. Durable."""
        with self._errors_named():
            try:
                obstore.put(self._store, check_key(key), content, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def replace(self, key: str, content: bytes, version: str) -> bool:
        """Write the object if it still is of this version; whether it was written. Durable."""
        with self._errors_named():
            try:
                obstore.put(self._store, check_key(key), content, mode={"e_tag": version})
            except (PreconditionError, AlreadyExistsError):  # changed, gone, or another is just writing it
                return False
            return True

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, those that are there. Idempotent."""
        with self._errors_named():
            obstore.delete(self._store, [check_key(key) for key in keys])

    def sweep(self, prefix: str) -> None:
        """Nothing to do: a broken write leaves nothing."""
        check_key(prefix)

    def delete_all(self, prefix: str) -> None:
        """Remove every object below the prefix. Idempotent."""
        self.delete([stored.key for stored in self.list(prefix)])
