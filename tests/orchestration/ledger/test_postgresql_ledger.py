"""The ledger on PostgreSQL passes the suite; in its own schema, which is dropped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, literal, make_url, select, text

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite import LEASE_SECONDS, Clock, LedgerSuite
from medkg.testing.ledger_suite.builders import a_broken_item, a_job, a_submission, fingerprint_of
from orchestration.errors import ConfigurationError, UsageError
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.ledger.database import Database
from orchestration.ledger.tables import documents, metadata
from tests.orchestration.ledger.accounts_from_events import AccountsFromEvents
from tests.orchestration.postgresql import in_schema, needs_postgresql, own_schema
from tests.waiting import wait_until

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with own_schema() as schema_url:
        yield schema_url


class TestPostgresqlLedger(AccountsFromEvents, LedgerSuite):
    @pytest.fixture
    def ledger(self, url: str, clock: Clock) -> Iterator[SqlLedger]:
        opened = open_ledger(url, LEASE_SECONDS, clock)
        yield opened
        opened.close()
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
        engine.dispose()


def test_a_replay_that_meets_a_deletion_queues_nothing_that_is_deleted() -> None:
    """The deletion waits for a row lock, the replay for the deletion."""
    with own_schema() as schema_url, ThreadPoolExecutor(2) as threads:
        name = f"test-{uuid4().hex}"
        ledger = open_ledger(
            make_url(schema_url).update_query_dict({"application_name": name}).render_as_string(False)
        )
        a_job(ledger, a_broken_item("1"))
        (letter,) = ledger.dead_letters.find(TENANT)
        engine = create_engine(schema_url)

        def blocked() -> int:
            activity = text(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE application_name = :name AND wait_event_type = 'Lock'"
            )
            with engine.connect() as connection:
                return int(connection.execute(activity, {"name": name}).scalar_one())

        with engine.begin() as holder:
            holder.execute(select(documents.c.id).with_for_update())
            deletion = threads.submit(ledger.documents.delete, [letter.failure.ctx.key])
            wait_until(lambda: blocked() == 1)
            replay = threads.submit(
                ledger.dead_letters.replay, [letter.id], a_submission("job-2"), fingerprint_of
            )
            wait_until(lambda: blocked() == 2)
        assert deletion.result() == []
        with pytest.raises(UsageError, match="deleted"):
            replay.result()
        assert ledger.documents.status_counts(TENANT) == {}
        ledger.close()
        engine.dispose()


def test_a_schema_that_is_not_there_is_named(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no schema has been selected.*Make the schema that its URL names"
    ):
        open_ledger(in_schema("no_such_schema"))


def test_a_schema_beside_the_ledger_s_is_made_once(url: str) -> None:
    database = Database(url)
    first, again = (database.schema_beside("dagster") for _ in range(2))
    database.close()
    assert first == again
    assert first.endswith("_dagster")


def test_a_user_who_may_not_create_schemas_reads_which_privilege_to_grant(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar()
        connection.execute(text("DROP ROLE IF EXISTS medkg_reader"))
        connection.execute(text("CREATE ROLE medkg_reader LOGIN"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO medkg_reader"))
    try:
        with pytest.raises(ConfigurationError, match=r"permission denied.*let the URL's user create there"):
            Database(engine.url.set(username="medkg_reader").render_as_string(hide_password=False))
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY medkg_reader"))
            connection.execute(text("DROP ROLE medkg_reader"))
        engine.dispose()


def test_a_server_whose_machine_is_gone_is_noticed_in_a_minute_unless_the_url_says_otherwise(
    url: str,
) -> None:
    def parameters(address: str) -> dict[str, str]:
        database = Database(address)
        with database.reading() as connection:
            driver: Any = connection.connection.driver_connection
            values = dict(driver.info.get_parameters())
        database.close()
        return values

    assert parameters(url).items() >= {"keepalives_idle": "30", "tcp_user_timeout": "60000"}.items()
    stated = make_url(url).update_query_dict({"keepalives_idle": "7"}).render_as_string(False)
    assert parameters(stated)["keepalives_idle"] == "7"


def test_a_database_without_an_encoding_keeps_any_text(url: str) -> None:
    name = f"test_{uuid4().hex}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(
            text(
                f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )
        )
    try:
        plain = make_url(url).set(database=name, query={}).render_as_string(hide_password=False)
        for _ in range(2):
            opened = open_ledger(plain)
            opened.close()
        database = Database(plain)
        with database.reading() as connection:
            assert connection.execute(select(literal("TNF-\u03b1"))).scalar() == "TNF-\u03b1"
        database.close()
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
