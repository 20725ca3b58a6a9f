"""The derived index keeps the suite's promises, whatever its kind; it can be lost, damaged or half made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from structlog.testing import capture_logs

from medkg.testing.builders import TENANT
from medkg.testing.vector_store_suite import (
    ANY,
    EAST,
    MODEL,
    VectorStoreSuite,
    a_row,
    everything,
    found,
    unit,
)
from orchestration.contracts import Candidate, Filters, Visible
from orchestration.records import Float32Matrix
from orchestration.stores.faiss import derived as derived_index
from orchestration.stores.faiss.approximate import built
from orchestration.stores.faiss.derived import load
from orchestration.stores.faiss.gpu import nearest_on_gpu
from orchestration.stores.faiss.segments import changing
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors
from orchestration.stores.file_names import file_name
from tests.waiting import PATIENCE

AT_ONCE = IndexSizes(exact_rows=1, build_rows=1, build_share=0.0, recall=1.0, build_threads=1)
"""An approximate index from two rows on, rebuilt after every change."""

SIZES = {
    "hnsw": AT_ONCE,
    "ivf-pq": replace(AT_ONCE, memory_bytes=0),
    "flat": replace(AT_ONCE, exact_rows=1 << 20),
}


class AlwaysCompacted(FaissVectors):
    """Compacts before each search, so that nothing is found but by the derived index."""

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        self.compact(tenant_id)
        self.expunge(tenant_id)
        return super().search(tenant_id, namespace, query, limit, filters, visible)


@pytest.fixture(params=list(SIZES))
def sizes(request: pytest.FixtureRequest) -> IndexSizes:
    return SIZES[request.param]


@pytest.fixture
def store(tmp_path: Path, sizes: IndexSizes) -> FaissVectors:
    return AlwaysCompacted(tmp_path, sizes)


@pytest.fixture
def reopen(tmp_path: Path, sizes: IndexSizes) -> Callable[[], FaissVectors]:
    return lambda: AlwaysCompacted(tmp_path, sizes)


class TestCompactedFaissVectors(VectorStoreSuite):
    pass


def clustered(count: int, dimensions: int = 16) -> Float32Matrix:
    random = np.random.default_rng(3)
    centres = random.normal(size=(20, dimensions))
    return unit(*(centres[random.integers(20, size=count)] + 0.4 * random.normal(size=(count, dimensions))))


def written(store: FaissVectors, dense: Float32Matrix, parts: int = 4, first: int = 0) -> None:
    """Vectors in several intents; document N is row N."""
    for part, numbers in enumerate(np.array_split(np.arange(first, first + len(dense)), parts)):
        rows = [a_row(str(number), section=("odd" if number % 2 else "even")) for number in numbers]
        store.write(TENANT, MODEL, f"w{first}-{part}", rows, dense[numbers - first])


def namespace(folder: Path) -> Path:
    return folder / file_name(TENANT) / file_name(MODEL)


def best(
    dense: Float32Matrix,
    query: npt.NDArray[np.float32],
    limit: int = 10,
    among: Callable[[int], bool] = lambda number: True,
) -> list[str]:
    """The documents that an exact search finds."""
    order = np.argsort(-dense @ query, kind="stable")
    return [str(number) for number in order if among(int(number))][:limit]


@pytest.mark.parametrize("kind", SIZES)
def test_each_kind_is_built_with_its_measured_recall_in_the_manifest(tmp_path: Path, kind: str) -> None:
    store = FaissVectors(tmp_path, replace(SIZES[kind], recall=0.95))
    dense = clustered(3_000)
    written(store, dense)
    assert store.compact(TENANT) == 1
    assert store.compact(TENANT) == 0
    index = load(namespace(tmp_path))
    assert index is not None
    assert (index.manifest.kind, index.manifest.rows) == (kind, 3_000)
    assert index.manifest.recall >= 0.95
    shares = [
        len({*found(store.search(TENANT, MODEL, query, 10, ANY, everything))} & {*best(dense, query)}) / 10
        for query in dense[:50]
    ]
    assert np.mean(shares) >= 0.95


@pytest.mark.parametrize("kind", SIZES)
def test_newer_segments_are_searched_with_it_and_vanished_ones_are_left_out(
    tmp_path: Path, kind: str
) -> None:
    store = FaissVectors(tmp_path, replace(SIZES[kind], build_rows=1_000))
    dense = clustered(2_000)
    written(store, dense[:1_600])
    assert store.compact(TENANT) == 1
    written(store, dense[1_600:], first=1_600)
    store.discard(TENANT, "w0-0")
    assert store.compact(TENANT) == 0
    for reader in (store, FaissVectors(tmp_path, SIZES[kind])):
        for query in (dense[0], dense[700], dense[1_900]):
            assert found(reader.search(TENANT, MODEL, query, 10, ANY, everything)) == best(
                dense, query, among=lambda number: number >= 400
            )


@pytest.mark.parametrize("kind", SIZES)
def test_filters_and_visibility_are_followed_until_enough_is_found(tmp_path: Path, kind: str) -> None:
    store = FaissVectors(tmp_path, SIZES[kind])
    dense = clustered(2_000)
    written(store, dense)
    store.compact(TENANT)
    query = dense[10]
    assert found(store.search(TENANT, MODEL, query, 10, Filters(section=("odd",)), everything)) == best(
        dense, query, among=lambda number: number % 2 == 1
    )
    few = {"3", "1999"}
    hits = store.search(TENANT, MODEL, query, 10, ANY, lambda ref: ref.key.doc_id in few)
    assert set(found(hits)) == few


@pytest.mark.parametrize("kind", ["hnsw", "ivf-pq"])
def test_an_index_is_extended_and_what_is_gone_leaves_the_disk_when_it_is_to_be_forgotten(
    tmp_path: Path, kind: str
) -> None:
    store = FaissVectors(tmp_path, replace(SIZES[kind], build_rows=200))
    dense = clustered(1_500)
    written(store, dense[:1_000])
    store.compact(TENANT)
    written(store, dense[1_000:], first=1_000)
    assert store.compact(TENANT) == 1
    extended = load(namespace(tmp_path))
    assert extended is not None
    assert (extended.manifest.rows, extended.manifest.trained_rows) == (1_500, 1_000)
    assert found(store.search(TENANT, MODEL, dense[1_200], 10, ANY, everything)) == best(dense, dense[1_200])
    store.discard(TENANT, "w0-0", [a_row("1").key])
    store.expunge(TENANT)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert dense[1].tobytes() not in files
    assert dense[2].tobytes() in files


def test_a_derived_index_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    store = FaissVectors(tmp_path, AT_ONCE)
    dense = clustered(500)
    written(store, dense)
    store.compact(TENANT)
    shutil.rmtree(namespace(tmp_path) / "derived")
    for reader in (store, FaissVectors(tmp_path, AT_ONCE)):
        assert found(reader.search(TENANT, MODEL, dense[5], 10, ANY, everything)) == best(dense, dense[5])
    assert store.compact(TENANT) == 1


@pytest.mark.parametrize("suffix", ["vectors", "rows", "faiss", "json"])
@pytest.mark.parametrize("how", ["bit", "cut", "gone"])
def test_a_damaged_index_is_reported_ignored_and_rebuilt(tmp_path: Path, suffix: str, how: str) -> None:
    writer = FaissVectors(tmp_path, AT_ONCE)
    dense = clustered(500)
    written(writer, dense)
    writer.compact(TENANT)
    (path,) = (namespace(tmp_path) / "derived").glob(f"*.{suffix}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if suffix != "json" else 0] ^= 0xFF
    if how == "bit":
        path.write_bytes(content)
    elif how == "cut":
        os.truncate(path, 9)
    else:
        path.unlink()
    reader = FaissVectors(tmp_path, AT_ONCE)
    with capture_logs() as logs:
        assert found(reader.search(TENANT, MODEL, dense[5], 10, ANY, everything)) == best(dense, dense[5])
    warnings = [line for line in logs if line["event"] == "vector_index_damaged"]
    assert [str(path) in line["reason"] for line in warnings] == (
        [] if (suffix, how) == ("json", "gone") else [True]
    )
    assert reader.compact(TENANT) == 1
    index = load(namespace(tmp_path))
    assert index is not None
    assert index.manifest.rows == 500


def test_a_damaged_segment_is_not_covered_and_is_reported(tmp_path: Path) -> None:
    store = FaissVectors(tmp_path, AT_ONCE)
    written(store, clustered(500))
    path = namespace(tmp_path) / "w0-1.segment"
    os.truncate(path, 1_000)
    with capture_logs() as logs:
        assert derived_index.build(namespace(tmp_path), AT_ONCE, forget=False)
    assert [line["event"] for line in logs] == ["vector_segment_left_out", "vectors_compacted"]
    index = load(namespace(tmp_path))
    assert index is not None
    assert index.manifest.rows == 375


# --- crashes and other processes ------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from pathlib import Path
from orchestration.stores.faiss import derived
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors

def killed(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(derived, sys.argv[2], killed)
sizes = IndexSizes(exact_rows=1, build_rows=1, build_share=0.0, build_threads=1)
FaissVectors(Path(sys.argv[1]), sizes).compact("default")
"""


