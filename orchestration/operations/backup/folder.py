"""A copy on disk: a folder of Parquet files and, written last, the manifest that makes it whole.

Comes in: files, one after the other. Leaves: a Manifest whose every file was checked against its sha256. What
has no manifest was interrupted: it is refused by readers, and may be written again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, field_validator

from orchestration.disk_space import unwritable_named
from orchestration.errors import CopyUnusableError, UsageError
from orchestration.records import Record
from orchestration.stores.flushing import flush

__all__ = ["VOCABULARIES", "CopyFile", "CopyFolder", "Manifest", "TenantCopy", "read_copy"]

FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
PARTIAL: Final = ".partial"
VOCABULARIES: Final = "vocabularies"
"""Folder of a copy with indexes of vocabularies, NAME.sqlite."""

HASHED_AT_ONCE: Final = 1 << 20

Kind = Literal["medkg-export", "medkg-backup"]


class CopyFile(Record):
    """One file of a copy: Parquet, or the index of a vocabulary."""

    path: str = Field(description="Within the folder, with '/'.")
    rows: int = Field(ge=0, description="Rows it holds.")
    bytes: int = Field(ge=0, description="Its size.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(description="Of its bytes.")

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        is_vocabulary = path.suffix == ".sqlite" and path.parent.as_posix() == VOCABULARIES
        if path.is_absolute() or ".." in path.parts or not (is_vocabulary or path.suffix == ".parquet"):
            raise ValueError("a file of a copy is a .parquet file, or a vocabulary, inside its folder")
        return value


class TenantCopy(Record):
    """What a copy holds of one tenant."""

    documents: int = Field(ge=0, description="Documents.")
    chunks: int = Field(ge=0, description="Their chunks.")
    dense_models: tuple[str, ...] = Field(description="Models of their vectors.")
    sparse_models: tuple[str, ...] = Field(description="Models of their terms.")
    parts: int = Field(ge=1, description="Parts that were written one after the other; the last one counts.")


class Manifest(Record):
    """What a copy is; written when all of it is there."""

    format: Kind = Field(description="An export of a tenant, or a backup of everything.")
    format_version: int = Field(ge=1, description="Raised when files change their meaning.")
    medkg: str = Field(description="Version of medkg that wrote it.")
    made_at: str = Field(description="ISO 8601, UTC.")
    settings: dict[str, str] = Field(description="Settings of the data folder that shaped it.")
    ledger_schema: str = Field(description="Newest migration of the ledger it was taken from.")
    vocabularies: dict[str, str] = Field(
        default_factory=dict, description="Fingerprint of each vocabulary that linked mentions, by name."
    )
    tenants: dict[str, TenantCopy] = Field(description="By tenant.")
    files: tuple[CopyFile, ...] = Field(description="Every file.")


class CopyFolder:
    """A copy that is being written."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        """Begin in an empty folder, or again in one whose copy was interrupted; else UsageError."""
        self.folder = folder
        self._kind = kind
        self._files: dict[str, CopyFile] = {}
        _make_room(folder)

    @contextmanager
    def file(self, path: str) -> Iterator[tuple[Path, list[int]]]:
        """Where to write a file, and a list that takes the numbers of its rows; it is in place afterwards."""
        target = self.folder / path
        partial = target.with_name(target.name + PARTIAL)
        with unwritable_named(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            rows: list[int] = []
            yield partial, rows
            flush(partial)
            size, digest = partial.stat().st_size, _sha256(partial)
            partial.replace(target)
        self._files[path] = CopyFile(path=path, rows=sum(rows), bytes=size, sha256=digest)

    def finish(
        self,
        settings: Mapping[str, str],
        ledger_schema: str,
        tenants: Mapping[str, TenantCopy],
        vocabularies: Mapping[str, str],
    ) -> Manifest:
        """Write the manifest: from now on the copy counts. Durable when it returns."""
        manifest = Manifest(
            format=self._kind,
            format_version=FORMAT_VERSION,
            medkg=version("medkg"),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            settings=dict(settings),
            ledger_schema=ledger_schema,
            vocabularies=dict(vocabularies),
            tenants=dict(tenants),
            files=tuple(self._files[path] for path in sorted(self._files)),
        )
        target = self.folder / MANIFEST
        partial = target.with_name(MANIFEST + PARTIAL)
        with unwritable_named(target):
            partial.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            flush(partial)
            partial.replace(target)
            flush(self.folder)
        return manifest


def read_copy(folder: Path, kind: Kind) -> Manifest:
    """The manifest of a copy all of whose files are there, whole.

    Raises CopyUnusableError naming the file and the cause, UsageError for a folder that is not there.
    """
    manifest = _manifest(folder, kind)
    for file in manifest.files:
        path = folder / file.path
        try:
            whole = path.stat().st_size == file.bytes and _sha256(path) == file.sha256
        except OSError as error:
            raise CopyUnusableError(
                f"{path} of the copy cannot be read: {error.strerror}. Nothing was taken of it; copy the "
                "folder again, all of it."
            ) from error
        if not whole:
            raise CopyUnusableError(
                f"{path} is not what {MANIFEST} says (size or sha256): it is truncated or damaged. Nothing "
                "was taken of it; copy the folder again, or make a new copy."
            )
    return manifest


def _manifest(folder: Path, kind: Kind) -> Manifest:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; name one that `medkg {_command(kind)}` wrote.")
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        written_kind, written_version = written["format"], int(written["format_version"])
    except FileNotFoundError as error:
        raise CopyUnusableError(
            f"{folder} has no {MANIFEST}: its writing was interrupted, or it is no copy. Run "
            f"`medkg {_command(kind)}` to the end."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CopyUnusableError(f"{path} is not the manifest of a copy: {error!r}.") from error
    if written_kind != kind:
        other = {"medkg-export": "medkg import", "medkg-backup": "medkg restore"}.get(written_kind)
        hint = f"`{other}` takes it" if other else "it was not written by medkg"
        raise CopyUnusableError(f"{folder} holds {written_kind!r}, not {kind!r}; {hint}.")
    if written_version > FORMAT_VERSION:
        raise CopyUnusableError(
            f"{folder} was written in format {written_version}; this medkg knows {FORMAT_VERSION}. Install "
            f"medkg {written.get('medkg', 'of a newer version')}."
        )
    try:
        return Manifest.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        raise CopyUnusableError(
            f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error


def _command(kind: Kind) -> str:
    return {"medkg-export": "export", "medkg-backup": "backup"}[kind]


def _make_room(folder: Path) -> None:
    """Make the folder, or empty it of a copy that was interrupted."""
    if (folder / MANIFEST).exists():
        raise UsageError(f"{folder} holds a whole copy already; name another folder, or remove that one.")
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    foreign = [path for path in paths if path.is_file() and not _of_copy(path)]
    if foreign or (folder.exists() and not folder.is_dir()):
        what = foreign[0] if foreign else folder
        raise UsageError(f"{what} is in the way; name an empty folder, or one that does not exist yet.")
    with unwritable_named(folder):
        for path in folder.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        folder.mkdir(parents=True, exist_ok=True)


def _of_copy(path: Path) -> bool:
    if path.parent.name == VOCABULARIES and path.name.endswith((".sqlite", f".sqlite{PARTIAL}")):
        return True
    return path.name.endswith((".parquet", f".parquet{PARTIAL}", f"{MANIFEST}{PARTIAL}"))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()
