"""The segments of one namespace as files of this machine: a copy of what the object store holds.

Comes in: a prefix of the object store and a folder. Leaves: the folder with the same segments, whole, which
is then searched like any other. The store has a marker whose content changes after every change of a segment;
while it is the one that the folder was made by, a reader asks no more. The folder may be deleted at any time.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from orchestration.contracts import ObjectStore
from orchestration.errors import StoreCorruptError, StoreUnwritableError
from orchestration.records import Record
from orchestration.stores.faiss.segments import SUFFIX, changing, read_segment

__all__ = ["Mirror", "publish_change", "publish_erasure"]

CHANGED: Final = "changed"
ERASED: Final = "erased"
STATE: Final = "mirrored.json"
AT_ONCE: Final = 8
"""Segments that are fetched side by side."""


class _Mirrored(Record):
    """What the folder was made by."""

    marker: str = Field(default="", description="Content of the store's marker, read before the listing.")
    versions: Mapping[str, str] = Field(default_factory=dict, description="Of each segment's object.")
    erased: str = Field(default="", description="Version of the mark of the newest erasure.")
    forgotten: str = Field(default="", description="That which the derived index here was rid of.")


def publish_change(objects: ObjectStore, prefix: str) -> None:
    """Make every reader check the folder again; called when the changed segment is durable."""
    objects.put(f"{prefix}/{CHANGED}", uuid.uuid4().hex.encode())


def publish_erasure(objects: ObjectStore, prefix: str) -> None:
    """Have every machine rid its derived index of what is no segment any more."""
    objects.put(f"{prefix}/{ERASED}", uuid.uuid4().hex.encode())
    publish_change(objects, prefix)


class Mirror:
    """A namespace's folder; any number of threads and processes may follow at once."""

    def __init__(self, objects: ObjectStore, prefix: str, folder: Path) -> None:
        self._objects = objects
        self._prefix = prefix
        self._folder = folder
        self._followed: str | None = None

    def follow(self, *, certainly: bool = False) -> None:
        """Make the folder hold at least what was written before this call.

        `certainly`: compare with the store whatever the marker says. Raises StoreUnwritableError when the
        folder cannot be written, and what the object store raises.
        """
        marker = self._marker()
        known = marker == self._followed and (self._folder / STATE).exists()
        if not certainly and (known or (not marker and not self._folder.exists())):
            return
        with changing(self._folder):
            previous = self._state()
            marker = self._marker()  # it may have changed while we waited for the folder
            if certainly or previous.marker != marker:
                self._write(self._made(previous, marker))
            self._followed = marker

    def renew(self) -> None:
        """Fetch the segments again whose files here are damaged."""
        with changing(self._folder):
            damaged = {path.name for path in self._folder.glob(f"*{SUFFIX}") if _is_damaged(path)}
            state = self._state()
            sound = {name: version for name, version in state.versions.items() if name not in damaged}
            self._write(self._made(state.model_copy(update={"versions": sound}), self._marker()))

    @property
    def has_to_forget(self) -> bool:
        """Whether something was erased since the derived index here was last rid of what is gone."""
        state = self._state()
        return state.erased != state.forgotten

    def forgot(self) -> None:
        """The derived index here holds nothing any more that was gone at the last `follow`."""
        if self.has_to_forget:
            with changing(self._folder):
                state = self._state()
                self._write(state.model_copy(update={"forgotten": state.erased}))

    def _made(self, previous: _Mirrored, marker: str) -> _Mirrored:
        """Fetch what is new, remove what is gone; for who has the folder alone."""
        listed = {stored.key.rsplit("/", 1)[1]: stored.version for stored in self._objects.list(self._prefix)}
        wanted = {name: version for name, version in listed.items() if name.endswith(SUFFIX)}
        here = {path.name for path in self._folder.glob(f"*{SUFFIX}*")}  # and copies that were interrupted
        unchanged = {
            name: version
            for name, version in wanted.items()
            if name in here and previous.versions.get(name) == version
        }
        self._remove(sorted(here - wanted.keys()))
        fetched = self._fetched(sorted(wanted.keys() - unchanged.keys()))
        erased = listed.get(ERASED, "")
        return _Mirrored(
            marker=marker, versions={**unchanged, **fetched}, erased=erased, forgotten=previous.forgotten
        )

    def _fetched(self, names: Sequence[str]) -> dict[str, str]:
        """Versions of the segments that were still there."""

        def fetch(name: str) -> str | None:
            return self._objects.fetch(f"{self._prefix}/{name}", self._folder / name)

        with ThreadPoolExecutor(AT_ONCE) as requests:
            versions = dict(zip(names, requests.map(fetch, names), strict=True))
        self._remove([name for name, version in versions.items() if version is None])
        return {name: version for name, version in versions.items() if version is not None}

    def _marker(self) -> str:
        content = self._objects.get(f"{self._prefix}/{CHANGED}")
        return "" if content is None else content.data.decode()

    def _state(self) -> _Mirrored:
        try:
            return _Mirrored.model_validate_json((self._folder / STATE).read_bytes())
        except (FileNotFoundError, ValidationError):  # all is fetched again
            return _Mirrored()

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def _write(self, state: _Mirrored) -> None:
        path = self._folder / STATE
        partial = path.with_suffix(f".{os.getpid()}")
        try:
            partial.write_text(state.model_dump_json(), encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise StoreUnwritableError(
                f"{path} cannot be written: {error.strerror}. Free space or set its permissions, or choose "
                "another --data-dir."
            ) from error


def _is_damaged(path: Path) -> bool:
    try:
        read_segment(path)
    except StoreCorruptError:
        return True
    except FileNotFoundError:
        return False
    return False
