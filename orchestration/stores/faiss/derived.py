"""The derived index of a namespace: its segments merged into few mapped files, with an approximate index.

Everything here can be made again from the segments and may be deleted at any time, by whole folders too.
Comes in: a folder of segments. Leaves: the newest generation, mapped and checked, or nothing. A build writes
a generation's files beside the previous one's, flushes them, and replaces the manifest, which names them; so
a crash leaves the previous one. One process at a time builds; no reader waits for it.

Files: manifest.json; GENERATION.vectors (float32 [n, d], little-endian), .rows (an Arrow IPC stream), .faiss
(unless the kind is flat). What the manifest covers and is a segment no more is for readers to leave out.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from pydantic import Field, ValidationError

from orchestration.errors import StoreCorruptError
from orchestration.records import Float32Matrix, Record
from orchestration.stores.faiss.approximate import (
    Approximate,
    Effort,
    Kind,
    built,
    kind_for,
    opened,
    threads,
    tuned,
)
from orchestration.stores.faiss.rows import Rows, joined, mapped_rows, write_table
from orchestration.stores.faiss.segments import Mark, marks_in, read_segment, rows_in
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.flushing import flush

__all__ = ["Derived", "Manifest", "build", "due", "load", "manifest_mark", "set_aside"]

FOLDER: Final = "derived"
MANIFEST: Final = "manifest.json"
GROWTH: Final = 2.0
"""A quantiser that was trained on less than one part in so many is trained again."""

logger = structlog.get_logger(__name__)


class Manifest(Record):
    """What a generation covers, in the order of its rows."""

    generation: str = Field(description="Names its files.")
    kind: Kind = Field(description="How it is searched.")
    dimensions: int = Field(ge=1, description="Of its vectors.")
    segments: tuple[tuple[str, int, int], ...] = Field(description="Marks of the segments covered.")
    counts: tuple[int, ...] = Field(description="Rows of each.")
    files: Mapping[str, str] = Field(description="sha256 by suffix.")
    trained_rows: int = Field(ge=0, description="Rows when its quantiser was trained.")
    depth: int = Field(default=0, description="efSearch or nprobe.")
    widening: int = Field(default=0, description="Candidates a hit that are compared exactly.")
    recall: float = Field(default=1.0, description="Of the ten nearest, measured when it was built.")

    @property
    def rows(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Derived:
    """A generation, mapped: row i of `dense` (float32 [n, d]) is what row i of `rows` stands for."""

    manifest: Manifest
    rows: Rows
    dense: Float32Matrix
    approximate: Approximate | None


def manifest_mark(folder: Path) -> Mark | None:
    """Identifies the current generation of the namespace's folder; None when there is none."""
    try:
        status = os.stat(f"{folder}/{FOLDER}/{MANIFEST}")  # noqa: PTH116 - every search asks
    except FileNotFoundError:
        return None
    return MANIFEST, status.st_ino, status.st_mtime_ns


def load(folder: Path) -> Derived | None:
    """The newest generation, checked; None when there is none. Raises StoreCorruptError naming the file."""
    manifest = _manifest(folder)
    while manifest is not None:
        try:
            return _loaded(folder / FOLDER, manifest)
        except FileNotFoundError as error:
            newest = _manifest(folder)
            if newest == manifest:
                raise _damaged(Path(error.filename), "it is not there") from error
            manifest = newest  # another process has built one meanwhile
    return None


def set_aside(folder: Path) -> None:
    """Forget a generation that is damaged, so that the next compaction builds one."""
    (folder / FOLDER / MANIFEST).unlink(missing_ok=True)


def due(folder: Path, sizes: IndexSizes, *, forget: bool) -> bool:
    """Whether enough is new or gone; `forget`: whether anything that is gone is still in the files."""
    try:
        present = marks_in(folder)
        manifest = _manifest(folder)
    except FileNotFoundError:
        return False
    except StoreCorruptError:
        return True
    covered = {} if manifest is None else dict(zip(manifest.segments, manifest.counts, strict=True))
    new = sum(rows_in(folder / mark[0]) for mark in present - covered.keys())
    gone = sum(count for mark, count in covered.items() if mark not in present)
    enough = max(sizes.build_rows, sizes.build_share * sum(covered.values()))
    return new >= enough or gone >= enough or (forget and gone > 0)


