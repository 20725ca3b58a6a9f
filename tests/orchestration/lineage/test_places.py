"""Datasets are named by where the stores of a data folder are, without passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.assembly.lineage import lineage_places
from orchestration.settings import load_settings


def test_embedded_stores_are_files_of_the_data_folder(tmp_path: Path) -> None:
    places = lineage_places(load_settings(data_dir=tmp_path))
    assert places.search_index("oncology") == ("file", f"{tmp_path}/search/oncology.sqlite")
    assert places.vectors("oncology") == ("file", f"{tmp_path}/vectors/oncology")
    assert places.claims == ("file", f"{tmp_path}/ledger.sqlite/graph_claims")
    assert places.between("oncology", "auto", "chunks") == (
        "file",
        f"{tmp_path}/artifacts/oncology/auto/chunks",
    )


def test_servers_are_named_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDKG_LEDGER_URL", "postgresql+psycopg://me:geheim@db/medkg")
    monkeypatch.setenv("MEDKG_OPENSEARCH_URL", "https://me:geheim@search")
    monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_OBJECTS_URL", "s3://bucket/prefix")
    places = lineage_places(load_settings(data_dir=tmp_path))
    assert places.search_index("oncology") == ("opensearch://search:9200", "medkg-chunks.oncology")
    assert places.vectors("oncology") == ("opensearch://search:9200", "medkg-vectors.oncology")
    assert places.mentions == ("postgres://db:5432", "medkg.public.graph_mentions")
    assert places.artifacts == ("s3://bucket", "prefix/artifacts")
