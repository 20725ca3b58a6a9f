"""A PostgreSQL server that tests share, each with its own schemas; named by MEDKG_TEST_POSTGRES_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

SERVER = os.environ.get("MEDKG_TEST_POSTGRES_URL", "")

needs_postgresql = pytest.mark.skipif(
    not SERVER,
    reason="needs MEDKG_TEST_POSTGRES_URL=postgresql+psycopg://USER@HOST/DATABASE of a PostgreSQL server",
)

BOTH_DATABASES = ["sqlite", pytest.param("postgresql", marks=needs_postgresql)]


@contextmanager
def own_schema() -> Iterator[str]:
    """A URL whose tables are in a new schema, dropped in the end with Dagster's beside it."""
    schema = f"test_{uuid4().hex}"
    engine = create_engine(SERVER)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        yield in_schema(schema)
        with engine.begin() as connection:
            for name in (schema, f"{schema}_dagster"):
                connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
    finally:
        engine.dispose()


def in_schema(schema: str) -> str:
    """The server's URL with this schema as its only one."""
    url = make_url(SERVER).update_query_dict({"options": f"-csearch_path={schema}"})
    return url.render_as_string(hide_password=False)