def build(folder: Path, sizes: IndexSizes, *, forget: bool) -> bool:
    """Make a generation of the segments there are, if one is due; False if not, or if another builds now.

    `forget` waits for the other, and removes what a build that was killed left. Damaged segments, and those
    of other dimensions than the first, are left for the search to report.
    """
    derived = folder / FOLDER
    if forget and not derived.is_dir():
        return False
    if not forget and not due(folder, sizes, forget=False):
        return False
    derived.mkdir(exist_ok=True)
    with _alone(derived, wait=forget) as alone:
        if not alone:
            return False
        if not due(folder, sizes, forget=forget):
            manifest = _manifest(folder)
            _remove_files(derived, () if manifest is None else (manifest.generation,))
            return False
        previous = _previous(folder, sizes, forget=forget)
        _remove_files(derived, () if previous is None else (previous.manifest.generation,))
        with threads(sizes.build_threads):
            manifest = _written(folder, previous, sizes)
        _publish(derived, manifest)
        if manifest is not None:
            logger.info(
                "vectors_compacted",
                folder=str(folder),
                kind=manifest.kind,
                rows=manifest.rows,
                recall=round(manifest.recall, 3),
            )
    return True


# --- reading --------------------------------------------------------------------------------------------


def _manifest(folder: Path) -> Manifest | None:
    path = folder / FOLDER / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise _damaged(path, "it is no manifest") from error


def _loaded(folder: Path, manifest: Manifest) -> Derived:
    for suffix, digest in manifest.files.items():
        path = _path(folder, manifest.generation, suffix)
        if _digest(path) != digest:
            raise _damaged(path, "its checksum is wrong")
    dense = _mapped(_path(folder, manifest.generation, "vectors"), manifest.dimensions)
    approximate = None
    if manifest.kind != "flat":
        effort = Effort(manifest.depth, manifest.widening, manifest.recall)
        index = opened(_path(folder, manifest.generation, "faiss"))
        approximate = Approximate(index, manifest.kind, effort)
    return Derived(manifest, mapped_rows(_path(folder, manifest.generation, "rows")), dense, approximate)


def _path(folder: Path, generation: str, suffix: str) -> Path:
    return folder / f"{generation}.{suffix}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mapped(path: Path, dimensions: int) -> Float32Matrix:
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, dtype="<f4").reshape(-1, dimensions)


def _damaged(path: Path, how: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"vector index {path} is damaged: {how}. It is set aside, and built again from the segments."
    )


# --- building -------------------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether no other process builds here (with `wait`: any more); none will until this is left."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _previous(folder: Path, sizes: IndexSizes, *, forget: bool) -> Derived | None:
    """The generation to be extended; None when all is to be built again."""
    try:
        previous = load(folder)
    except StoreCorruptError as error:
        logger.warning("vector_index_damaged", reason=error.message)
        return None
    if previous is None:
        return None
    present = marks_in(folder)
    covered = zip(previous.manifest.segments, previous.manifest.counts, strict=True)
    gone = sum(count for mark, count in covered if mark not in present)
    allowed = 0 if forget else min(sizes.build_rows, sizes.build_share * previous.manifest.rows)
    return previous if gone <= allowed else None