@pytest.mark.parametrize("at", ["write_table", "built", "tuned", "_digest", "_publish"])
def test_a_build_that_is_killed_leaves_the_previous_index_and_the_next_one_cleans_up(
    tmp_path: Path, at: str
) -> None:
    store = FaissVectors(tmp_path, AT_ONCE)
    dense = clustered(600)
    written(store, dense[:500])
    store.compact(TENANT)
    before = load(namespace(tmp_path))
    written(store, dense[500:], first=500)
    place = "_mapped" if at == "_digest" else at
    child = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), place], check=False)
    assert child.returncode == -signal.SIGKILL
    after = load(namespace(tmp_path))
    assert before is not None
    assert after is not None
    assert before.manifest == after.manifest
    for reader in (store, FaissVectors(tmp_path, AT_ONCE)):
        assert found(reader.search(TENANT, MODEL, dense[550], 10, ANY, everything)) == best(dense, dense[550])
    assert store.compact(TENANT) == 1
    assert len(list((namespace(tmp_path) / "derived").iterdir())) == 4


TWO = """
import sys
from pathlib import Path
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors

store = FaissVectors(Path(sys.argv[1]), IndexSizes(exact_rows=1, build_rows=1, build_threads=1))
print("ready", flush=True)
sys.stdin.readline()
print(store.compact("default"))
"""


