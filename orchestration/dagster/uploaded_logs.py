"""A run's stdout and stderr in the object store, so that any machine's Dagster UI shows them.

Input: what a step prints, first into files of this machine's data folder. Output: objects
compute_logs/RUN/.../KEY.out and .err, written when the step ends; then the files are deleted. If the store
cannot be written, the run still ends: the files stay, and this machine's UI shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, Final, Self

import structlog
from dagster import StringSource
from dagster._core.storage.cloud_storage_compute_log_manager import (
    PollingComputeLogSubscriptionManager,
    TruncatingCloudStorageComputeLogManager,
)
from dagster._core.storage.compute_log_manager import CapturedLogSubscription, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from orchestration.contracts.objects import RUN_OUTPUT
from orchestration.dagster.compute_logs import WindowComputeLogManager
from orchestration.errors import MedkgError
from orchestration.stores.objects.opening import open_objects

STREAMS: Final = (ComputeIOType.STDOUT, ComputeIOType.STDERR)


class UploadedComputeLogManager(TruncatingCloudStorageComputeLogManager[Any], ConfigurableClass):
    """Captures into files below <base_dir> and uploads them to the store at <objects_url>."""

    def __init__(
        self, base_dir: str, objects_url: str, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._local = WindowComputeLogManager(base_dir)
        self._objects = open_objects(objects_url)
        self._inst_data = inst_data
        self._subscriptions = PollingComputeLogSubscriptionManager(self)  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"base_dir": StringSource, "objects_url": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    def local_manager(self) -> WindowComputeLogManager:
        return self._local

    @property
    def upload_interval(self) -> None:
        """None: output is uploaded when its step has ended; until then only the step's machine shows it."""
        return

    def cloud_storage_has_logs(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> bool:
        """Whether the step has ended and its output was uploaded."""
        return not partial and self._objects.get(_key(log_key, io_type)) is not None

    def get_log_data_for_type(
        self, log_key: Sequence[str], io_type: ComputeIOType, offset: int, max_bytes: int | None
    ) -> tuple[bytes | None, int]:
        """Bytes from the offset on, and the offset after them; objects are not cached here."""
        if self.has_local_file(log_key, io_type):
            data: tuple[bytes | None, int] = self._local.get_log_data_for_type(
                log_key, io_type, offset, max_bytes
            )
            return data
        content = self._objects.get(_key(log_key, io_type))
        if content is None:
            return None, offset
        part = content.data[offset : None if max_bytes is None else offset + max_bytes]
        return part, offset + len(part)

    def get_log_keys_for_log_key_prefix(
        self, log_key_prefix: Sequence[str], io_type: ComputeIOType
    ) -> Sequence[list[str]]:
        """Keys of the objects directly below the prefix."""
        extension = f".{IO_TYPE_EXTENSION[io_type]}"
        depth = len(log_key_prefix) + 1
        keys = (each.key.split("/")[1:] for each in self._objects.list(_prefix(log_key_prefix)))
        return [
            [*key[:-1], key[-1].removesuffix(extension)]
            for key in sorted(keys)
            if len(key) == depth and key[-1].endswith(extension)
        ]

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Remove the output of one step, or all output below a prefix, here and in the store."""
        self._local.delete_logs(log_key, prefix)
        if log_key:
            self._objects.delete([_key(log_key, io_type) for io_type in STREAMS])
        elif prefix:
            self._objects.delete_all(_prefix(prefix))

    def download_url_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> None:
        """None: the UI shows the output; the object is not public."""
        return

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        """The object's address, for the UI."""
        return f"{self._objects.name}/{_key(log_key, io_type)}"

    def on_subscribe(self, subscription: CapturedLogSubscription) -> None:
        self._subscriptions.add_subscription(subscription)

    def on_unsubscribe(self, subscription: CapturedLogSubscription) -> None:
        self._subscriptions.remove_subscription(subscription)

    def dispose(self) -> None:
        self._subscriptions.dispose()
        self._local.dispose()

    def _upload_file_obj(
        self, data: IO[bytes], log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        self._objects.put(_key(log_key, io_type), data.read())

    def _on_capture_complete(self, log_key: Sequence[str]) -> None:
        try:
            super()._on_capture_complete(log_key)
        except MedkgError as error:
            structlog.get_logger(__name__).warning(
                "run output not uploaded", code=error.code, message=error.message, kept=list(log_key)
            )


def _prefix(parts: Sequence[str]) -> str:
    return "/".join((RUN_OUTPUT, *parts))


def _key(log_key: Sequence[str], io_type: ComputeIOType) -> str:
    return f"{_prefix(log_key)}.{IO_TYPE_EXTENSION[io_type]}"
