"""Storage of Dagster's runs, events and schedules: beside the ledger, so that one backup covers both.

Input: settings. Output: the `storage` section of dagster.yaml. If the ledger is in the data folder, that is
SQLite in the data folder; if the ledger is on PostgreSQL, it is the same database with a separate schema,
since both have tables `jobs` and `alembic_version`. Dagster's processes get the URL from their environment
only: it may contain a password, and dagster.yaml is a file.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import make_url

from orchestration.errors import ConfigurationError
from orchestration.ledger.database import Database
from orchestration.settings import Settings

__all__ = ["DAGSTER_URL", "storage_config"]

DAGSTER_URL: Final = "MEDKG_DAGSTER_URL"
"""Environment variable with the URL of Dagster's database; set here, inherited by child processes."""

SCHEMA: Final = "dagster"


def storage_config(settings: Settings) -> dict[str, Any]:
    """The section. The schema that it names exists when this returns; Dagster creates the tables.

    Raises what opening the ledger raises, and ConfigurationError without the drivers of the extra `postgres`.
    """
    if make_url(settings.ledger_url).get_backend_name() == "sqlite":
        return {"sqlite": {"base_dir": str(settings.dagster_home / "storage")}}
    if find_spec("dagster_postgres") is None:
        raise ConfigurationError(
            "MEDKG_LEDGER_URL names PostgreSQL, where Dagster keeps its runs too, but dagster-postgres isn't "
            "installed. Install it with: pip install 'medkg[postgres]'."
        )
    database = Database(settings.ledger_url)
    try:
        os.environ[DAGSTER_URL] = _dagster_url(settings.ledger_url, database.schema_beside(SCHEMA))
    finally:
        database.close()
    return {"postgres": {"postgres_url": {"env": DAGSTER_URL}}}


def _dagster_url(ledger_url: str, schema: str) -> str:
    """The same database through psycopg2: Dagster's NOTIFY has a parameter, which psycopg 3 cannot send."""
    url = make_url(ledger_url)
    present = url.normalized_query.get("options", ())
    options = " ".join([*present, f"-csearch_path={schema}"])
    return (
        url.set(drivername="postgresql+psycopg2")
        .update_query_dict({"options": options})
        .render_as_string(hide_password=False)
    )
