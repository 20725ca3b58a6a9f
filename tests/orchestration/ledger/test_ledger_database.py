"""The ledger's database: migrations, and what the operating system may do to its file."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, inspect, select, text

from medkg.testing.ledger_suite.builders import a_job, a_submission, an_item, fingerprint_of
from orchestration.contracts import DocumentCounts, JobState
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    IllegalTransitionError,
    StoreCorruptError,
    StoreUnwritableError,
)
from orchestration.ledger import SqlLedger, database, open_ledger
from orchestration.ledger.tables import commits, documents, metadata, windows
from orchestration.ledger.transitions import Status, check_move
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema

ROOT = Path(__file__).resolve().parents[3]
UNPRIVILEGED = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(url_of(path))
    yield opened
    opened.close()


# --- migrations -------------------------------------------------------------------------------------


@pytest.fixture(params=BOTH_DATABASES)
def migrated(request: pytest.FixtureRequest, path: Path) -> Iterator[Connection]:
    """A connection to a new ledger of each kind, with its newest schema."""
    with own_schema() if request.param == "postgresql" else nullcontext(url_of(path)) as url:
        open_ledger(url).close()
        engine = create_engine(url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()


def test_the_migrated_schema_is_the_one_the_tables_declare(migrated: Connection) -> None:
    assert _differences(migrated) == []


def test_sqlite_gets_the_very_statements_of_the_tables(ledger: SqlLedger, path: Path) -> None:
    with create_engine(url_of(path)).connect() as connection:
        migrated = _schema(connection)
    with create_engine("sqlite://").connect() as connection:
        metadata.create_all(connection)
        assert _schema(connection) == migrated


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(_alembic()).get_current_head() == database.HEAD


def test_every_migration_can_be_undone_and_done_again(migrated: Connection) -> None:
    config = _alembic()
    config.attributes["connection"] = migrated
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    for _ in revisions:
        command.downgrade(config, "-1")
    assert set(inspect(migrated).get_table_names()) == {"alembic_version"}
    for revision in reversed(revisions):
        command.upgrade(config, "+1")
        assert migrated.execute(text("SELECT version_num FROM alembic_version")).scalar() == revision
    assert _differences(migrated) == []


def test_rows_survive_going_down_a_migration_and_up_again(migrated: Connection) -> None:
    row = {"window_id": "w", "job_id": "j", "created_at": 1.0, "holder": "host/boot/1/1"}
    migrated.execute(insert(windows).values(row))
    config = _alembic()
    config.attributes["connection"] = migrated
    command.downgrade(config, "0001")
    command.upgrade(config, "head")
    (migrated_row,) = migrated.execute(select(windows)).mappings()
    assert (migrated_row["window_id"], migrated_row["holder"]) == ("w", None)


def test_a_commit_of_before_models_were_noted_names_none(migrated: Connection) -> None:
    row = {
        "tenant_id": "default",
        "source": "files",
        "doc_id": "1",
        "version": "v",
        "fingerprint": "f",
        "pipeline": "auto",
        "intent_id": "i",
        "chunk_count": 2,
        "namespace": "letters@1",
    }
    migrated.execute(insert(commits).values(row))
    config = _alembic()
    config.attributes["connection"] = migrated
    command.downgrade(config, "0002")
    command.upgrade(config, "head")
    (migrated_row,) = migrated.execute(select(commits)).mappings()
    unknown = ("revision", "graph_intent_id", "parse_fingerprint", "graph_fingerprint")
    added = {"namespace": "", "entity_count": 0, "claim_count": 0, **dict.fromkeys(unknown)}
    assert dict(migrated_row) == {**row, **added}


def test_a_ledger_of_before_gates_noted_their_pass_keeps_the_phase_of_its_documents(
    migrated: Connection,
) -> None:
    resumed = {"job_id": "j", "created_at": 1.0}
    migrated.execute(insert(windows).values(window_id="first", resumed=False, **resumed))
    migrated.execute(insert(windows).values(window_id="second", resumed=True, **resumed))
    config = _alembic()
    config.attributes["connection"] = migrated
    command.downgrade(config, "0005")
    assert "gate_passed_at" not in {column["name"] for column in inspect(migrated).get_columns("documents")}
    for doc_id, row in ROWS_OF_0005.items():
        migrated.execute(text(INSERT_0005), {"doc_id": doc_id, "window_id": None, **row})
    command.upgrade(config, "head")
    columns = select(documents.c.doc_id, documents.c.gate_passed_at)
    passed = {row.doc_id: row.gate_passed_at for row in migrated.execute(columns)}
    second = {"opened", "handed back", "resumed", "committed", "failed behind it"}
    assert passed == {doc_id: 7.0 if doc_id in second else None for doc_id in ROWS_OF_0005}


ROWS_OF_0005: dict[str, dict[str, str | None]] = {
    "never at a gate": {"status": "queued", "gate": None},
    "waiting": {"status": "waiting", "gate": "pdf-ready", "window_id": "first"},
    "opened": {"status": "queued", "gate": "pdf-ready"},
    "handed back": {"status": "queued", "gate": "pdf-ready", "window_id": "second"},
    "resumed": {"status": "running", "gate": "pdf-ready", "window_id": "second"},
    "committed": {"status": "committed", "gate": "pdf-ready", "window_id": "second"},
    "failed behind it": {"status": "failed", "gate": "pdf-ready", "window_id": "second"},
    "failed at it": {"status": "failed", "gate": "pdf-ready", "window_id": "first"},
}
INSERT_0005 = """
INSERT INTO documents (tenant_id, source, doc_id, pipeline_name, pipeline_version, status, gate, window_id,
    retry_count_per_stage, missing_stages, source_plugin, locator, pdf_downloaded, pdf_ir_ready, lease_until,
    job_id, correlation_id, created_at, updated_at)
