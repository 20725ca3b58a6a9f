"""The main job through the real command, Dagster, Ray and the real model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from haystack import Document

from medkg.testing.builders import (
    a_correction,
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_abstract,
    an_article,
    json_lines,
)
from orchestration.haystack import HaystackIndexWriter
from tests.orchestration.command_line import Medkg
from tests.orchestration.dagster_api import DagsterApi
from tests.orchestration.end_to_end.one_host.conftest import OneHost

pytestmark = pytest.mark.plane


@pytest.fixture(scope="module")
def medkg(host: OneHost) -> Medkg:
    return host.tenant("default")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three sound records of different formats and one broken one."""
    (tmp_path / "study.json").write_text(json.dumps(a_study("NCT00000123")))
    (tmp_path / "article.xml").write_bytes(an_article())
    (tmp_path / "abstracts.jsonl").write_bytes(json_lines([an_abstract("4711")]))
    (tmp_path / "broken.xml").write_text("<article><front>")
    return tmp_path


def test_a_run_accounts_for_every_document_and_a_second_one_skips_what_is_unchanged(
    medkg: Medkg, corpus: Path
) -> None:
    first = medkg("run", "auto", "--path", str(corpus), expect=1)
    assert first["documents"] == {
        "in": 4,
        "committed": 3,
        "failed": 1,
        "skipped": 0,
        "waiting": 0,
        "pending": 0,
    }
    assert [failure["code"] for failure in first["failures"]] == ["MEDKG-200"]
    assert first["chunks"] > 0
    stages = ["ingest", "parse", "ir_validation", "chunk", "extract", "embed", "kg", "index"]
    assert list(first["stages"]) == stages
    again = medkg("run", "auto", "--path", str(corpus), expect=1)
    assert (again["documents"]["skipped"], again["documents"]["committed"]) == (3, 0)
    assert medkg("verify") == {"consistent": True, "differences": [], "repaired": 0}


def test_every_chunk_of_a_document_is_a_slice_of_its_text_and_hits_cite_it(medkg: Medkg) -> None:
    shown = medkg("docs", "show", "4711")
    assert shown["chunks"]
    assert shown["metadata"]
    for chunk in shown["chunks"]:
        assert shown["text"][chunk["start_char"] : chunk["end_char"]] == chunk["body"]
    words = " ".join(shown["chunks"][0]["body"].split()[:8])
    result = medkg("search", words, "--top", "3")
    assert result["degraded"] == []
    hit = result["hits"][0]
    assert hit["doc_id"] == "4711"
    assert shown["text"][hit["start_char"] : hit["end_char"]] == hit["text"]
    assert set(hit["legs"]) <= {"bm25", "sparse", "dense"}


def test_a_changed_document_replaces_its_old_version_everywhere(medkg: Medkg, tmp_path: Path) -> None:
    record = tmp_path / "a.jsonl"

    def ingest(word: str) -> dict[str, Any]:
        section = {"label": "RESULTS", "text": f"The {word} group recovered sooner than the others."}
        record.write_bytes(json_lines([an_abstract("888", sections=[section])]))
        answer: dict[str, Any] = medkg("run", "auto", "--path", str(record))
        return answer

    assert ingest("quixotrol")["documents"]["committed"] == 1
    assert ingest("zanthrolin")["documents"]["committed"] == 1
    assert medkg("search", "quixotrol", "--legs", "bm25")["hits"] == []
    assert [hit["doc_id"] for hit in medkg("search", "zanthrolin", "--legs", "bm25")["hits"]] == ["888"]
    assert medkg("verify")["consistent"]
    assert medkg("docs", "delete", "888")["deleted"] == [{"doc_id": "888", "source": "pubmed"}]
    assert medkg("search", "zanthrolin", "--legs", "bm25")["hits"] == []
    medkg("docs", "show", "888", expect=2)


