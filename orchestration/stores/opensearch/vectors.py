"""VectorStore on OpenSearch: dense vectors for k-NN, an index for each tenant and model.

Comes in: vectors under an intent and a model id. Leaves: the nearest visible chunks of that model by inner
product: exact while the index is small, by HNSW (Lucene's) beyond. An index is made with the dimensions of
the first vectors that are written to it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, ChunkRef, Filters, Holding, VectorRow, Visible
from orchestration.errors import ConfigurationError, StoreCorruptError
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.deepening import deeper
from orchestration.stores.opensearch import entries
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.indexes import index_part, lost_shards, name_of_part
from orchestration.stores.vector_rows import check_vectors

__all__ = ["OpenSearchVectors"]

READ_AT_ONCE: Final = 500
"""Vectors of one answer, each some 10 KB of JSON."""

EXACT_BELOW: Final = 10_000
"""Vectors up to which all are compared: some 10 ms, and nothing is missed."""

DEEPEST: Final = 10_000
"""Most neighbours that k-NN gives; what lies beyond is found by comparing all."""


class OpenSearchVectors:
    """VectorStore on one cluster; thread-safe."""

    def __init__(
        self,
        connection: Connection,
        prefix: str,
        shards: int = 1,
        replicas: int = 0,
        exact_below: int = EXACT_BELOW,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._settings = {"knn": True, "number_of_shards": shards, "number_of_replicas": replicas}
        self._exact_below = exact_below
        self._made: dict[tuple[str, str], int] = {}
        self._large: set[str] = set()
        self._guard = threading.Lock()

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """Replaces what the intent wrote before. Durable when it returns; idempotent."""
        check_vectors(intent_id, rows, dense)
        if not rows:
            entries.forget(
                self._connection, self._index(tenant_id, namespace), entries.of_intent(intent_id, None)
            )
            return
        index = self._make(tenant_id, namespace, dense.shape[1])
        actions = [
            entries.entry(index, intent_id, row.key, row.chunk_id, row.facets, vector=vector.tolist())
            for row, vector in zip(rows, dense, strict=True)
        ]
        entries.replace(self._connection, index, tenant_id, intent_id, actions)

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """Best by inner product among visible chunks."""
        dimensions = self._dimensions(tenant_id, namespace)
        if dimensions is None or limit < 1:
            return []
        index = self._index(tenant_id, namespace)
        self._check(index, dimensions, query.size)
        candidates: list[Candidate] = []
        if self._is_large(index):
            candidates = self._nearest(index, tenant_id, query, limit, filters, visible)
        if len(candidates) < limit:
            exact_query = _all_compared(query, filters)
            candidates = entries.ranked(self._connection, index, tenant_id, exact_query, limit, visible)
        return [Candidate(hit.ref, _inner_product(hit.score)) for hit in candidates]

    def _is_large(self, index: str) -> bool:
        """Whether it has had too many vectors to compare all; the server is asked until it has."""
        if index not in self._large:
            with self._connection.errors_named() as client:
                if client.count(index=index)["count"] <= self._exact_below:
                    return False
            self._large.add(index)
        return True

    def _nearest(
        self,
        index: str,
        tenant_id: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """By HNSW; fewer than `limit` when what may be seen lies deeper than it goes."""
        depth = 2 * limit
        while True:
            near: dict[str, Any] = {"vector": query.tolist(), "k": depth}
            if clauses := entries.filter_clauses(filters):
                near["filter"] = {"bool": {"filter": clauses}}
            candidates = entries.ranked(
                self._connection, index, tenant_id, {"knn": {"vector": near}}, limit, visible
            )
            if len(candidates) == limit or depth >= DEEPEST:
                return candidates
            depth = deeper(depth, DEEPEST)

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """What the intent wrote; a float32 comes back from JSON as it was."""
        dimensions = self._dimensions(tenant_id, namespace)
        index = self._index(tenant_id, namespace)
        refs: list[ChunkRef] = []
        rows: list[npt.NDArray[np.float32]] = []
        if dimensions is not None:
            for ref, source in entries.of_one_intent(
                self._connection, index, tenant_id, intent_id, ["vector"], READ_AT_ONCE
            ):
                refs.append(ref)
                rows.append(np.array(source["vector"], np.float32))
        return refs, np.array(rows, np.float32).reshape(len(rows), dimensions or 0)

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Forget what an intent wrote (for some documents, or all), under every model. Idempotent."""
        if keys is None or keys:
            entries.forget(self._connection, self._all(tenant_id), entries.of_intent(intent_id, keys))

    def discard_other_models(self, tenant_id: str, models: Collection[str]) -> None:
        """Delete the indexes of all models but these. Idempotent."""
        names = {self._index(tenant_id, namespace) for namespace in models}
        with self._guard, self._connection.errors_named() as client:
            for index in client.indices.get(index=self._all(tenant_id), ignore_unavailable=True):
                if index not in names:
                    client.indices.delete(index=index, ignore_unavailable=True)
            self._made = {
                place: dimensions
                for place, dimensions in self._made.items()
                if place[0] != tenant_id or place[1] in models
            }

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """What is held of all intents or one; under all models an intent may have several.

        Raises StoreCorruptError for an index that has lost shards.
        """
        for index in self._whole_indexes(tenant_id, namespace):
            yield from entries.holdings(self._connection, index, tenant_id, intent_id)

    def chunk_counts(self, tenant_id: str, namespace: str) -> dict[str, int]:
        """Vectors by intent; raises StoreCorruptError for an index that has lost shards."""
        indexes = self._whole_indexes(tenant_id, namespace)
        return entries.intent_counts(self._connection, indexes[0]) if indexes else {}

    def models(self, tenant_id: str) -> list[str]:
        """Models with an index, by the names of these."""
        parts = [index.rpartition(".")[2] for index in self._held_indexes(tenant_id, None)]
        return sorted(filter(None, map(name_of_part, parts)))

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """None: the server checks its segments itself, and what it lost is missing among the holdings.

        Raises StoreCorruptError for an index that has lost shards: what it holds may come back with its node.
        """
        self._whole_indexes(tenant_id, namespace)
        return {}

    def compaction_due(self, tenant_id: str) -> bool:
        """Never: the server builds and merges its graphs itself."""
        return False

    def compact(self, tenant_id: str) -> int:
        """Nothing to build."""
        return 0

    def expunge(self, tenant_id: str) -> None:
        """Have the server write its segments again without what was deleted."""
        entries.expunge(self._connection, self._all(tenant_id))

    # --- indexes ------------------------------------------------------------------------------------

    def _index(self, tenant_id: str, namespace: str) -> str:
        return f"{self._prefix}-vectors.{index_part(tenant_id)}.{index_part(namespace)}"

    def _all(self, tenant_id: str) -> str:
        """All indexes of a tenant: no name has a dot or a star in it, so the pattern fits no other's."""
        return f"{self._prefix}-vectors.{index_part(tenant_id)}.*"

    def _held_indexes(self, tenant_id: str, namespace: str | None) -> list[str]:
        """The tenant's indexes that there are, or the one of a model."""
        wanted = self._all(tenant_id) if namespace is None else self._index(tenant_id, namespace)
        with self._connection.errors_named() as client:
            return sorted(client.indices.get(index=wanted, ignore_unavailable=True))

    def _whole_indexes(self, tenant_id: str, namespace: str | None) -> list[str]:
        """`_held_indexes`; raises StoreCorruptError if one has lost shards, where requests would wait."""
        indexes = self._held_indexes(tenant_id, namespace)
        for index in indexes:
            if (problem := lost_shards(self._connection, index)) is not None:
                raise StoreCorruptError(
                    f"{problem}. Start the nodes that hold them; or delete the index, then `medkg verify "
                    "--repair` makes its vectors again."
                )
        return indexes

    def _dimensions(self, tenant_id: str, namespace: str) -> int | None:
        """Of the index's vectors; None if there is no index."""
        place, index = (tenant_id, namespace), self._index(tenant_id, namespace)
        if place not in self._made:
            with self._connection.errors_named() as client:
                response = client.indices.get_mapping(index=index, ignore_unavailable=True)
            if index not in response:
                return None
            self._made[place] = int(response[index]["mappings"]["properties"]["vector"]["dimension"])
        return self._made[place]

    def _make(self, tenant_id: str, namespace: str, dimensions: int) -> str:
        index = self._index(tenant_id, namespace)
        with self._guard:
            self._made.pop(
                (tenant_id, namespace), None
            )  # perhaps deleted since: the server would make another
            existing = self._dimensions(tenant_id, namespace)
            if existing is None:
                method = {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"}
                vector = {"type": "knn_vector", "dimension": dimensions, "method": method}
                mappings = {"dynamic": "strict", "properties": {**entries.FIELDS, "vector": vector}}
                with self._connection.errors_named() as client:
                    body = {"settings": {"index": self._settings}, "mappings": mappings}
                    client.indices.create(index=index, body=body, ignore=400)
                existing = self._dimensions(tenant_id, namespace)
        self._check(index, existing or dimensions, dimensions)
        return index

    def _check(self, index: str, dimensions: int, actual: int) -> None:
        if actual != dimensions:
            raise ConfigurationError(
                f"a vector has {actual} dimensions, those in {index} of {self._connection.name} have "
                f"{dimensions}. Search with the model that indexed them, or ingest again."
            )


def _all_compared(query: npt.NDArray[np.float32], filters: Filters) -> dict[str, Any]:
    """The inner product with every vector that the filters leave."""
    parameters = {"field": "vector", "query_value": query.tolist(), "space_type": "innerproduct"}
    script = {"lang": "knn", "source": "knn_score", "params": parameters}
    return {
        "script_score": {"query": {"bool": {"filter": entries.filter_clauses(filters)}}, "script": script}
    }


def _inner_product(score: float) -> float:
    """What the server made a positive score of: 1 + x from 0 on, 1 / (1 - x) below."""
    return score - 1.0 if score >= 1.0 else 1.0 - 1.0 / score
