"""A full disk is named as that, with path and next step, wherever it strikes."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from medkg.testing.builders import a_chunk, a_context, a_document
from orchestration.assembly import Assembly
from orchestration.contracts import VectorRow, chunk_facets, lift
from orchestration.disk_space import is_full, unwritable_disk
from orchestration.errors import StageFailedError, StoreUnwritableError
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.orchestration.small_disk import fill, read_only, small_disk

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
def assembly(disk: Path) -> Iterator[Assembly]:
    """A data folder on a small disk."""
    assembly = Assembly(load_settings(data_dir=disk / "data"))
    yield assembly
    assembly.close()


# --- recognised -------------------------------------------------------------------------------------


def wrapped(error: Exception) -> Exception:
    try:
        raise RuntimeError("the library failed") from error
    except RuntimeError as raised:
        return raised


def sqlite_full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize(
    "error",
    [
        NO_SPACE,
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        wrapped(NO_SPACE),
        sqlite_full(),
        OperationalError("INSERT", None, sqlite_full()),
        RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)"),
    ],
    ids=["no space", "quota", "from a library", "SQLite", "SQLAlchemy", "quoted"],
)
def test_a_full_disk_is_recognised_below_other_errors(error: Exception, tmp_path: Path) -> None:
    named = unwritable_disk(error, tmp_path / "data" / "ledger.sqlite")
    assert named is not None
    assert named.message.startswith(
        f"{tmp_path / 'data' / 'ledger.sqlite'} cannot be written: No space left on device, the disk of "
    )
    assert f"the disk of {tmp_path} is full" in named.message
    assert "Free space there" in named.message


def test_the_file_that_the_error_names_comes_before_the_paths_that_may_have_been_written(
    tmp_path: Path,
) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "log"))
    named = unwritable_disk(error, "/elsewhere")
    assert named is not None and named.message.startswith(f"{tmp_path / 'log'} cannot be written")


@pytest.mark.parametrize(
    "error",
    [ValueError("wrong"), OSError(errno.EACCES, "Permission denied"), FileNotFoundError(2, "No such file")],
)
def test_other_errors_are_none_of_a_full_disk(error: Exception, tmp_path: Path) -> None:
    assert unwritable_disk(error, tmp_path) is None


def test_sqlite_s_ambiguous_errors_are_judged_by_the_disk(disk: Path, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | (12 << 8)
    assert unwritable_disk(error, tmp_path, disk) is None
    fill(disk)
    named = unwritable_disk(error, tmp_path, disk / "ledger.sqlite")
    assert named is not None and f"the disk of {disk} is full (0.0 MB" in named.message


def test_a_disk_without_inodes_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m", inodes=4) as folder:
        assert not is_full(folder)
        with pytest.raises(OSError, match="No space left") as raised:
            for number in range(9):
                (folder / str(number)).touch()
        assert is_full(folder)
        named = unwritable_disk(raised.value)
        assert named is not None and "no inodes" in named.message


# --- where it strikes -------------------------------------------------------------------------------


def write_ledger(assembly: Assembly) -> None:
    for number in range(200):
        keys = [a_context(f"{number}-{n}").key for n in range(50)]
        assembly.ledger.commits.open_intent("default", "owner", keys)


def write_search(assembly: Assembly) -> None:
    for number in range(200):
        chunks = [(a_context(f"d{n}").key, a_chunk(a_document(f"d{n}"))) for n in range(50)]
        assembly.stores.search.write("default", f"intent-{number}", chunks, None)


def write_vectors(assembly: Assembly) -> None:
    chunk, key = a_chunk(), a_context().key
    for number in range(200):
        rows = [VectorRow(key, f"{number}-{n}", chunk_facets(key, chunk)) for n in range(50)]
        dense = np.zeros((50, 64), dtype=np.float32)
        assembly.stores.vectors.write("default", "model", f"intent-{number}", rows, dense)


def write_objects(assembly: Assembly) -> None:
    for number in range(200):
        assembly.objects.put(f"artifacts/{number}", b"x" * 50_000)


@pytest.mark.parametrize("write", [write_ledger, write_search, write_vectors, write_objects])
def test_every_store_names_the_full_disk(
    assembly: Assembly, disk: Path, write: Callable[[Assembly], None]
) -> None:
    with pytest.raises(StoreUnwritableError, match=r"the disk of .* is full .*Free space there") as raised:
        write(assembly)
    assert str(disk) in raised.value.message


@pytest.mark.parametrize("command", [["status"], ["up"], ["run", "auto", "--path", "."], ["doctor"]])
def test_a_command_on_a_full_disk_ends_with_exit_code_3_and_names_it(disk: Path, command: list[str]) -> None:
    fill(disk)
    text = str(Medkg(disk / "data")(*command, expect=3))
    assert f"the disk of {disk}" in text


@pytest.mark.parametrize(
    "command",
    [["status"], ["docs", "list"], ["dlq", "list"], ["search", "aspirin"], ["run", "auto", "--path", "."]],
)
def test_a_command_on_read_only_media_names_the_file_system_not_the_free_space(
    tmp_path: Path, command: list[str]
) -> None:
    with small_disk(tmp_path / "media", "8m") as media:
        medkg = Medkg(media / "data")
        (tmp_path / "a.md").write_text("# Aspirin")
        medkg("submit", "auto", "--path", str(tmp_path / "a.md"))
        with read_only(media):
            message = medkg(*command, expect=3)["error"]["message"]
    assert f"{media / 'data' / 'ledger.sqlite'} is on a read-only file system ({media})" in message
    assert "Mount it writable, or name another folder" in message
    assert "free space" not in message


def test_an_error_of_a_writable_disk_is_none_of_a_read_only_one(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    assert unwritable_disk(error, tmp_path) is None


class Scratch:
    """A stage that writes a temporary file."""

    def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError

    def execute(self, ctx: Any, value: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "/var/scratch/page.png")


class OneByOne:
    execute = Scratch.execute


def test_a_stage_that_meets_a_full_disk_makes_no_dead_letter() -> None:
    (outcome,) = lift(OneByOne()).execute_batch([(a_context(), b"")])
    assert isinstance(outcome, StoreUnwritableError)
    assert outcome.message.startswith(
        "/var/scratch/page.png cannot be written: No space left on device, the disk of /var"
    )
    assert not isinstance(outcome, StageFailedError)