def test_a_retracted_article_is_marked_and_can_be_left_out(medkg: Medkg, tmp_path: Path) -> None:
    of_two = "<AbstractText>Vexaritol made {} sleep sooner than before.</AbstractText>"
    retracted = a_pubmed_article("801", of_two.format("rats"), corrections=[a_correction("RetractionIn")])
    (tmp_path / "set.xml").write_bytes(
        a_pubmed_set(retracted, a_pubmed_article("802", of_two.format("mice")))
    )
    assert medkg("run", "auto", "--path", str(tmp_path))["documents"]["committed"] == 2

    def found(*options: str) -> dict[str, list[str]]:
        hits = medkg("search", "vexaritol", "--top", "50", *options)["hits"]
        return {hit["doc_id"]: hit["flags"] for hit in hits if hit["doc_id"] in ("801", "802")}

    assert found() == {"801": ["retracted"], "802": []}
    assert set(found("--without-flag", "retracted")) == {"802"}
    assert set(found("--flag", "retracted")) == {"801"}
    assert "RETRACTED" in medkg.text("search", "vexaritol rats", "--legs", "bm25")


def test_tenants_do_not_see_each_other(medkg: Medkg, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract("999")]))
    run = medkg("run", "auto", "--path", str(tmp_path), "--tenant", "other")
    assert run["documents"]["committed"] == 1
    assert [row["doc_id"] for row in medkg("docs", "list", "--tenant", "other")["documents"]] == ["999"]
    assert "999" not in [row["doc_id"] for row in medkg("docs", "list")["documents"]]


def test_a_fixed_dead_letter_is_replayed(medkg: Medkg, tmp_path: Path) -> None:
    article = tmp_path / "article.xml"
    whole = an_article(ids='<article-id pub-id-type="pmc">7777777</article-id>')
    article.write_bytes(whole.replace(b"</article>", b""))
    medkg("run", "auto", "--path", str(article), expect=1)
    (letter,) = [row for row in medkg("dlq", "list")["dead_letters"] if "7777777" in row["doc_id"]]
    assert medkg("dlq", "show", str(letter["id"]))["code"] == "MEDKG-200"
    article.write_bytes(whole)
    replayed = medkg("dlq", "replay", str(letter["id"]))
    assert replayed["documents"]["committed"] == 1
    medkg("dlq", "replay", "424242", expect=2)


def test_submitted_documents_are_run_by_the_daemon_though_its_code_server_died(
    medkg: Medkg, tmp_path: Path
) -> None:
    host = psutil.Process(medkg("status")["host"]["pid"])
    (code_server,) = (child for child in host.children(recursive=True) if child.name() == "dagster-code")
    code_server.kill()
    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract(str(n)) for n in range(5000, 5060)]))
    job = medkg("submit", "auto", "--path", str(tmp_path), "--window", "30")
    assert job["documents"] == {"in": 60, "pending": 60}

    def state() -> tuple[str, int]:
        jobs = medkg("status")["jobs"]
        row = next(row for row in jobs if row["job_id"] == job["job_id"])
        return row["state"], row["committed"]

    medkg.wait_until(lambda: state() == ("done", 60))


def test_the_dagster_api_launches_terminates_and_re_executes(medkg: Medkg, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract(str(n)) for n in range(6000, 6300)]))
    api = DagsterApi(medkg("status")["host"]["dagster_ui"])
    request = {"source": "files", "paths": [str(tmp_path / "a.jsonl")], "window": 300}
    run_id = api.launch("auto_pipeline_job", {"ops": {"ingest_op": {"config": request}}})
    medkg.wait_until(lambda: api.finished_steps(run_id) >= {"parse_op"})
    api.terminate(run_id)
    medkg.wait_until(lambda: api.has_ended(run_id, "CANCELED"))
    # windows of the job that had started before run to their end
    medkg.wait_until(lambda: medkg.count("running") == 0)
    assert medkg("status")["documents"]["queued"] >= 50
    assert medkg("status")["jobs"][0]["state"] == "cancelled"
    again = api.re_execute_from_failure(run_id)
    medkg.wait_until(lambda: api.has_ended(again, "SUCCESS"))
    assert not api.finished_steps(again) & {"ingest_op", "parse_op"}
    assert medkg("verify")["consistent"]


