"""Ledger on PostgreSQL, words in OpenSearch, objects on S3: no machine needs another's disk, nor its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from tests.orchestration.opensearch import SERVER, connected, prefix_of_its_own
from tests.orchestration.operations.backup.copies import answers, ingest, opened, verified
from tests.orchestration.postgresql import needs_postgresql, schema_of_its_own

pytestmark = [
    needs_postgresql,
    pytest.mark.needs_service("opensearch"),
    pytest.mark.needs_service("s3"),
]


@pytest.fixture(autouse=True)
def on_servers(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Data folders that are opened from now on have their ledger, words and objects on servers."""
    with connected() as connection, prefix_of_its_own(connection) as prefix, schema_of_its_own() as ledger:
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
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        ingest(one, {"1": ["walking", "walking home"], "2": ["sleeping"]})
        found = answers(two, "walking")
        assert found == answers(one, "walking")
        assert all(found[leg] for leg in ("bm25", "sparse", "dense"))
        ingest(two, {"1": ["walking fast"]}, version="2")
        assert answers(one, "walking") == answers(two, "walking") != found
        assert verified(one) and verified(two)
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    with opened(tmp_path / "three") as three:
        assert answers(three, "sleeping")["dense"]
        (commit,) = [commit for commit in three.ledger.commits.committed(TENANT) if commit.key.doc_id == "1"]
        document = three.stores.documents.get(commit.key, commit.version, commit.fingerprint)
        assert document is not None and document.title == "1 in 2"
        assert verified(three)
    assert {path.name for path in (tmp_path / "three").iterdir()} == {"cache", "stores.json"}
