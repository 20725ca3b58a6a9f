"""What OpenSearch deleted leaves its files when it is expunged: a byte search over the server's folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from medkg.testing.builders import TENANT, chunks_of
from orchestration.contracts import Filters, VectorRow
from orchestration.records import DocumentKey
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.vectors import OpenSearchVectors

pytestmark = pytest.mark.needs_service("opensearch")

WORD = "quibblezark17"
ALL = Filters()


def server_files(connection: Connection) -> list[Path]:
    """The folders of the server's shards; skips where they are another machine's."""
    with connection.errors_named() as client:
        nodes = client.nodes.stats(metric="fs")["nodes"].values()
    folders = [Path(place["path"]) for node in nodes for place in node["fs"]["data"]]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip("the OpenSearch server keeps its files on another machine")
    return folders


def holding(folders: list[Path], trace: bytes) -> list[Path]:
    """Files with these bytes; those of other tests' indexes may vanish meanwhile."""
    names = (Path(folder, name) for root in folders for folder, _, files in os.walk(root) for name in files)
    return [path for path in names if trace in _content(path)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_an_expunged_entry_is_in_no_file_of_the_server(connection: Connection, prefix: str) -> None:
    folders = server_files(connection)
    search = OpenSearchSearch(connection, prefix)
    vectors = OpenSearchVectors(connection, prefix)
    key = DocumentKey(tenant_id=TENANT, source="files", doc_id=WORD)
    other = key.model_copy(update={"doc_id": "other"})
    mine, rest = chunks_of(f"the {WORD} was seen", doc_id=WORD), chunks_of("aspirin", doc_id="other")
    written = [(key, mine[0]), (other, rest[0])]
    search.write(TENANT, "i1", written, None)
    dense = np.array([[0.6, 0.8], [0.28, 0.96]], np.float32)
    vectors.write(TENANT, "m", "i1", [VectorRow(key, chunk.chunk_id, {}) for key, chunk in written], dense)
    with connection.errors_named() as client:
        client.indices.flush(index=f"{prefix}-*", force=True)
    assert holding(folders, WORD.encode())

    search.discard(TENANT, "i1", [key])
    vectors.discard(TENANT, "i1", [key])
    search.expunge(TENANT)
    vectors.expunge(TENANT)

    assert holding(folders, WORD.encode()) == []
    hits = search.bm25(TENANT, "aspirin", 10, ALL, lambda ref: True)
    assert [candidate.ref.key for candidate in hits] == [other]
    assert len(vectors.search(TENANT, "m", dense[0], 10, ALL, lambda ref: True)) == 1
