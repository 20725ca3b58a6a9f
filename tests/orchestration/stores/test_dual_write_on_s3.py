"""The dual write with vectors and documents on S3: whatever dies, both or neither, on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import UnavailableError
from orchestration.processes.child_process import is_alive
from orchestration.stores.faiss.object_vectors import ObjectVectors
from orchestration.stores.objects.opening import open_objects
from tests.orchestration.stores.data_folder import (
    BOUNDARIES,
    NEW,
    OLD,
    DataFolder,
    Pairing,
    check_death,
    found,
    opened,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.needs_service("s3")

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pairing(s3_url: str) -> Pairing:
    return Pairing(objects=s3_url)


@pytest.fixture
def data(tmp_path: Path, pairing: Pairing) -> Iterator[DataFolder]:
    with opened(tmp_path, pairing=pairing) as folder:
        yield folder


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_writer_killed_at_any_boundary_leaves_the_old_or_the_new_version_whole(
    data: DataFolder, tmp_path: Path, pairing: Pairing, boundary: str
) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.orchestration.stores.data_folder",
        str(tmp_path),
        "index",
        boundary,
    ]

    def killed() -> int:
        environment = {**os.environ, **pairing.environment}
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=PATIENCE, check=False).returncode

    check_death(data, boundary, killed)


def test_a_store_that_is_unavailable_at_a_write_costs_nothing(
    data: DataFolder, pairing: Pairing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    vectors = data.index._vectors
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        data.index._vectors = ObjectVectors(open_objects(pairing.objects), tmp_path / "cache")
        with pytest.raises(UnavailableError):
            data.stage({"1": "walking fast", "3": "walking home"}, version="2", owner="dead")
    data.index._vectors = vectors
    assert found(data) == OLD
    assert data.index.recover(is_alive) == 1
    assert data.differences() == []
    data.ingest({"1": "walking fast", "3": "walking home"}, version="2")
    assert found(data) == NEW
    assert data.differences() == []


def test_what_was_lost_or_damaged_is_reported_and_repaired_to_the_same_content(
    data: DataFolder, pairing: Pairing
) -> None:
    objects = open_objects(pairing.objects)
    data.ingest({"1": "walking", "2": "walking far"})
    before = found(data)
    first = next(iter(data.vectors.holdings(TENANT)))
    data.vectors.discard(TENANT, first.intent_id, [first.key])
    assert data.differences() == [(first.key.doc_id, "vectors", "missing")]
    data.repair()
    assert (data.differences(), found(data)) == ([], before)

    for segment in [stored for stored in objects.list("vectors") if stored.key.endswith(".segment")]:
        objects.put(segment.key, b"MEDKGVEC and then nothing")
    assert {store for _, store, _ in data.differences()} == {"vectors"}
    data.repair()
    assert (data.differences(), found(data)) == ([], before)

    objects.put(next(stored.key for stored in objects.list("documents")), b"damaged")
    assert {store for _, store, _ in data.differences()} == {"documents"}
    data.repair()
    data.ingest({"1": "walking", "2": "walking far"})
    assert (data.differences(), found(data)) == ([], before)
