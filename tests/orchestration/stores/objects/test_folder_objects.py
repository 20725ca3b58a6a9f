"""Objects in a folder pass the suite, are on disk before a write returns, and broken writes leave nothing."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medkg.testing.object_store_suite import ObjectStoreSuite, data, keys
from orchestration.contracts.objects import ObjectStore
from orchestration.errors import StoreUnwritableError
from orchestration.stores.objects.opening import open_objects


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "objects"


@pytest.fixture
def reopen(folder: Path) -> Callable[[], ObjectStore]:
    return lambda: open_objects(folder.as_uri())


@pytest.fixture
def store(reopen: Callable[[], ObjectStore]) -> ObjectStore:
    return reopen()


class TestFolderObjects(ObjectStoreSuite):
    pass


def test_an_object_is_a_file_under_its_key(store: ObjectStore, folder: Path) -> None:
    store.put("runs/a@1/b c.parquet", b"1")
    assert (folder / "runs/a@1/b c.parquet").read_bytes() == b"1"
    assert store.name == str(folder)


@pytest.mark.parametrize("write", ["put", "create", "replace"])
def test_an_object_is_on_disk_before_it_has_its_name_and_its_name_before_the_write_returns(
    store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    store.put("new/old", b"1")
    stored = store.get("new/old")
    assert stored is not None
    steps: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def seen_fsync(descriptor: int) -> None:
        steps.append("flush " + Path(f"/proc/self/fd/{descriptor}").readlink().name.split("#")[0])
        fsync(descriptor)

    def seen_rename(path: Path, target: Path) -> Path:
        steps.append(f"rename to {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_rename)
    if write == "replace":
        store.replace("new/old", b"2", stored.version)
        assert steps == ["flush old", "rename to old", "flush new"]
    else:
        getattr(store, write)("made/deep/a", b"2")
        folders = ["flush objects", "flush made"]
        assert steps == [*folders, "flush a", "rename to a", "flush deep"]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writes beyond it fail, as on a full disk."""
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, previous[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_is_interrupted_is_reported_and_leaves_what_was_there(
    store: ObjectStore, folder: Path
) -> None:
    store.put("a/b", b"old")
    with files_no_larger_than(1_000), pytest.raises(StoreUnwritableError, match=r"too large.*Free space"):
        store.put("a/b", b"x" * 100_000)
    assert data(store, "a/b") == b"old"
    assert [path.name for path in (folder / "a").iterdir()] == ["b"]


def test_a_half_written_file_of_a_killed_process_is_no_object(store: ObjectStore, folder: Path) -> None:
    store.put("a/b", b"1")
    (folder / "a" / "c#340282366920938463463374607431768211455").write_bytes(b"and then the power went")
    assert keys(store, "a") == ["a/b"]
    store.sweep("a")
    assert [path.name for path in (folder / "a").iterdir()] == ["b"]
    store.delete_all("a")
    assert not (folder / "a").exists()


def test_what_is_in_the_way_of_a_folder_is_reported(store: ObjectStore, folder: Path) -> None:
    (folder / "blocked").write_text("a file")
    with pytest.raises(StoreUnwritableError, match=f"{folder}.*MEDKG_OBJECTS_URL"):
        store.put("blocked/a", b"1")
    with pytest.raises(StoreUnwritableError, match="blocked"):
        open_objects((folder / "blocked" / "a").as_uri())
