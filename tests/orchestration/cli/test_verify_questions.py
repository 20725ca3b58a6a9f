"""`medkg verify --repair` asks on a terminal before it deletes, and does what was answered.

The terminal is a real one (a pseudo-terminal), and so is the index that lost its shards: they may be
allocated only to a node that does not exist.
"""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import StoreCorruptError
from orchestration.records import DocumentKey
from orchestration.stores.opensearch.connection import Connection
from tests.orchestration.command_line import MEDKG, Medkg
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.operations.backup.copies import ingest, opened
from tests.waiting import PATIENCE, wait_until

BODIES = {"1": ["walking helps sleep"], "2": ["sleeping helps walking", "and the reverse"]}
ALLOCATION = "index.routing.allocation.require._name"


def answered(medkg: Medkg, answer: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a repair whose question is answered on a terminal."""
    command = [*MEDKG, "--data-dir", str(medkg.data_dir), "--tenant", medkg.tenant, "verify", "--repair"]
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        ended = subprocess.run(
            command,
            stdin=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(stdin)
        os.close(terminal)
    return ended.returncode, ended.stdout, ended.stderr


# --- a document of which nothing is left --------------------------------------------------------------


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    """A folder with two documents; of one neither chunks nor parsed text are left."""
    with opened(tmp_path / "data") as parts:
        ingest(parts, BODIES)
        key = DocumentKey(tenant_id=TENANT, source="files", doc_id="2")
        commit = parts.ledger.commits.find(key)
        assert commit is not None
        parts.stores.search.discard(TENANT, commit.intent_id, [key])
        parts.stores.documents.discard(key, None)
    return Medkg(tmp_path / "data", TENANT)


@pytest.mark.parametrize("answer", ["n", ""])
def test_a_repair_that_is_answered_no_deletes_nothing_and_names_what_is_left(
    medkg: Medkg, answer: str
) -> None:
    code, shown, question = answered(medkg, answer)
    assert code == 1
    assert "delete ledger: 1 documents" in shown and "(asks, or wants --yes)" in shown
    assert "Do the steps that delete (2)? [y/N]" in question
    left = shown[shown.index("because") :].splitlines()
    assert any(line.split()[:1] == ["2"] for line in left)
    assert "deleted:" not in shown
    assert shown.rstrip().endswith("the stores differ")
    assert medkg("status")["documents"]["committed"] >= 1
    with opened(medkg.data_dir) as parts:
        assert {commit.key.doc_id for commit in parts.ledger.commits.committed(TENANT)} == {"1", "2"}
    value = medkg("verify", "--repair", expect=1)
    assert (value["deleted"], [row["doc_id"] for row in value["left"]]) == ([], ["2"])


def test_a_repair_that_is_answered_yes_deletes_what_the_plan_named(medkg: Medkg) -> None:
    code, shown, question = answered(medkg, "y")
    assert (code, "Do the steps that delete (2)?" in question) == (0, True)
    assert "deleted: 2" in shown
    assert shown.rstrip().endswith("consistent")
    with opened(medkg.data_dir) as parts:
        assert {commit.key.doc_id for commit in parts.ledger.commits.committed(TENANT)} == {"1"}
    assert medkg("status")["documents"] == {"committed": 1, "queued": 1}


# --- an index that lost shards ------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Connection, str]]:
    """A connection to the server, and the prefix of indexes of folders that are opened from now on."""
    with connected() as connection, own_prefix(connection) as prefix:
        monkeypatch.setenv("MEDKG_OPENSEARCH_URL", SERVER)
        monkeypatch.setenv("MEDKG_OPENSEARCH_PREFIX", prefix)
        monkeypatch.setenv("MEDKG_SEARCH_STORE", "opensearch")
        monkeypatch.setenv("MEDKG_VECTOR_STORE", "opensearch")
        yield connection, prefix


@pytest.fixture
def indexed(tmp_path: Path, server: tuple[Connection, str]) -> Medkg:
    """A folder with two documents whose index is on the server."""
    with opened(tmp_path / "data") as parts:
        ingest(parts, BODIES)
    return Medkg(tmp_path / "data", TENANT)


def lose_shards(server: tuple[Connection, str], kind: str) -> str:
    """Make an index red: it is created again for a node that does not exist; returns its name."""
    connection, prefix = server
    client = connection.client
    ((index, description),) = client.indices.get(index=f"{prefix}-{kind}.*").items()
    settings = {
        name: description["settings"]["index"][name]
        for name in ("knn",)
        if name in description["settings"]["index"]
    }
    client.indices.delete(index=index)
    body = {
        "settings": {**settings, "number_of_replicas": 0, ALLOCATION: "a node that does not exist"},
        "mappings": description["mappings"],
        "aliases": description["aliases"],
    }
    client.indices.create(index=index, body=body, wait_for_active_shards="0")
    assert client.cluster.health(index=index)["status"] == "red"
    return str(index)


def lost(index: str) -> str:
    """The error for an index of vectors that lost its one shard."""
    return (
        f"index {index} of OpenSearch at {SERVER.rstrip('/')} is red: it has lost 1 shards. Start the nodes "
        "that hold them; or delete the index, then `medkg verify --repair` makes its vectors again."
    )


def uuid_of(server: tuple[Connection, str], index: str) -> str:
    """What identifies the index: one that was deleted and made again has another."""
    return str(server[0].client.indices.get(index=index)[index]["settings"]["index"]["uuid"])


def bring_node_back(server: tuple[Connection, str], index: str) -> None:
    """Let the shards be allocated; they are empty."""
    client = server[0].client
    client.indices.put_settings(index=index, body={ALLOCATION: None})
    wait_until(lambda: client.cluster.health(index=index)["status"] == "green")


@pytest.mark.needs_service("opensearch")
def test_an_index_that_lost_shards_is_not_deleted_unasked(
    indexed: Medkg, server: tuple[Connection, str]
) -> None:
    index = lose_shards(server, "chunks")
    uuid = uuid_of(server, index)
    value = indexed("verify", expect=1)
    assert [(row["doc_id"], row["store"], row["kind"]) for row in value["differences"]] == [
        ("*", "search", "damaged")
    ]
    (step,) = value["plan"]
    assert (step["action"], step["store"], step["asks"]) == ("delete", "search", True)
    assert "start the missing nodes first" in step["detail"]

    value = indexed("verify", "--repair", expect=1)
    assert (value["deleted"], [row["doc_id"] for row in value["left"]]) == ([], ["*"])
    assert "was not allowed" in value["left"][0]["reason"]

    code, shown, question = answered(indexed, "n")
    assert (code, "Do the steps that delete (*)?" in question) == (1, True)
    assert "was not allowed" in shown and shown.rstrip().endswith("the stores differ")

    assert uuid_of(server, index) == uuid
    bring_node_back(server, index)
    repaired = indexed("verify", "--repair")
    assert (repaired["consistent"], repaired["restored"]) == (True, {"search": 2})
    assert uuid_of(server, index) == uuid


@pytest.mark.needs_service("opensearch")
def test_an_index_that_lost_shards_is_made_again_when_that_is_answered_yes(
    indexed: Medkg, server: tuple[Connection, str]
) -> None:
    index = lose_shards(server, "chunks")
    uuid = uuid_of(server, index)
    code, shown, _ = answered(indexed, "y")
    assert "restored search: 2 documents" in shown
    assert (code, shown.rstrip().endswith("consistent")) == (0, True)
    assert uuid_of(server, index) != uuid
    hits = indexed("search", "walkers slept longer", "--legs", "bm25,sparse,dense")["hits"]
    assert {hit["doc_id"] for hit in hits} == {"1", "2"}


@pytest.mark.needs_service("opensearch")
def test_an_index_of_vectors_that_lost_shards_is_unavailable_and_not_touched(
    indexed: Medkg, server: tuple[Connection, str]
) -> None:
    """The health of the index is asked first: the server would wait a minute for the shards at a refresh."""
    index = lose_shards(server, "vectors")
    uuid = uuid_of(server, index)
    for command in (["verify"], ["verify", "--repair", "--yes"]):
        error = indexed(*command, expect=3)["error"]
        assert error["code"] == StoreCorruptError.code
        assert error["message"] == lost(index)
    assert indexed("status")["problems"][-1] == lost(index)
    (check,) = [
        check for check in indexed("doctor", expect=3)["checks"] if check["check"] == "vectors are whole"
    ]
    assert (check["ok"], check["detail"]) == (False, lost(index))
    assert uuid_of(server, index) == uuid
    bring_node_back(server, index)
    repaired = indexed("verify", "--repair")
    assert (repaired["consistent"], repaired["restored"]) == (True, {"vectors": 2})