def _written(folder: Path, previous: Derived | None, sizes: IndexSizes) -> Manifest | None:
    """The files of a new generation, on disk; None when no segment is left to cover."""
    generation = uuid.uuid4().hex
    derived = folder / FOLDER
    segments, counts, rows = _merged(folder, previous, _path(derived, generation, "vectors"))
    if not sum(counts):
        return None
    write_table(joined(rows, whole=True), _path(derived, generation, "rows"))
    dense = _mapped(_path(derived, generation, "vectors"), _dimensions(derived, generation, sum(counts)))
    kind = kind_for(len(dense), dense.shape[1], sizes)
    effort, trained_rows = Effort(0, 0, 1.0), 0
    if kind != "flat":
        extends, trained_rows = _extended(derived, previous, kind, len(dense))
        effort = _approximate(kind, dense, extends, _path(derived, generation, "faiss"), sizes)
    suffixes = ("vectors", "rows") if kind == "flat" else ("vectors", "rows", "faiss")
    paths = {suffix: _path(derived, generation, suffix) for suffix in suffixes}
    for path in paths.values():
        flush(path)
    return Manifest(
        generation=generation,
        kind=kind,
        dimensions=dense.shape[1],
        segments=tuple(segments),
        counts=tuple(counts),
        files={suffix: _digest(path) for suffix, path in paths.items()},
        trained_rows=trained_rows,
        depth=effort.depth,
        widening=effort.widening,
        recall=effort.recall,
    )


def _merged(
    folder: Path, previous: Derived | None, vectors: Path
) -> tuple[list[Mark], list[int], list[Rows]]:
    """Write the vectors of the previous generation and of what is new after them; what they stand for."""
    segments = [] if previous is None else list(previous.manifest.segments)
    counts = [] if previous is None else list(previous.manifest.counts)
    rows = [] if previous is None else [previous.rows]
    dimensions = None if previous is None else previous.manifest.dimensions
    if previous is not None:
        shutil.copyfile(_path(folder / FOLDER, previous.manifest.generation, "vectors"), vectors)
    with vectors.open("ab") as file:
        for mark in sorted(marks_in(folder) - set(segments)):
            try:
                segment = read_segment(folder / mark[0])
            except FileNotFoundError:  # discarded by another process just now
                continue
            except StoreCorruptError as error:
                logger.warning("vector_segment_left_out", reason=error.message)
                continue
            dimensions = dimensions or segment.dense.shape[1]
            if segment.dense.shape[1] == dimensions:
                file.write(segment.dense.data)
                segments.append(mark)
                counts.append(len(segment.rows))
                rows.append(segment.rows)
    return segments, counts, rows


def _dimensions(derived: Path, generation: str, rows: int) -> int:
    return _path(derived, generation, "vectors").stat().st_size // 4 // rows


def _extended(derived: Path, previous: Derived | None, kind: Kind, rows: int) -> tuple[Path | None, int]:
    """The index file that the new one goes on from, if any, and how many rows its quantiser has seen."""
    if previous is None or previous.manifest.kind != kind or rows > GROWTH * previous.manifest.trained_rows:
        return None, rows
    return _path(derived, previous.manifest.generation, "faiss"), previous.manifest.trained_rows


def _approximate(
    kind: Kind, dense: Float32Matrix, extends: Path | None, path: Path, sizes: IndexSizes
) -> Effort:
    """Build the index, write it, and measure the effort that it needs."""
    import faiss

    index = built(kind, dense, extends)
    faiss.write_index(index, str(path))
    return tuned(index, kind, dense, sizes.recall)


def _publish(derived: Path, manifest: Manifest | None) -> None:
    """Make it the newest generation, durably, and remove the previous one's files."""
    path = derived / MANIFEST
    if manifest is None:
        path.unlink(missing_ok=True)
    else:
        flush(derived)
        partial = derived / f"{manifest.generation}.manifest"
        partial.write_text(manifest.model_dump_json(), encoding="utf-8")
        flush(partial)
        partial.replace(path)
    flush(derived)
    _remove_files(derived, () if manifest is None else (manifest.generation,))


def _remove_files(derived: Path, generations: Sequence[str]) -> None:
    """Everything but the manifest and these generations; readers keep what they have mapped."""
    for path in derived.iterdir():
        if path.name != MANIFEST and path.stem not in generations:
            path.unlink(missing_ok=True)