def test_a_job_that_works_is_cancelled_keeps_what_it_committed_and_is_continued(
    host: OneHost, tmp_path: Path
) -> None:
    medkg = host.tenant("cancelling")
    (tmp_path / "a.jsonl").write_bytes(json_lines([an_abstract(str(n)) for n in range(7000, 7300)]))
    submit = ("submit", "auto", "--path", str(tmp_path), "--window", "50")
    job_id = medkg(*submit)["job_id"]

    def job(job_id: str = job_id) -> dict[str, Any]:
        return next(row for row in medkg("jobs", "list")["jobs"] if row["job_id"] == job_id)

    medkg.wait_until(lambda: job()["committed"] > 0)
    (cancelled,) = medkg("jobs", "cancel", job_id)["jobs"]
    assert cancelled["state"] == "cancelled" and cancelled["pending"] > 0
    medkg.wait_until(lambda: medkg.count("running") == 0)
    ended = job()
    assert ended["state"] == "cancelled"
    assert ended["committed"] + ended["pending"] == 300 and ended["pending"] > 0
    assert medkg("verify")["consistent"]
    rest = medkg(*submit)["job_id"]
    medkg.wait_until(lambda: job(rest)["state"] == "done")
    assert (job(rest)["failed"], job(rest)["pending"]) == (0, 0)
    assert (medkg.count("queued"), medkg.count("running")) == (0, 0)
    assert all(medkg("docs", "show", str(number))["status"] == "committed" for number in (7000, 7149, 7299))


def test_a_status_and_the_tables_are_readable_without_json(medkg: Medkg) -> None:
    assert "Dagster UI" in medkg.text("status")
    assert "committed" in medkg.text("docs", "list", "--status", "committed")
    assert "characters" in medkg.text("docs", "show", "4711")
    assert "auto_pipeline_job" in medkg.text("topology", "list")
    assert "gpu-bound" in medkg.text("topology", "show", "auto")
    assert "hits in" in medkg.text("search", "patients", "--top", "2")
    assert medkg.text("dlq", "list", "--all")
    assert "ok" in medkg.text("doctor")


def test_eval_measures_each_leg(medkg: Medkg, tmp_path: Path) -> None:
    title = medkg("docs", "show", "4711")["chunks"][0]["body"][:60]
    questions = tmp_path / "q.jsonl"
    questions.write_bytes(json_lines([{"question_id": "1", "question": title, "relevant": ["4711"]}]))
    legs = medkg("eval", "--questions", str(questions))["legs"]
    assert set(legs) == {"bm25", "sparse", "dense", "hybrid"}
    assert "ndcg@10" in medkg.text("eval", "--questions", str(questions))
    questions.write_text("{}")
    medkg("eval", "--questions", str(questions), expect=2)


def test_what_a_haystack_pipeline_writes_gets_vectors_of_the_running_plane(medkg: Medkg) -> None:
    writer = HaystackIndexWriter(data_dir=str(medkg.data_dir), tenant_id="guests")
    texts = ["Metformin lowered blood sugar.", "Walking helps sleep."]
    assert writer.run([Document(content=text) for text in texts])["documents_written"] == 2
    writer.close()
    (hit,) = medkg("search", "glucose drug", "--tenant", "guests", "--top", "1")["hits"]
    assert (hit["text"], set(hit["legs"])) == (texts[0], {"sparse", "dense"})
    assert medkg("verify", "--tenant", "guests")["consistent"]


def test_replicas_that_hang_are_reported_and_searches_still_answer(medkg: Medkg) -> None:
    pools = medkg("status")["host"]["plane_health"]
    replicas = [psutil.Process(pools[name][0]["pid"]) for name in ("embedders", "expanders")]
    for replica in replicas:
        replica.suspend()
    try:
        health = medkg("status")["host"]["plane_health"]
        assert all("hangs" in health[name][0]["fault"] for name in ("embedders", "expanders"))
        result = medkg("search", "sleep", "--top", "2")
        assert result["hits"] and set(result["degraded"]) <= {"sparse", "dense"}
    finally:
        for replica in replicas:
            if replica.is_running():
                replica.resume()
