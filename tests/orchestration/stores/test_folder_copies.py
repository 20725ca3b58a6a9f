"""A copy of a data folder is used on its own, and refused where it would share stores with its original."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.stores.store_choice import check_stores

STORES = {"MEDKG_SEARCH_STORE": "opensearch", "MEDKG_VECTOR_STORE": "faiss"}
SHARED = {"MEDKG_SEARCH_STORE": "opensearch"}


def record(folder: Path) -> dict[str, str]:
    value: dict[str, str] = json.loads((folder / "stores.json").read_text())["folder"]
    return value


@pytest.fixture
def original(tmp_path: Path) -> Path:
    folder = tmp_path / "original"
    check_stores(folder, STORES, SHARED)
    return folder


def test_a_copy_that_shares_stores_with_its_original_is_refused_by_name(
    original: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    with pytest.raises(ConfigurationError, match=rf"{copy} is a copy of {original}.*MEDKG_SEARCH_STORE="):
        check_stores(copy, STORES, SHARED)
    check_stores(original, STORES, SHARED)


def test_a_copy_with_all_its_stores_inside_becomes_a_separate_folder(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    check_stores(copy, STORES, {})
    assert record(copy)["path"] == str(copy)
    assert record(copy)["id"] != record(original)["id"]
    check_stores(copy, STORES, SHARED)


def test_a_moved_folder_is_the_same(original: Path, tmp_path: Path) -> None:
    before = record(original)
    moved = original.rename(tmp_path / "moved")
    check_stores(moved, STORES, SHARED)
    assert record(moved) == {"id": before["id"], "path": str(moved)}


def test_a_copy_whose_original_is_gone_takes_its_place(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    shutil.rmtree(original)
    check_stores(copy, STORES, SHARED)


def test_a_link_to_a_folder_is_the_folder(original: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(original)
    check_stores(tmp_path / "link", STORES, SHARED)
    assert record(original)["path"] == str(original)


def test_a_folder_of_before_gets_its_record(tmp_path: Path) -> None:
    (tmp_path / "stores.json").write_text(json.dumps(STORES))
    check_stores(tmp_path, STORES, SHARED)
    assert record(tmp_path)["path"] == str(tmp_path)
