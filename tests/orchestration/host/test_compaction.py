"""Outdated indexes are built by a child of the host, one tenant after the other; a failure is logged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from medkg.testing.ledger_suite.builders import a_job, an_item
from orchestration.contracts import VectorRow
from orchestration.host.compaction import Compaction
from orchestration.host.environment import child_environment
from orchestration.ledger import open_ledger
from orchestration.records import DocumentKey
from orchestration.settings import Settings
from orchestration.stores.faiss.vectors import FaissVectors
from tests.waiting import wait_until

ROWS = 50_001
"""One more than are compared exactly."""
TENANTS = ("one", "two")


@pytest.fixture
def vectors(tmp_path: Path) -> FaissVectors:
    """A store with two tenants whose indexes are due, beside a ledger with a document of theirs."""
    ledger = open_ledger(Settings(data_dir=tmp_path).ledger_url, 60)
    a_job(ledger, an_item("d"))
    ledger.close()
    store = FaissVectors(Settings(data_dir=tmp_path).vectors_dir)
    dense = np.random.default_rng(1).normal(size=(ROWS, 8)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    for tenant in TENANTS:
        key = DocumentKey(tenant_id=tenant, source="files", doc_id="d")
        store.write(tenant, "m", "i", [VectorRow(key, str(number), {}) for number in range(ROWS)], dense)
    return store


def compaction(tmp_path: Path, vectors: FaissVectors, environment: dict[str, str]) -> Compaction:
    return Compaction(lambda: TENANTS, lambda: vectors, environment, tmp_path / "compaction.log")


def test_a_child_builds_the_outdated_indexes_of_each_tenant(tmp_path: Path, vectors: FaissVectors) -> None:
    settings = Settings(data_dir=tmp_path)
    running = compaction(tmp_path, vectors, child_environment(settings))
    running.tick()
    assert all(map(vectors.compaction_due, TENANTS))  # nothing reported new vectors

    running.check_all()

    def built() -> bool:
        running.tick()
        return not any(map(vectors.compaction_due, TENANTS))

    wait_until(built)
    running.close()


def test_a_failed_child_is_logged_with_the_path_of_its_log(tmp_path: Path, vectors: FaissVectors) -> None:
    running = compaction(tmp_path, vectors, {"PATH": "/usr/bin:/bin", "MEDKG_DATA_DIR": "/dev/null/nowhere"})
    running.check_all()

    def warned() -> bool:
        running.tick()
        return bool(logged)

    with capture_logs() as logged:
        wait_until(warned)
    running.close()

    assert logged[0]["event"] == "compaction failed" and logged[0]["tenant"] in TENANTS
    assert (tmp_path / "compaction.log").read_text()