def test_of_two_processes_that_build_at_once_one_does(tmp_path: Path) -> None:
    dense = clustered(3_000)
    store = FaissVectors(tmp_path, AT_ONCE)
    written(store, dense)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sorted(child.communicate()[0].splitlines()[-1] for child in children) == ["0", "1"]
    assert found(store.search(TENANT, MODEL, dense[7], 10, ANY, everything)) == best(dense, dense[7])


def test_searches_and_writes_go_on_while_an_index_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = clustered(600)
    store = FaissVectors(tmp_path, AT_ONCE)
    written(store, dense[:500])
    started, proceed = threading.Event(), threading.Event()

    def held(*arguments: Any) -> Any:
        started.set()
        assert proceed.wait(PATIENCE)
        return built(*arguments)

    monkeypatch.setattr(derived_index, "built", held)
    builder = threading.Thread(target=store.compact, args=(TENANT,))
    builder.start()
    assert started.wait(PATIENCE)
    written(store, dense[500:], first=500)
    assert found(store.search(TENANT, MODEL, dense[550], 10, ANY, everything)) == best(dense, dense[550])
    proceed.set()
    builder.join()
    assert found(store.search(TENANT, MODEL, dense[550], 10, ANY, everything)) == best(dense, dense[550])


def test_another_process_takes_up_a_newer_index_beside_its_searches(tmp_path: Path) -> None:
    dense = clustered(500)
    writer, reader = FaissVectors(tmp_path, AT_ONCE), FaissVectors(tmp_path, AT_ONCE)
    written(writer, dense)
    expected = best(dense, dense[5])
    assert found(reader.search(TENANT, MODEL, dense[5], 10, ANY, everything)) == expected
    writer.compact(TENANT)
    assert found(reader.search(TENANT, MODEL, dense[5], 10, ANY, everything)) == expected
    for thread in threading.enumerate():
        if thread.name == "medkg-vector-index":
            thread.join()
    assert found(reader.search(TENANT, MODEL, dense[5], 10, ANY, everything)) == expected


# --- order of writes, GPU -------------------------------------------------------------------------------


def test_a_segment_is_on_disk_before_it_has_its_name_and_its_name_before_the_write_returns(
    store: FaissVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def seen_fsync(descriptor: int) -> None:
        steps.append("flush " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def seen_rename(path: Path, target: Path) -> Path:
        steps.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    with changing(namespace(tmp_path)):
        pass
    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_rename)
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    assert steps == ["flush i1.partial", "rename i1.partial i1.segment", f"flush {file_name(MODEL)}"]
    steps.clear()
    store.compact(TENANT)
    renamed = next(number for number, step in enumerate(steps) if step.startswith("rename"))
    assert {step.split(".")[-1] for step in steps[:renamed]} >= {"vectors", "rows", "manifest"}
    assert steps[renamed].endswith("manifest.json")
    assert steps[renamed + 1 :] == ["flush derived"]


class OneGpu:
    """FAISS's GPU parts as this needs them, on the CPU; it gives at most two hits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import faiss

        self.copies = 0

        def copied(resources: object, dimensions: int) -> Any:
            self.copies += 1
            return faiss.IndexFlatIP(dimensions)

        monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
        monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
        monkeypatch.setattr(faiss, "GpuIndexFlatIP", copied, raising=False)
        monkeypatch.setattr("orchestration.stores.faiss.gpu.MOST", 2)


def test_a_gpu_is_used_where_there_is_one_and_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = clustered(500)
    assert nearest_on_gpu(dense) is None
    gpu = OneGpu(monkeypatch)
    store = FaissVectors(tmp_path, replace(AT_ONCE, gpu=True))
    written(store, dense)
    store.compact(TENANT)
    for limit in (1, 2, 10):
        hits = store.search(TENANT, MODEL, dense[5], limit, ANY, everything)
        assert found(hits) == best(dense, dense[5], limit)
    assert gpu.copies == 1
    store.discard(TENANT, "w0-0")
    assert found(store.search(TENANT, MODEL, dense[5], 2, ANY, everything)) == best(
        dense, dense[5], 2, lambda number: number >= 125
    )
    quiet = FaissVectors(tmp_path, AT_ONCE)
    quiet.search(TENANT, MODEL, dense[5], 2, ANY, everything)
    assert gpu.copies == 1
