"""Paths of settings are those of the folder that the command was started in, wherever they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.host.environment import child_environment
from orchestration.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the command, which another process has left."""
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["data_dir", "topologies_dir", "json_sources_dir", "schedules_dir", "opensearch_synonyms"]
)
def test_a_relative_path_becomes_absolute(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = load_settings(**{name: "mine"})
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert getattr(settings, name) == folder / "mine"
    assert child_environment(settings)[f"MEDKG_{name.upper()}"] == str(folder / "mine")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("sqlite:///mine.sqlite", "sqlite:///{folder}/mine.sqlite"),
        ("sqlite:////data/mine.sqlite", "sqlite:////data/mine.sqlite"),
        ("postgresql+psycopg://host/medkg", "postgresql+psycopg://host/medkg"),
    ],
)
def test_a_relative_ledger_becomes_absolute(value: str, url: str, folder: Path) -> None:
    assert load_settings(ledger_url=value).ledger_url == url.format(folder=folder)


@pytest.mark.parametrize("name", ["embedding_model", "sparse_model", "rerank_model"])
def test_a_model_s_folder_becomes_absolute_and_a_hub_id_stays(name: str, folder: Path) -> None:
    assert getattr(load_settings(**{name: "models/mine"}), name) == str(folder / "models" / "mine")
    assert getattr(load_settings(**{name: "sentence-transformers/all"}), name) == "sentence-transformers/all"
