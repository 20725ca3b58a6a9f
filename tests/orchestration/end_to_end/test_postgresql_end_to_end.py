"""`medkg run` with the ledger and Dagster's storage on PostgreSQL, through Ray and the real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from medkg.testing.builders import an_abstract, json_lines
from tests.orchestration.command_line import Medkg
from tests.orchestration.postgresql import needs_postgresql, own_schema

pytestmark = [pytest.mark.plane, needs_postgresql]

PASSWORD = "not-to-be-seen"
"""The test server trusts everyone, so that any password does."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with own_schema() as schema_url:
        with_password = make_url(schema_url).set(password=PASSWORD).render_as_string(hide_password=False)
        monkeypatch.setenv("MEDKG_LEDGER_URL", with_password)
        yield schema_url


def test_a_run_commits_all_and_only_the_server_holds_its_records(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract(str(n)) for n in range(8000, 8005)]))
    medkg = Medkg(tmp_path / "data")
    run = medkg("run", "auto", "--path", str(tmp_path / "a.jsonl"))
    assert (run["documents"]["in"], run["documents"]["committed"]) == (5, 5)
    status = medkg("status")
    assert status["documents"] == {"committed": 5}
    assert status["jobs"][0]["state"] == "done"
    assert medkg("verify")["consistent"]
    assert sorted(_dagster_runs(url)) == sorted((run_id, "SUCCESS") for run_id in run["run_ids"])
    assert not list(medkg.data_dir.rglob("ledger.sqlite*"))
    assert not list((medkg.data_dir / "dagster").rglob("*.db"))
    assert not [path for path in medkg.data_dir.rglob("*") if path.is_file() and _holds_password(path)]


def _dagster_runs(url: str) -> list[tuple[str, str]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar()
        rows = connection.execute(text(f"SELECT run_id, status FROM {schema}_dagster.runs"))
        statuses = [(row.run_id, row.status) for row in rows]
    engine.dispose()
    return statuses


def _holds_password(path: Path) -> bool:
    return PASSWORD.encode() in path.read_bytes()
