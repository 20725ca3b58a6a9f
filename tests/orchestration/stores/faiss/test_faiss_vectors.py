"""The vector store in files passes the suite; it reports damaged, unwritable and half-written segments."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import TENANT
from medkg.testing.vector_store_suite import (
    ANY,
    EAST,
    MODEL,
    NORTH,
    VectorStoreSuite,
    a_row,
    everything,
    found,
    unit,
)
from orchestration.errors import ConfigurationError, StoreCorruptError, StoreUnwritableError
from orchestration.stores.faiss.vectors import FaissVectors
from orchestration.stores.file_names import file_name


@pytest.fixture
def store(tmp_path: Path) -> FaissVectors:
    return FaissVectors(tmp_path)


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], FaissVectors]:
    return lambda: FaissVectors(tmp_path)


class TestFaissVectors(VectorStoreSuite):
    pass


def the_segment(folder: Path, intent_id: str = "i1") -> Path:
    (path,) = folder.rglob(f"{intent_id}.segment")
    return path


@pytest.mark.parametrize("place", [0, 20, 45, 200, -1])
def test_a_damaged_byte_anywhere_is_reported_with_the_file(
    store: FaissVectors, tmp_path: Path, place: int
) -> None:
    store.write(TENANT, MODEL, "i1", [a_row("1"), a_row("2")], np.stack([EAST, NORTH]))
    store.write(TENANT, MODEL, "i2", [a_row("3")], EAST[None])
    path = the_segment(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match=str(path)):
        store.search(TENANT, MODEL, EAST, 9, ANY, everything)
    assert list(store.damaged(TENANT)) == ["i1"]
    assert [holding.intent_id for holding in store.holdings(TENANT)] == ["i2"]
    store.discard(TENANT, "i1", [a_row("1").key])
    assert list(store.damaged(TENANT)) == ["i1"]
    store.write(TENANT, MODEL, "i1", [a_row("1")], NORTH[None])
    assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["3", "1"]


@pytest.mark.parametrize("length", [0, 7, 39, 41, 100])
def test_a_cut_segment_is_reported(store: FaissVectors, tmp_path: Path, length: int) -> None:
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    os.truncate(the_segment(tmp_path), length)
    with pytest.raises(StoreCorruptError, match="damaged"):
        store.search(TENANT, MODEL, EAST, 9, ANY, everything)


def test_a_half_written_segment_of_a_killed_process_is_not_seen_and_goes_with_its_intent(
    store: FaissVectors, tmp_path: Path
) -> None:
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    partial = the_segment(tmp_path).with_name("i2.partial")
    partial.write_bytes(b"MEDKGVEC and then the power went")
    assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1"]
    assert store.damaged(TENANT) == {}
    store.discard(TENANT, "i2")
    assert not partial.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FaissVectors(tmp_path / "file" / "vectors")
    with pytest.raises(StoreUnwritableError, match="data-dir"):
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])


def test_a_full_disk_is_reported_and_leaves_nothing(store: FaissVectors, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    partial = the_segment(tmp_path).with_name("i2.partial")
    partial.symlink_to("/dev/full")
    with pytest.raises(StoreUnwritableError, match=r"No space left.*Free space"):
        store.write(TENANT, MODEL, "i2", [a_row("2")], NORTH[None])
    assert not partial.is_symlink()
    assert found(store.search(TENANT, MODEL, EAST, 9, ANY, everything)) == ["1"]


def test_a_query_of_another_models_size_is_reported(store: FaissVectors) -> None:
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    with pytest.raises(ConfigurationError, match="3 dimensions"):
        store.search(TENANT, MODEL, unit([1, 0, 0])[0], 9, ANY, everything)


@given(name=st.text(min_size=1), other=st.text(min_size=1))
def test_two_names_never_share_a_file_and_none_leaves_its_folder(name: str, other: str) -> None:
    assert (file_name(name) == file_name(other)) == (name == other)
    assert "/" not in file_name(name)
    assert not file_name(name).startswith(".")
    assert len(file_name(name).encode()) < 200


def test_plain_names_stay_as_they_are() -> None:
    assert [file_name(name) for name in ("default", "all-MiniLM@1a2b")] == ["default", "all-MiniLM@1a2b"]


def test_a_damaged_segment_is_not_read_but_named(store: FaissVectors, tmp_path: Path) -> None:
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    path = the_segment(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreCorruptError, match=r"i1\.segment"):
        store.vectors(TENANT, MODEL, "i1")
