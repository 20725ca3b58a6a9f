"""Ledger on PostgreSQL, words in OpenSearch, objects on S3: no machine needs another's disk, nor its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.operations.backup.copies import answers, ingest, opened, verified
from tests.orchestration.postgresql import needs_postgresql, own_schema

pytestmark = [
    needs_postgresql,
    pytest.mark.needs_service("opensearch"),
    pytest.mark.needs_service("s3"),
]


@pytest.fixture(autouse=True)
def on_servers(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Data folders that are opened from now on have their ledger, words and objects on servers."""
    with connected() as connection, own_prefix(connection) as prefix, own_schema() as ledger:
        for name, value in (
            ("OPENSEARCH_URL", SERVER),
            ("OPENSEARCH_PREFIX", prefix),
            ("SEARCH_STORE", "opensearch"),
            ("LEDGER_URL", ledger),
            ("OBJECTS_URL", s3_url),
        ):
            monkeypatch.setenv(f"MEDKG_{name}", value)
        yield


def test_what_one_machine_ingests_another_finds_and_changes_and_neither_needs_its_disk(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "one") as first, opened(tmp_path / "two") as second:
        ingest(first, {"1": ["walking", "walking home"], "2": ["sleeping"]})
        expected = answers(second, "walking")
        assert expected == answers(first, "walking")
        assert all(expected[leg] for leg in ("bm25", "sparse", "dense"))
        ingest(second, {"1": ["walking fast"]}, version="2")
        assert answers(first, "walking") == answers(second, "walking") != expected
        assert verified(first) and verified(second)
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    with opened(tmp_path / "three") as three:
        assert answers(three, "sleeping")["dense"]
        (commit,) = [commit for commit in three.ledger.commits.committed(TENANT) if commit.key.doc_id == "1"]
        document = three.stores.documents.get(commit.key, commit.version, commit.fingerprint)
        assert document is not None and document.title == "1 in 2"
        assert verified(three)
    assert {path.name for path in (tmp_path / "three").iterdir()} == {"cache", "stores.json"}