VALUES ('default', 'files', :doc_id, 'pdf-two-phase', '1', :status, :gate, :window_id,
    '{}', '[]', 'files', '{}', false, false, 0.0, 'j', 'c', 5.0, 7.0)
"""


def test_opening_a_migrated_ledger_imports_neither_alembic_nor_the_heavy_ones(
    ledger: SqlLedger, path: Path
) -> None:
    program = (
        "import json, sys; from orchestration.ledger import open_ledger; "
        f"open_ledger({url_of(path)!r}).jobs.find(None, None); print(json.dumps(list(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    loaded = set(json.loads(output.stdout))
    assert not loaded & {"alembic", "dagster", "ray", "haystack", "torch"}


def test_a_ledger_of_a_newer_medkg_is_refused(ledger: SqlLedger, path: Path) -> None:
    ledger.close()
    with create_engine(url_of(path)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer medkg"):
        open_ledger(url_of(path))


def _differences(connection: Connection) -> list[object]:
    return list(
        compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    )


def _schema(connection: object) -> dict[tuple[str, str], str]:
    """Statements that made the tables, by table and column order, spaces aside."""
    rows = connection.execute(  # type: ignore[attr-defined]
        text(
            "SELECT tbl_name, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
    )
    return {
        (table, name): " ".join(sorted(sql.replace(",", " ").split()))
        for table, name, sql in rows
        if table != "alembic_version"
    }


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    return config


# --- what the operating system may do ---------------------------------------------------------------


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreCorruptError, match=r"ledger\.sqlite is damaged"):
        open_ledger(url_of(path))


def test_a_damaged_page_is_found_when_it_is_read(ledger: SqlLedger, path: Path) -> None:
    a_job(ledger, *(an_item(str(number)) for number in range(500)))
    ledger.close()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))
    with pytest.raises(StoreCorruptError, match=r"ledger\.sqlite is damaged .*malformed"):
        open_ledger(url_of(path)).documents.find("default")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnwritableError, match=r"file.*Choose another --data-dir"):
        open_ledger(url_of(tmp_path / "file" / "ledger.sqlite"))


def test_a_folder_in_the_file_s_place_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnwritableError, match=r"ledger\.sqlite cannot be written"):
        open_ledger(url_of(path))


def test_a_ledger_that_another_program_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    opened = open_ledger(url_of(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnwritableError, match="locked"):
        opened.jobs.open(a_submission())
    assert opened.jobs.find(None, None) == []  # readers are not disturbed
    other.execute("ROLLBACK")
    opened.jobs.open(a_submission())
    opened.close()
    other.close()


def test_a_full_disk_loses_nothing_and_is_named(ledger: SqlLedger, path: Path) -> None:
    a_job(ledger, an_item("before"))
    answers = _in_process(_fill_the_disk, path)
    assert answers == {"error": "StoreUnwritableError", "after": 1}
    assert ledger.jobs.summary("job-1").documents == DocumentCounts(total=1, pending=1)
    full = ledger.jobs.summary("job-full").documents
    assert full.total == full.pending
    assert ledger.jobs.enqueue("job-full", [an_item("after")], fingerprint_of).pending == 1


def _fill_the_disk(path: Path) -> dict[str, object]:
    """Enqueue until the file may not grow, then again with room: a real EFBIG from the kernel."""
    opened = open_ledger(url_of(path))
    opened.jobs.open(a_submission("job-full"))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    try:
        for start in range(0, 100_000, 1000):
            opened.jobs.enqueue("job-full", [an_item(f"{start}-{n}") for n in range(1000)], fingerprint_of)
    except StoreUnwritableError as error:
        kind = type(error).__name__
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return {
        "error": kind,
        "after": opened.jobs.enqueue("job-full", [an_item("room")], fingerprint_of).pending,
    }


def test_a_read_only_folder_is_named() -> None:
    with TemporaryDirectory() as folder:  # other users cannot read pytest's own folders
        path = Path(folder) / "ledger.sqlite"
        open_ledger(url_of(path)).close()
        answers = _in_process(_open_without_permission, path)
    assert answers["error"] == "StoreUnwritableError"
    assert str(path) in str(answers["message"])
    assert "permissions" in str(answers["message"])


def _open_without_permission(path: Path) -> dict[str, object]:
    """Use a ledger that the process may read and not write; root becomes an unprivileged user first."""
    open_ledger(url_of(path.with_name("imports.sqlite"))).close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(UNPRIVILEGED)
    try:
        open_ledger(url_of(path)).jobs.open(a_submission())
    except StoreUnwritableError as error:
        return {"error": type(error).__name__, "message": error.message}
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        path.parent.chmod(0o755)
    return {"error": None}


def _in_process(function: object, path: Path) -> dict[str, object]:
    """Result of a function in its own process, since it changes what the process may do."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answer: dict[str, object] = pool.apply(function, (path,))  # type: ignore[arg-type]
        return answer


