"""`medkg export`, `import`, `backup` and `restore` over the demo corpus, with the real models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import an_abstract, json_lines
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import CORPUS, OneHost
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

QUERIES = ("Who could not join the trial?", "adverse events of treatment", "metformin")
DOCUMENTS = 80
LEGS = ("bm25", "sparse", "dense", "bm25,sparse,dense")


@pytest.fixture
def no_host_answers(monkeypatch: pytest.MonkeyPatch, exact_only: None) -> None:
    """Searches load the models in this process, in fp32, so that scores can be compared."""
    monkeypatch.setattr("orchestration.jobs.host_client.HostClient.is_running", lambda client: False)


def hits(medkg: Medkg) -> list[Any]:
    """Answers by every leg, scores included."""
    return [medkg("search", query, "--legs", legs)["hits"] for query in QUERIES for legs in LEGS]


def test_an_imported_tenant_is_searched_listed_and_verified(
    demo: Medkg, tmp_path: Path, no_host_answers: None
) -> None:
    exported = demo("export", str(tmp_path / "copy"))
    documents = exported["tenants"][demo.tenant]["documents"]
    assert documents == demo.count("committed") > 50

    medkg = Medkg(tmp_path / "data", demo.tenant)
    account = medkg("import", str(tmp_path / "copy"))["documents"]
    assert account == {"in": documents, "imported": documents, "unchanged": 0, "kept": 0, "refused": 0}
    assert medkg("import", str(tmp_path / "copy"))["documents"]["unchanged"] == documents
    assert medkg("verify")["consistent"]
    for actual, expected in zip(hits(medkg), hits(demo), strict=True):
        _check_alike(actual, expected)

    doc_id = medkg("docs", "list", "--limit", "1")["documents"][0]["doc_id"]
    assert medkg("docs", "show", doc_id) == demo("docs", "show", doc_id)

    medkg("docs", "delete", doc_id)
    assert medkg("verify")["consistent"]
    assert medkg("import", str(tmp_path / "copy"))["documents"]["imported"] == 1


def test_a_run_over_the_sources_of_an_imported_tenant_skips_its_documents(
    demo: Medkg, host: OneHost, tmp_path: Path
) -> None:
    documents = demo("export", str(tmp_path / "copy"))["tenants"][demo.tenant]["documents"]
    medkg = host.tenant("imported")
    assert medkg("import", str(tmp_path / "copy"))["documents"]["imported"] == documents
    again = medkg("run", "auto", "--path", str(CORPUS), expect=1)["documents"]
    assert (again["committed"], again["skipped"]) == (0, documents)
    assert len(medkg("dlq", "list")["dead_letters"]) == len(demo("dlq", "list")["dead_letters"]) > 0


def test_a_restored_folder_answers_identically(demo: Medkg, tmp_path: Path, no_host_answers: None) -> None:
    backup = demo("backup", str(tmp_path / "backup"))
    restored = Medkg(tmp_path / "data", demo.tenant)
    assert restored("restore", str(tmp_path / "backup"))["tenants"] == backup["tenants"]
    for command in (("docs", "list"), ("dlq", "list"), ("verify",)):
        assert restored(*command) == demo(*command)
    status, expected = restored("status"), demo("status")
    assert {**status, "data_dir": ""} == {**expected, "data_dir": ""}
    assert hits(restored) == hits(demo)


def test_a_backup_beside_a_run_is_whole_and_the_run_is_finished_after_its_restore(
    host: OneHost, tmp_path: Path
) -> None:
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract(str(number)) for number in range(DOCUMENTS)]))
    medkg, restored = host.tenant("beside"), Medkg(tmp_path / "restored", "beside")
    command = ("run", "auto", "--path", str(path), "--window", "10", "--json")
    run = medkg.process(*command)
    medkg.wait_until(lambda: medkg.count("committed") > 0, run)
    tenants = medkg("backup", str(tmp_path / "backup"))["tenants"]
    _, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    restored("restore", str(tmp_path / "backup"))
    assert restored.count("committed") == tenants["beside"]["documents"] > 0
    assert restored("verify")["consistent"]
    again = restored("run", *command[1:-1])["documents"]
    assert again["committed"] + again["skipped"] == again["in"] == DOCUMENTS
    assert restored.count("committed") == DOCUMENTS
    assert restored("verify")["consistent"]


def test_wrong_use_is_reported_with_its_exit_code(demo: Medkg, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fresh = Medkg(tmp_path / "data")
    for command, code, message in (
        (("import", str(tmp_path / "absent")), 2, "there is no folder"),
        (("import", str(tmp_path / "empty")), 1, "interrupted"),
        (("restore", str(tmp_path / "empty")), 1, "interrupted"),
    ):
        assert message in fresh(*command, expect=code)["error"]["message"]
    demo("backup", str(tmp_path / "backup"))
    message = fresh("import", str(tmp_path / "backup"), expect=1)["error"]["message"]
    assert "medkg restore" in message
    assert "not empty" in demo("restore", str(tmp_path / "backup"), expect=2)["error"]["message"]


def _check_alike(actual: list[Any], expected: list[Any]) -> None:
    """The same hits but for the last bits of scores, since rows stand elsewhere in another index, and so but
    for the order of those that are as good as equal, and which of them are the last."""
    assert [hit["score"] for hit in actual] == pytest.approx([hit["score"] for hit in expected], rel=1e-4)
    last = expected[-1]["score"]
    clear = {hit["chunk_id"]: _apart(hit) for hit in expected if hit["score"] > last + 1e-3 * abs(last)}
    assert clear.items() <= {hit["chunk_id"]: _apart(hit) for hit in actual}.items()


def _apart(hit: dict[str, Any]) -> dict[str, Any]:
    """What a hit cites."""
    return {name: value for name, value in hit.items() if name not in ("rank", "score", "legs")}
