"""Dagster's tables are beside the ledger's, and its URL is only in the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url

from orchestration.dagster.instance import open_instance
from orchestration.dagster.storage import DAGSTER_URL, storage_config
from orchestration.errors import ConfigurationError, DagsterResourceUnavailableError
from orchestration.ledger import open_ledger
from orchestration.settings import Settings
from tests.orchestration.postgresql import needs_postgresql, own_schema

UNAVAILABLE = "postgresql+psycopg://medkg:secret@127.0.0.1:1/medkg"


@needs_postgresql
def test_ledger_and_dagster_share_a_database_in_separate_schemas(tmp_path: Path) -> None:
    with own_schema() as url:
        settings = Settings(data_dir=tmp_path, ledger_url=url)
        open_ledger(url).close()
        with open_instance(settings) as first, open_instance(settings) as again:
            assert first.get_runs_count() == again.get_runs_count() == 0
        engine = create_engine(url)
        tables = inspect(engine)
        schema = tables.default_schema_name
        ours, dagsters = tables.get_table_names(schema), tables.get_table_names(f"{schema}_dagster")
        engine.dispose()
    assert {"jobs", "documents", "alembic_version"} <= set(ours)
    assert {"jobs", "runs", "event_logs", "alembic_version"} <= set(dagsters)
    assert not {"runs", "event_logs"} & set(ours)


@needs_postgresql
def test_a_password_is_in_the_environment_and_not_in_dagster_yaml(tmp_path: Path) -> None:
    with own_schema() as url:
        secret = make_url(url).set(password="p:a@s/s").render_as_string(hide_password=False)
        settings = Settings(data_dir=tmp_path, ledger_url=secret)
        open_instance(settings).dispose()
        assert make_url(os.environ[DAGSTER_URL]).password == "p:a@s/s"
        written = (settings.dagster_home / "dagster.yaml").read_text(encoding="utf-8")
    assert "s/s" not in written and "p%3A" not in written
    assert "p%3A" not in repr(settings)


def test_a_data_folder_with_its_own_ledger_keeps_dagster_s_files(tmp_path: Path) -> None:
    assert storage_config(Settings(data_dir=tmp_path)) == {
        "sqlite": {"base_dir": str(tmp_path / "dagster" / "storage")}
    }


def test_an_unavailable_server_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DagsterResourceUnavailableError, match="Start it, or correct its URL") as caught:
        storage_config(Settings(data_dir=tmp_path, ledger_url=UNAVAILABLE))
    assert "secret" not in caught.value.message


def test_missing_drivers_are_named_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.dagster.storage.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"medkg\[postgres\]"):
        storage_config(Settings(data_dir=tmp_path, ledger_url=UNAVAILABLE))
