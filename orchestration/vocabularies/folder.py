"""The vocabularies of a data folder: one index file each, added and replaced whole.

Comes in: files and names of vocabularies. Leaves: index files, and readers of them. Guarantees: a vocabulary
is there in its new form when `add` returns, and in its old form, or not at all, if `add` fails or is killed.
Readers keep what they opened until they open again. Several processes may add, remove and read at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestration.errors import UsageError
from orchestration.vocabularies.concepts import VocabularyConcept
from orchestration.vocabularies.curies import kinds_of_prefix
from orchestration.vocabularies.formats.detection import read_vocabulary
from orchestration.vocabularies.formats.reading import FileOptions
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.index_writing import VocabularyAbout, write_index

__all__ = ["State", "VocabularyFolder"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_SUFFIX: Final = ".sqlite"

State = tuple[tuple[str, int, int], ...]
"""Name, inode and time of change of each index file; another state: something was added or removed."""


class VocabularyFolder:
    """Index files in one folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self,
        file: Path,
        *,
        name: str | None = None,
        format_name: str = "auto",
        version: str | None = None,
        licence: str | None = None,
        options: FileOptions | None = None,
    ) -> VocabularyAbout:
        """Read a file and make it the vocabulary of this name; durable when it returns.

        Raises UsageError for a name or a format that cannot be, or concepts whose kinds are unknown;
        VocabularyUnreadableError with file and line; InputUnreadableError.
        """
        chosen = _checked(name or _name_of(file))
        stated = options or FileOptions()
        content = read_vocabulary(file, format_name, stated)
        concepts = _with_kinds(content.concepts, chosen)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked(chosen):
            unfinished = self._folder / f".{chosen}.unfinished"
            about = write_index(
                unfinished,
                concepts,
                version=version or content.version,
                name=chosen,
                format=content.format,
                file=file.name,
                licence=licence,
                left_out=dict(content.left_out),
            )
            unfinished.replace(self._path(chosen))
            self._sync()
        return about

    def copy(self, name: str, target: Path) -> VocabularyAbout:
        """Copy the index of a vocabulary to a file; one that is replaced meanwhile is copied as it was.

        Raises UsageError, StoreCorruptError and OSError.
        """
        index = self.open(name)
        try:
            with self._path(name).open("rb") as source, target.open("wb") as copied:
                shutil.copyfileobj(source, copied)
            return index.about
        finally:
            index.close()

    def take(self, name: str, file: Path) -> None:
        """Make a copied index the vocabulary of this name; durable when it returns.

        Raises UsageError for a name that cannot be, StoreCorruptError for a file that is no index.
        """
        chosen = _checked(name)
        VocabularyIndex.of_file(file).close()
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked(chosen):
            unfinished = self._folder / f".{chosen}.unfinished"
            shutil.copyfile(file, unfinished)
            with unfinished.open("rb") as copied:
                os.fsync(copied.fileno())
            unfinished.replace(self._path(chosen))
            self._sync()

    def remove(self, name: str) -> None:
        """Remove a vocabulary; raises UsageError for one that is not there."""
        if name not in self.names():
            raise UsageError(self._unknown(name))
        with self._locked(name):
            self._path(name).unlink(missing_ok=True)
            (self._folder / f".{name}.unfinished").unlink(missing_ok=True)
            self._sync()

    def names(self) -> list[str]:
        """Names of the vocabularies, sorted."""
        return [name for name, *_ in self.state()]

    def open(self, name: str) -> VocabularyIndex:
        """The index of a vocabulary; raises UsageError, StoreCorruptError."""
        if name not in self.names():
            raise UsageError(self._unknown(name))
        return VocabularyIndex.of_file(self._path(name))

    def state(self) -> State:
        """What is there; costs one listing of the folder."""
        try:
            entries = [entry for entry in os.scandir(self._folder) if _is_index(entry.name)]
            stats = [(entry.name.removesuffix(_SUFFIX), entry.stat()) for entry in entries]
        except FileNotFoundError:  # no folder, or a file that was removed meanwhile
            return self.state() if self._folder.is_dir() else ()
        return tuple(sorted((name, stat.st_ino, stat.st_mtime_ns) for name, stat in stats))

    def shape(self) -> dict[str, str]:
        """Checksum of each vocabulary by name: what shapes links; raises StoreCorruptError."""
        checksums = {}
        for name in self.names():
            index = self.open(name)
            about = index.about
            index.close()
            checksums[name] = hashlib.sha256(f"{about.checksum}/{about.names_version}".encode()).hexdigest()[
                :16
            ]
        return checksums

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _unknown(self, name: str) -> str:
        present = ", ".join(self.names()) or "none"
        return f"no vocabulary is called {name!r}; there are: {present}. `medkg vocabulary add` adds one."

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """One process at a time writes a vocabulary; the kernel unlocks it when the process ends."""
        with (self._folder / f".{name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_index(file_name: str) -> bool:
    return file_name.endswith(_SUFFIX) and not file_name.startswith(".")


def _name_of(file: Path) -> str:
    """A name from that of a file: mondo of mondo.obo.gz."""
    return re.sub(r"[^a-z0-9_-]+", "-", file.name.lower().split(".")[0]).strip("-_")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a vocabulary cannot be called {name!r}: use up to 40 of a-z, 0-9, dot, hyphen and underscore, "
            "e.g. --name mesh."
        )
    return name


def _with_kinds(concepts: Sequence[VocabularyConcept], name: str) -> list[VocabularyConcept]:
    """Concepts with the kinds of their prefix where the file says none; raises UsageError without any."""
    known = [each if each.kinds else replace(each, kinds=kinds_of_prefix(each.curie)) for each in concepts]
    unknown = next((each for each in known if not each.kinds), None)
    if unknown is not None:
        raise UsageError(
            f"of which kind are the concepts of {name}, e.g. {unknown.curie} ({unknown.name[:60]})? Name the "
            "kinds of mentions that they may be the concept of, e.g. --kind Condition."
        )
    return known
