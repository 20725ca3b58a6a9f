"""Stores that do not answer: named, with a bound, waited for, and distinguished from wrong settings."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestration.assembly import Assembly, open_data_folder
from orchestration.cli.main import app
from orchestration.errors import ConfigurationError, DagsterResourceUnavailableError, ExitCode
from orchestration.operations.store_checks import ask_store, wait_for_stores
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg

NO_SERVER = "http://127.0.0.1:9"
"""The port of the discard service, which nothing listens on."""


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(20)
        yield server.getsockname()[1]


def parts_with(questions: Mapping[str, Callable[[], str]], seconds: float) -> Any:
    return SimpleNamespace(
        settings=SimpleNamespace(unavailable_seconds=seconds), store_questions=lambda: questions
    )


def test_a_question_without_an_answer_ends_after_its_bound() -> None:
    never = threading.Event()
    with pytest.raises(DagsterResourceUnavailableError, match=r"the vector store has not answered in 0\.1 s"):
        ask_store("vector store", lambda: str(never.wait()), 0.1)
    never.set()


def test_an_error_of_a_store_is_raised_as_it_is() -> None:
    def refuses() -> str:
        raise ConfigurationError("wrong password.")

    with pytest.raises(ConfigurationError, match=r"wrong password\."):
        ask_store("ledger", refuses)
    with pytest.raises(ConfigurationError):
        wait_for_stores(parts_with({"ledger": refuses}, 60), pytest.fail)


def test_a_store_that_comes_back_is_waited_for_and_announced_once() -> None:
    calls: list[int] = []

    def third_time() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise DagsterResourceUnavailableError("OpenSearch at http://search:9200 does not answer.")
        return "there"

    notes: list[str] = []
    wait_for_stores(parts_with({"search store": third_time}, 60), notes.append)
    assert notes == [
        "waiting up to 60 s for the search store: OpenSearch at http://search:9200 does not answer."
    ]


def test_a_store_that_stays_away_is_raised_by_name() -> None:
    def away() -> str:
        raise DagsterResourceUnavailableError("OpenSearch at http://search:9200 does not answer.")

    with pytest.raises(DagsterResourceUnavailableError, match="http://search:9200"):
        wait_for_stores(parts_with({"search store": away}, 0), lambda note: None)


def test_doctor_asks_every_store_of_a_folder(tmp_path: Path) -> None:
    checks = {check["check"]: check for check in Medkg(tmp_path)("doctor")["checks"]}
    assert checks["ledger opens"]["detail"] == f"0 documents in {tmp_path / 'ledger.sqlite'}"
    places = {name: checks[f"{name} answers"]["detail"] for name in ("search store", "vector store")}
    assert places == {"search store": str(tmp_path / "search"), "vector store": str(tmp_path / "vectors")}
    assert checks["document store answers"]["detail"] == str(tmp_path / "documents.sqlite")
    assert checks["object store answers"]["detail"] == str(tmp_path)
    assert checks["host and its processes"]["detail"] == "no host runs"


def test_doctor_names_each_unavailable_store_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_OPENSEARCH_URL", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MEDKG_LEDGER_URL", "postgresql+psycopg://medkg:secret@127.0.0.1:9/medkg")
    monkeypatch.setenv("MEDKG_OBJECTS_URL", "s3://medkg-tests/away")
    monkeypatch.setenv("AWS_ENDPOINT_URL", NO_SERVER)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    report = Medkg(tmp_path)("doctor", expect=3)
    failed = {check["check"]: check["detail"] for check in report["checks"] if not check["ok"]}
    assert set(failed) >= {
        "ledger opens",
        *(f"{name} answers" for name in ("search store", "vector store", "document store", "object store")),
    }
    assert "medkg:***@127.0.0.1:9/medkg" in failed["ledger opens"]
    assert failed["search store answers"].startswith("OpenSearch at http://127.0.0.1:9 does not answer")
    assert NO_SERVER in failed["object store answers"]
    assert not any("secret" in detail for detail in failed.values())


def test_a_server_that_accepts_and_never_answers_is_left_after_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as port:
        monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
        monkeypatch.setenv("MEDKG_OPENSEARCH_URL", f"http://127.0.0.1:{port}")
        assembly = Assembly(load_settings(data_dir=tmp_path))
        question = assembly.store_questions()["search store"]
        with pytest.raises(DagsterResourceUnavailableError, match="the search store has not answered in 1 s"):
            ask_store("search store", question, 1)


def test_up_waits_for_an_unavailable_ledger_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_LEDGER_URL", "postgresql+psycopg://medkg:secret@127.0.0.1:9/medkg")
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "2")
    result = CliRunner().invoke(app, ["--data-dir", str(tmp_path / "data"), "up"])
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "waiting up to 2 s for the ledger" in result.stderr
    assert "medkg:***@127.0.0.1:9/medkg" in result.stderr and "secret" not in result.stderr


def test_up_waits_for_a_store_names_it_and_starts_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
    monkeypatch.setenv("MEDKG_OPENSEARCH_URL", NO_SERVER)
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "0")
    medkg = Medkg(tmp_path)
    answer = medkg("up", expect=3)
    assert answer["error"]["code"] == "MEDKG-404"
    assert answer["error"]["message"].startswith(f"OpenSearch at {NO_SERVER} does not answer")
    assert medkg("status")["host"] is None
    with open_data_folder(load_settings(data_dir=tmp_path)) as data_folder:
        notes: list[str] = []
        with pytest.raises(DagsterResourceUnavailableError, match="OpenSearch"):
            data_folder.wait_for_stores(notes.append)
