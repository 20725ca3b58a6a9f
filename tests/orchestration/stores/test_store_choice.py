"""A data folder keeps the stores that it was started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError, StoreUnwritableError
from orchestration.stores.store_choice import check_stores

SQLITE = {"MEDKG_SEARCH_STORE": "sqlite", "MEDKG_VECTOR_STORE": "faiss"}


def test_a_folder_takes_the_stores_it_was_started_with_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for _ in range(2):
        check_stores(folder, SQLITE)
    with pytest.raises(ConfigurationError, match=r"MEDKG_SEARCH_STORE=sqlite.*another --data-dir"):
        check_stores(folder, {**SQLITE, "MEDKG_SEARCH_STORE": "opensearch"})


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "stores.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"stores\.json is damaged"):
        check_stores(tmp_path, SQLITE)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnwritableError, match="another --data-dir"):
        check_stores(tmp_path / "file", SQLITE)
