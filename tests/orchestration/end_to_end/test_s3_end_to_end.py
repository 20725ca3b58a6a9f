"""Objects on a real S3 server, end to end: documents come, are found, and leave without a trace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import an_abstract, json_lines
from orchestration.contracts import ObjectStore
from orchestration.stores.objects.opening import open_objects
from tests.orchestration.command_line import Medkg
from tests.orchestration.dagster_api import DagsterApi

pytestmark = [pytest.mark.plane, pytest.mark.needs_service("s3")]

DEMO = Path(__file__).parents[3] / "demo" / "corpus"
WORD = "quibblezark17"


@pytest.fixture
def medkg(tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Medkg]:
    monkeypatch.setenv("MEDKG_OBJECTS_URL", s3_url)
    command = Medkg(tmp_path / "data")
    command("up")
    yield command
    command("down")


def kinds(objects: ObjectStore) -> set[str]:
    """Which of the four kinds there are objects of."""
    known = ("artifacts", "compute_logs", "documents", "vectors")
    return {kind for kind in known if any(True for _ in objects.list(kind))}


def holding(objects: ObjectStore, word: str) -> list[str]:
    """Objects that name the word."""
    keys = []
    for kind in kinds(objects):
        for stored in objects.list(kind):
            content = objects.get(stored.key)
            if content is not None and word.encode() in stored.key.encode() + content.data:
                keys.append(stored.key)
    return keys


def test_documents_on_s3_are_found_verified_re_executed_and_erased(
    medkg: Medkg, s3_url: str, tmp_path: Path
) -> None:
    objects = open_objects(s3_url)
    mine = tmp_path / f"{WORD}.txt"
    mine.write_text(f"Report {WORD}\n\nThe {WORD} was seen in forty patients.\n", encoding="utf-8")
    run = medkg("run", "auto", "--path", str(DEMO), "--path", str(mine), expect=1)
    assert run["documents"]["committed"] > 60
    assert {failure["stage"] for failure in run["failures"]} == {"enumerate", "parse"}  # the broken records
    assert kinds(objects) == {"artifacts", "compute_logs", "documents", "vectors"}
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}

    answer = medkg("search", f"{WORD} patients")
    assert answer["degraded"] == []
    hit = answer["hits"][0]
    assert hit["source"] == "files" and set(hit["legs"]) == {"bm25", "sparse", "dense"}
    assert hit["title"]
    assert WORD in medkg("docs", "show", hit["doc_id"])["text"]
    data = medkg.data_dir
    held = {path.relative_to(data).parts[0].split("-")[0] for path in data.rglob("*") if path.is_file()}
    assert held <= {"cache", "dagster", "ledger.sqlite", "logs", "run", "search", "stores.json"}
    assert not list((data / "dagster").rglob("*.out"))
    shutil.rmtree(data / "cache")
    assert medkg("search", f"{WORD} patients", "--legs", "dense")["hits"]

    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract(str(n)) for n in range(6000, 6300)]))
    api = DagsterApi(medkg("status")["host"]["dagster_ui"])
    request = {"source": "files", "paths": [str(tmp_path / "a.jsonl")], "window": 300}
    run_id = api.launch("auto_pipeline_job", {"ops": {"ingest_op": {"config": request}}})
    medkg.wait_until(lambda: api.finished_steps(run_id) >= {"parse_op"})
    api.terminate(run_id)
    medkg.wait_until(lambda: api.has_ended(run_id, "CANCELED"))
    again = api.re_execute_from_failure(run_id)
    medkg.wait_until(lambda: api.has_ended(again, "SUCCESS"))
    assert not api.finished_steps(again) & {"ingest_op", "parse_op"}

    assert holding(objects, WORD)
    medkg("docs", "delete", hit["doc_id"], "--erase")
    assert holding(objects, WORD) == []
    assert not [path for path in data.rglob("*") if path.is_file() and WORD.encode() in path.read_bytes()]
    assert medkg("verify")["consistent"]
    assert medkg("search", WORD, "--legs", "bm25")["hits"] == []
    assert medkg("docs", "delete", "6000")["deleted"] == [{"doc_id": "6000", "source": "pubmed"}]
    assert medkg("verify")["consistent"]


def test_a_folder_that_started_on_s3_is_not_used_without_it(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    medkg = Medkg(tmp_path / "data")
    monkeypatch.setenv("MEDKG_OBJECTS_URL", s3_url)
    assert medkg("verify")["consistent"]
    monkeypatch.delenv("MEDKG_OBJECTS_URL")
    medkg.text("verify", expect=2)


def test_an_unavailable_bucket_ends_a_command_with_3_and_a_wrong_one_with_2(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    medkg = Medkg(tmp_path / "data")
    monkeypatch.setenv("MEDKG_OBJECTS_URL", "s3://no-such-bucket/p")
    medkg.text("verify", expect=2)
    with monkeypatch.context() as unavailable:  # the bucket is emptied afterwards
        unavailable.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        medkg.text("verify", expect=3)
        checks = {check["check"]: check["ok"] for check in medkg("doctor", expect=3)["checks"]}
    assert not checks["object store answers"]
    monkeypatch.setenv("MEDKG_OBJECTS_URL", "s3:/wrong")
    medkg.text("verify", expect=2)
