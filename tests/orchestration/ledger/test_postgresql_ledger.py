"""The ledger on PostgreSQL passes the suite; in a schema of its own that is dropped in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from orchestration.ledger import Ledger, open_ledger
from orchestration.ledger.tables import metadata
from tests.conformance.ledger_suite import LEASE_SECONDS, Clock, LedgerSuite

SERVER = os.environ.get("MEDKG_TEST_POSTGRES_URL", "")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    schema = f"medkg_test_{uuid4().hex}"
    engine = create_engine(SERVER)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield (
        make_url(SERVER)
        .update_query_dict({"options": f"-csearch_path={schema}"})
        .render_as_string(hide_password=False)
    )
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.mark.skipif(
    not SERVER,
    reason="needs MEDKG_TEST_POSTGRES_URL=postgresql+psycopg://USER@HOST/DATABASE of a PostgreSQL server",
)
class TestPostgresqlLedger(LedgerSuite):
    @pytest.fixture
    def ledger(self, url: str, clock: Clock) -> Iterator[Ledger]:
        opened = open_ledger(url, LEASE_SECONDS, clock)
        yield opened
        opened.close()
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
        engine.dispose()