def test_a_server_that_does_not_answer_is_an_unavailable_resource() -> None:
    pytest.importorskip("psycopg", reason="the postgresql extra is not installed")
    with pytest.raises(DagsterResourceUnavailableError, match="Start it, or correct its URL") as caught:
        open_ledger("postgresql+psycopg://medkg:secret@127.0.0.1:1/medkg")
    assert "secret" not in caught.value.message
    with pytest.raises(DagsterResourceUnavailableError) as caught:
        open_ledger("postgresql+psycopg://medkg@127.0.0.1:1/medkg?password=secret")
    assert "secret" not in caught.value.message


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="MEDKG_LEDGER_URL") as caught:
        open_ledger("postgresql//medkg:secret@127.0.0.1/medkg")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://127.0.0.1/medkg", "'mysql'; use sqlite"),
        ("postgresql+nosuch://127.0.0.1/medkg", r"nosuch.*Install psycopg"),
        ("not a url", "cannot be read; use sqlite"),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_ledger(url)


# --- transitions ------------------------------------------------------------------------------------


def test_a_move_that_the_table_does_not_allow_is_an_error() -> None:
    check_move("1", Status.QUEUED, Status.RUNNING)
    with pytest.raises(IllegalTransitionError, match="1 is committed and cannot become running"):
        check_move("1", Status.COMMITTED, Status.RUNNING)


def test_an_open_job_survives_reopening(ledger: SqlLedger, path: Path) -> None:
    a_job(ledger, an_item("1"))
    ledger.close()
    opened = open_ledger(url_of(path))
    assert opened.jobs.find(None, [JobState.OPEN])[0].documents.pending == 1
    opened.close()
