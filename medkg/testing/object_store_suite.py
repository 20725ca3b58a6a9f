"""What every ObjectStore promises: whole objects under plain keys, one winner among many writers.

A test module subclasses ObjectStoreSuite and gives it a `store` fixture, and `reopen` for the same objects
as another process sees them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contracts.objects import ObjectStore
from orchestration.errors import RequestRejectedError, StoreUnwritableError

PARTS = st.text("abAB01_.~@%=+, -", min_size=1, max_size=12).filter(lambda part: part.strip(". ") == part)
KEYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def keys(store: ObjectStore, prefix: str) -> list[str]:
    return sorted(stored.key for stored in store.list(prefix))


def data(store: ObjectStore, key: str) -> bytes | None:
    content = store.get(key)
    return None if content is None else content.data


class ObjectStoreSuite:
    """Subclassed once an implementation."""

    # --- one object ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("content", [b"", bytes(range(256)), os.urandom(3_000_000)], ids=len)
    def test_an_object_comes_back_as_it_was(
        self, store: ObjectStore, reopen: Callable[[], ObjectStore], content: bytes
    ) -> None:
        store.put("a/b/c.parquet", content)
        assert data(store, "a/b/c.parquet") == data(reopen(), "a/b/c.parquet") == content

    def test_what_is_not_there_is_none(self, store: ObjectStore, tmp_path: Path) -> None:
        store.put("a/b/c", b"1")
        for key in ("a/b/d", "a/b", "a", "x/y"):
            assert store.get(key) is None
            assert store.fetch(key, tmp_path / "copy") is None
        assert not list(tmp_path.glob("copy*"))

    def test_putting_again_replaces_and_makes_another_version(self, store: ObjectStore) -> None:
        versions = []
        for content in (b"first", b"second", b"third"):
            store.put("a", content)
            stored_content = store.get("a")
            assert stored_content is not None
            assert stored_content.data == content
            versions.append(stored_content.version)
        assert len(set(versions)) == 3

    def test_an_object_is_made_once(self, store: ObjectStore) -> None:
        assert store.create("a/b", b"first")
        assert not store.create("a/b", b"second")
        assert data(store, "a/b") == b"first"
        store.delete(["a/b"])
        assert store.create("a/b", b"third")

    def test_only_the_version_that_was_read_is_replaced(self, store: ObjectStore) -> None:
        store.put("a", b"1")
        read = store.get("a")
        assert read is not None
        assert store.replace("a", b"2", read.version)
        assert not store.replace("a", b"3", read.version)
        assert data(store, "a") == b"2"
        store.delete(["a"])
        assert not store.replace("a", b"4", read.version)
        assert data(store, "a") is None

    def test_one_of_many_writers_wins(self, store: ObjectStore, reopen: Callable[[], ObjectStore]) -> None:
        store.put("counted", b"0")
        read = store.get("counted")
        assert read is not None

        def writes(number: int) -> tuple[bool, bool]:
            mine, content = reopen(), str(number + 1).encode()
            return mine.create("made", content), mine.replace("counted", content, read.version)

        with ThreadPoolExecutor(8) as pool:
            created, replaced = zip(*pool.map(writes, range(16)), strict=True)
        assert (created.count(True), replaced.count(True)) == (1, 1)
        assert data(store, "made") == str(created.index(True) + 1).encode()
        assert data(store, "counted") == str(replaced.index(True) + 1).encode()

    def test_a_reader_sees_a_whole_object_while_it_is_replaced(
        self, store: ObjectStore, reopen: Callable[[], ObjectStore]
    ) -> None:
        contents = {bytes([letter]) * 200_000 for letter in b"abcd"}
        store.put("a", min(contents))
        with ThreadPoolExecutor(2) as pool:
            writing = pool.map(lambda content: store.put("a", content), [*contents] * 5)
            reader = reopen()
            assert all(data(reader, "a") in contents for _ in range(40))
            list(writing)

    def test_an_object_is_copied_to_a_file(self, store: ObjectStore, tmp_path: Path) -> None:
        target = tmp_path / "here"
        target.mkdir()
        target /= "copy"
        for content in (b"old", os.urandom(2_000_000)):
            store.put("a", content)
            version = store.fetch("a", target)
            assert target.read_bytes() == content
        assert [stored.version for stored in store.list("a")] in ([], [version])
        assert [stored.name for stored in target.parent.iterdir()] == ["copy"]
        with pytest.raises(StoreUnwritableError, match="nowhere"):
            store.fetch("a", tmp_path / "nowhere" / "copy")

    # --- many objects -------------------------------------------------------------------------------

    def test_a_listing_has_what_is_below_whole_parts_of_keys(self, store: ObjectStore) -> None:
        for key in ("a/b/c", "a/b/d/e", "a/bb/c", "ab/c", "a/x"):
            store.put(key, key.encode())
        assert keys(store, "a") == ["a/b/c", "a/b/d/e", "a/bb/c", "a/x"]
        assert keys(store, "a/b") == ["a/b/c", "a/b/d/e"]
        assert keys(store, "a/none") == []
        assert store.folders("a") == ["b", "bb"]
        assert store.folders("none") == []

    def test_a_listing_has_size_time_and_version(self, store: ObjectStore) -> None:
        before = time.time()
        store.put("a/b", b"12345")
        (stored,) = store.list("a")
        content = store.get("a/b")
        assert content is not None
        assert (stored.key, stored.size, stored.version) == ("a/b", 5, content.version)
        assert before - 2 < stored.changed < time.time() + 2

    def test_deleting_removes_what_is_named_and_can_be_done_again(self, store: ObjectStore) -> None:
        for key in ("a/1", "a/2", "a/3"):
            store.put(key, b"1")
        for _ in range(2):
            store.delete(["a/1", "a/3", "x/none"])
            store.delete([])
        assert keys(store, "a") == ["a/2"]

    def test_all_below_a_prefix_is_deleted_and_nothing_else(self, store: ObjectStore) -> None:
        for key in ("a/b/1", "a/b/c/2", "a/bb/3", "ab/4"):
            store.put(key, b"1")
        for _ in range(2):
            store.delete_all("a/b")
        assert keys(store, "a") == ["a/bb/3"]
        assert keys(store, "ab") == ["ab/4"]

    def test_more_objects_than_a_page_of_a_listing_are_listed_and_deleted(self, store: ObjectStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store.put(f"many/{number}", b""), range(1_005)))
        assert len(keys(store, "many")) == 1_005
        store.delete_all("many")
        assert keys(store, "many") == []

    def test_a_sweep_leaves_objects_alone_and_can_be_done_again(self, store: ObjectStore) -> None:
        store.put("a/b", b"1")
        for _ in range(2):
            store.sweep("a")
            store.sweep("none")
        assert keys(store, "a") == ["a/b"]

    # --- keys ---------------------------------------------------------------------------------------

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(key=KEYS, content=st.binary(max_size=64))
    def test_any_plain_key_holds_an_object_and_is_listed_as_it_is(
        self, store: ObjectStore, key: str, content: bytes
    ) -> None:
        key = f"any/{len(key)}/{key}"  # no key of another example is a folder on this one's way
        store.delete_all("any")
        store.put(key, content)
        assert data(store, key) == content
        assert keys(store, "any") == [key]

    @pytest.mark.parametrize(
        "key",
        [
            *("/".join(["part"] * 200), "x" * 201),
            *("", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a#1", "a\\b", "a\nb", "é"),
        ],
    )
    def test_what_is_no_plain_key_is_refused(self, store: ObjectStore, key: str) -> None:
        for use in (
            lambda: store.put(key, b""),
            lambda: store.create(key, b""),
            lambda: store.replace(key, b"", "v"),
            lambda: store.get(key),
            lambda: list(store.list(key)),
            lambda: store.folders(key),
            lambda: store.delete([key]),
            lambda: store.delete_all(key),
            lambda: store.sweep(key),
        ):
            with pytest.raises(RequestRejectedError, match="no key"):
                use()
