"""The graph beside the index: visible by one commit, cleaned with it, compared and made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from medkg.testing.builders import TENANT
from orchestration.contracts import Commit
from orchestration.errors import LeaseLostError
from orchestration.records import DocumentKey
from tests.orchestration.stores.data_folder import DataFolder, opened

BODIES = {"a": "walking helps sleep", "b": "coffee keeps adults awake"}
CLAIMS = [("a", "walking"), ("b", "coffee")]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with opened(tmp_path) as data_folder:
        data_folder.expects_graph = True
        yield data_folder


def dead(_: str) -> bool:
    return False


def held(folder: DataFolder) -> int:
    """Documents in the graph, visible or not."""
    return len(list(folder.ledger.graph.holdings(TENANT)))


def sql(tmp_path: Path, statement: str) -> None:
    """Change the graph's rows behind the store's back."""
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_index_and_graph_become_visible_by_one_commit(folder: DataFolder) -> None:
    staged = folder.stage(BODIES)
    receipts = folder.stage_graph(BODIES)
    assert (folder.claims(), folder.visible("walking")[0]) == ([], [])
    folder.log.commit(
        [Commit.of(ctx, receipt, graph) for (ctx, receipt), graph in zip(staged, receipts, strict=True)]
    )
    assert folder.claims() == CLAIMS
    assert folder.differences() == []


def test_a_new_version_leaves_nothing_of_the_old_one(folder: DataFolder) -> None:
    folder.ingest_with_graph(BODIES)
    folder.ingest_with_graph({"a": "tea calms"}, version="2")
    assert folder.claims() == [("a", "tea"), ("b", "coffee")]
    assert held(folder) == 2
    assert folder.differences() == []


def test_what_a_dead_writer_left_is_removed_and_what_is_visible_stays(folder: DataFolder) -> None:
    folder.ingest_with_graph(BODIES)
    folder.stage_graph({"a": "never committed", "c": "nor this"}, version="2", owner="dead")
    assert held(folder) == 4
    assert ("c", "graph", "leftover") in folder.differences(dead)
    assert folder.index.recover(dead) == 1
    assert held(folder) == 2
    assert folder.claims() == CLAIMS
    assert folder.differences() == []


def test_of_a_dead_writer_that_committed_some_documents_only_the_others_go(folder: DataFolder) -> None:
    staged = folder.stage(BODIES)
    receipts = folder.stage_graph(BODIES, owner="dead")
    folder.log.commit([Commit.of(*staged[0], receipts[0])])
    folder.index.recover(dead)
    assert folder.claims() == [("a", "walking")]
    assert held(folder) == 1
    with pytest.raises(LeaseLostError):
        folder.log.commit([Commit.of(*staged[1], receipts[1])])


def test_a_live_writers_rows_are_no_leftover(folder: DataFolder) -> None:
    folder.stage_graph(BODIES)
    assert folder.differences() == []
    assert folder.index.recover(lambda _: True) == 0
    assert held(folder) == 2


def test_receipts_of_removed_rows_are_lost(folder: DataFolder) -> None:
    receipts = folder.stage_graph(BODIES)
    assert folder.graph_writer.lost(receipts) == []
    folder.ledger.graph.discard(TENANT, receipts[0].intent_id, [receipts[0].key])
    assert folder.graph_writer.lost(receipts) == receipts[:1]


def test_a_deleted_document_leaves_the_graph(folder: DataFolder) -> None:
    folder.ingest_with_graph(BODIES)
    key = DocumentKey(tenant_id=TENANT, source="files", doc_id="a")
    folder.index.clean(folder.ledger.documents.delete([key]))
    assert folder.claims() == [("b", "coffee")]
    assert held(folder) == 1


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("DELETE FROM graph_claims; DELETE FROM graph_mentions; DELETE FROM graph_documents", "missing"),
        ("UPDATE graph_documents SET claim_count = 7", "incomplete"),
        ("UPDATE commits SET graph_intent_id = NULL, entity_count = 0, claim_count = 0", "missing"),
    ],
)
def test_what_is_lost_is_found_and_extracted_again(
    tmp_path: Path, folder: DataFolder, loss: str, kind: str
) -> None:
    folder.ingest_with_graph(BODIES)
    for statement in loss.split("; "):
        sql(tmp_path, statement)
    differences = folder.differences()
    assert {each for each in differences if each[2] != "leftover"} == {
        (name, "graph", kind) for name in BODIES
    }
    done = folder.repair()
    assert done.restored == {"graph": 2}
    assert (folder.claims(), folder.differences()) == (CLAIMS, [])
    folder.index.recover(dead)  # what this process wrote and no commit names
    assert (folder.claims(), held(folder)) == (CLAIMS, 2)


def test_a_lost_ledger_is_made_again_with_its_graph(tmp_path: Path, folder: DataFolder) -> None:
    folder.ingest_with_graph(BODIES)
    folder.ledger.close()
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    with opened(tmp_path) as again:
        again.expects_graph = True
        done = again.repair()
        assert done.restored == {"ledger": 2, "graph": 2}
        assert (again.claims(), again.differences()) == (CLAIMS, [])


def test_a_document_whose_text_is_lost_too_is_queued_again_and_stays_visible(
    tmp_path: Path, folder: DataFolder
) -> None:
    folder.ingest_with_graph(BODIES)
    sql(tmp_path, "DELETE FROM graph_claims")
    sql(tmp_path, "UPDATE graph_documents SET claim_count = 0")
    for key, version, fingerprint in list(folder.documents.held(TENANT)):
        if key.doc_id == "a":
            folder.documents.forget([(key, version, fingerprint)])
    done = folder.repair()
    assert {key.doc_id for key in done.left} == {"a"}
    assert folder.claims() == [("b", "coffee")]
    assert "walking helps sleep" in folder.visible("walking")[0]
