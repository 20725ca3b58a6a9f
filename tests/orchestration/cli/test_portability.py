"""`medkg export`, `import`, `backup` and `restore` over the demo corpus, with the real models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import an_abstract, json_lines
from tests.orchestration.command_line import Medkg
from tests.orchestration.dagster_api import wait_until

pytestmark = pytest.mark.plane

CORPUS = Path(__file__).resolve().parents[3] / "demo" / "corpus"
QUERIES = ("Who could not join the trial?", "adverse events of treatment", "metformin")
DOCUMENTS = 60
LEGS = ("bm25", "sparse", "dense", "bm25,sparse,dense")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Medkg:
    """A folder that holds the demo corpus, some of which is broken."""
    medkg = Medkg(tmp_path_factory.mktemp("original") / "data")
    medkg("run", "auto", "--path", str(CORPUS), expect=1)
    return medkg


def hits(medkg: Medkg) -> list[Any]:
    """Answers by every leg, scores included."""
    return [medkg("search", query, "--legs", legs)["hits"] for query in QUERIES for legs in LEGS]


def test_an_imported_tenant_is_searched_listed_verified_and_skipped_by_a_run(
    original: Medkg, tmp_path: Path, exact_only: None
) -> None:
    exported = original("export", str(tmp_path / "copy"))
    documents = exported["tenants"]["default"]["documents"]
    assert documents == original("status")["documents"]["committed"] > 50

    medkg = Medkg(tmp_path / "data")
    account = medkg("import", str(tmp_path / "copy"))["documents"]
    assert account == {"in": documents, "imported": documents, "unchanged": 0, "kept": 0}
    assert medkg("import", str(tmp_path / "copy"))["documents"]["unchanged"] == documents
    assert medkg("verify")["consistent"]
    for found, expected in zip(hits(medkg), hits(original), strict=True):
        _check_alike(found, expected)

    doc_id = medkg("docs", "list", "--limit", "1")["documents"][0]["doc_id"]
    assert medkg("docs", "show", doc_id) == original("docs", "show", doc_id)

    again = medkg("run", "auto", "--path", str(CORPUS), expect=1)["documents"]
    assert (again["committed"], again["skipped"]) == (0, documents)
    assert len(medkg("dlq", "list")["dead_letters"]) == len(original("dlq", "list")["dead_letters"]) > 0

    medkg("docs", "delete", doc_id)
    assert medkg("verify")["consistent"]
    assert medkg("import", str(tmp_path / "copy"))["documents"]["imported"] == 1


def test_a_restored_folder_answers_identically(original: Medkg, tmp_path: Path, exact_only: None) -> None:
    made = original("backup", str(tmp_path / "backup"))
    restored = Medkg(tmp_path / "data")
    assert restored("restore", str(tmp_path / "backup"))["tenants"] == made["tenants"]
    for command in (("docs", "list"), ("dlq", "list"), ("verify",)):
        assert restored(*command) == original(*command)
    status, expected = restored("status"), original("status")
    assert {**status, "data_dir": ""} == {**expected, "data_dir": ""}
    assert hits(restored) == hits(original)


def test_a_backup_beside_a_run_is_whole_and_what_was_on_is_done_after_its_restore(tmp_path: Path) -> None:
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract(str(number)) for number in range(DOCUMENTS)]))
    medkg, restored = Medkg(tmp_path / "data"), Medkg(tmp_path / "restored")
    command = ("run", "auto", "--path", str(path), "--window", "10", "--json")
    run = medkg.process(*command)
    wait_until(lambda: (medkg.data_dir / "ledger.sqlite").exists() and _committed(medkg) > 0, 300)
    tenants = medkg("backup", str(tmp_path / "backup"))["tenants"]
    _, stderr = run.communicate(timeout=300)
    assert run.returncode == 0, stderr
    restored("restore", str(tmp_path / "backup"))
    assert _committed(restored) == tenants["default"]["documents"] > 0
    assert restored("verify")["consistent"]
    again = restored("run", *command[1:-1])["documents"]
    assert again["committed"] + again["skipped"] == again["in"] == DOCUMENTS
    assert _committed(restored) == DOCUMENTS
    assert restored("verify")["consistent"]


def test_wrong_use_is_told_with_its_exit_code(original: Medkg, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fresh = Medkg(tmp_path / "data")
    for command, code, told in (
        (("import", str(tmp_path / "absent")), 2, "there is no folder"),
        (("import", str(tmp_path / "empty")), 1, "broken off"),
        (("restore", str(tmp_path / "empty")), 1, "broken off"),
    ):
        assert told in fresh(*command, expect=code)["error"]["message"]
    original("backup", str(tmp_path / "backup"))
    told = fresh("import", str(tmp_path / "backup"), expect=1)["error"]["message"]
    assert "medkg restore" in told
    assert "not empty" in original("restore", str(tmp_path / "backup"), expect=2)["error"]["message"]


def _committed(medkg: Medkg) -> int:
    return int(medkg("status")["documents"].get("committed", 0))


def _check_alike(found: list[Any], expected: list[Any]) -> None:
    """The same hits but for the last bits of scores, since rows stand elsewhere in another index, and so but
    for the order of those that are as good as equal, and which of them are the last."""
    assert [hit["score"] for hit in found] == pytest.approx([hit["score"] for hit in expected], rel=1e-4)
    last = expected[-1]["score"]
    clear = {hit["chunk_id"]: _apart(hit) for hit in expected if hit["score"] > last + 1e-3 * abs(last)}
    assert clear.items() <= {hit["chunk_id"]: _apart(hit) for hit in found}.items()


def _apart(hit: dict[str, Any]) -> dict[str, Any]:
    """What a hit cites."""
    return {name: value for name, value in hit.items() if name not in ("rank", "score", "legs")}
