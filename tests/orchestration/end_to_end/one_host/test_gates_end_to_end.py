"""PDFs in two phases: a converter killed and started again, gates opened by hand, every trace erased."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from medkg.testing.synthetic_pdfs import LAYOUTS, Article, an_article, pdf_of
from orchestration.runs.artifacts import PREFIX, read_artifact
from orchestration.stores.objects.opening import open_objects
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import BY_HAND, OneHost
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

PAPERS = 4
RARE = "Quibblezark"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """PDFs of synthetic articles, one of which is cut off."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for number, layout in zip(range(PAPERS), LAYOUTS.values(), strict=False):
        (folder / f"paper-{number}.pdf").write_bytes(pdf_of(an_article(number), layout))
    (folder / "broken.pdf").write_bytes(pdf_of(an_article(9), LAYOUTS["one column"])[:2000])
    return folder


def times_resumed(medkg: Medkg) -> Counter[str]:
    """How many runs of the second phase took each document of the tenant up, by what they left."""
    objects = open_objects(medkg.data_dir.as_uri())
    keys = [stored.key for stored in objects.list(PREFIX) if "/resume_op." in stored.key]
    contexts = [ctx for key in keys for ctx, _ in read_artifact(objects, key).items]
    return Counter(ctx.doc_id for ctx in contexts if ctx.tenant_id == medkg.tenant)


def test_a_converter_that_dies_and_comes_back_loses_no_document_and_resumes_none_twice(
    host: OneHost, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medkg = host.tenant("converting")
    monkeypatch.setenv("MEDKG_MINERU_URL", host.mineru.url)
    run = medkg.process("run", "pdf-two-phase", "--path", str(papers), "--json")
    medkg.wait_until(lambda: len(medkg("gate", "list")["waiting"]) == PAPERS + 1, run)
    (first, *_) = medkg("gate", "list")["waiting"]
    assert (first["gate"], first["waits_for"]) == ("pdf_ready", ["pdf_ir_ready"])
    assert first["conversion"]["converter"] == "mineru"
    medkg.wait_until(lambda: host.mineru.url in str(medkg("gate", "list")["waiting"][0]["obstacle"]), run)
    medkg.wait_until(lambda: {job["state"] for job in medkg("status")["jobs"]} == {"waiting"}, run)
    host.mineru.start()
    try:
        stdout, stderr = run.communicate(timeout=PATIENCE)
    finally:
        host.mineru.kill()
    assert run.returncode == 1, stderr
    assert f'"committed": {PAPERS}, "failed": 1, "skipped": 0, "waiting": 0' in stdout
    (letter,) = medkg("dlq", "list")["dead_letters"]
    assert (letter["stage"], "broken.pdf" in letter["doc_id"]) == ("pdf_ir", True)
    assert set(times_resumed(medkg).values()) == {1}
    document = medkg("docs", "list", "--status", "committed")["documents"][0]
    assert medkg("search", document["title"], "--top", "1")["hits"][0]["title"] == document["title"]


def test_a_gate_for_an_operator_is_opened_by_hand_and_the_daemon_goes_on(host: OneHost, papers: Path) -> None:
    medkg = host.tenant("by-hand")
    job_id = medkg("submit", BY_HAND, "--path", str(papers))["job_id"]
    medkg.wait_until(lambda: _converted(medkg) == PAPERS)
    waiting = medkg("gate", "list", "--stage", "parse")["waiting"]
    doc_id = next(row["doc_id"] for row in waiting if row["waits_for"] == [])
    assert medkg("gate", "open", doc_id)["opened"] == 1
    medkg.wait_until(lambda: len(medkg("docs", "list", "--status", "committed")["documents"]) == 1)
    assert medkg("gate", "open", "--all", "--stage", "parse")["opened"] == PAPERS - 1
    medkg.wait_until(lambda: _state(medkg, job_id) == "done")
    assert times_resumed(medkg).total() == PAPERS


def test_an_erased_pdf_leaves_no_byte_in_any_file(host: OneHost, tmp_path: Path) -> None:
    medkg = host.tenant("erasing-pdfs")
    folder = tmp_path / "papers"
    folder.mkdir()
    layout = LAYOUTS["one column"]
    other, mine = folder / "other.pdf", folder / f"{RARE}.pdf"
    other.write_bytes(pdf_of(an_article(2), layout))
    mine.write_bytes(pdf_of(about(RARE), layout))
    middle = mine.read_bytes()[len(mine.read_bytes()) // 2 :][:64]
    assert middle not in other.read_bytes()
    medkg("run", "pdf-text-layer", "--path", str(folder))
    (doc_id,) = [row["doc_id"] for row in medkg("docs", "list")["documents"] if RARE in row["doc_id"]]
    assert all(_holding(medkg.data_dir, trace) for trace in (RARE.encode(), middle))
    medkg("docs", "delete", doc_id, "--erase")
    assert [_holding(medkg.data_dir, trace) for trace in (RARE.encode(), middle)] == [[], []]
    assert len(medkg("docs", "list", "--status", "committed")["documents"]) == 1


def about(word: str) -> Article:
    """An article with a word that no other has."""
    article = an_article(1)
    part = replace(article.parts[2], text=f"The {word} was seen. {article.parts[2].text}")
    return replace(article, parts=(*article.parts[:2], part, *article.parts[3:]))


def _converted(medkg: Medkg) -> int:
    return sum((row["conversion"] or {}).get("state") == "done" for row in medkg("gate", "list")["waiting"])


def _state(medkg: Medkg, job_id: str) -> str:
    (job,) = [entry for entry in medkg("status")["jobs"] if entry["job_id"] == job_id]
    return str(job["state"])


def _holding(folder: Path, trace: bytes) -> list[str]:
    """Files in which a trace stands."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and trace in path.read_bytes()]
