"""The same chunks and vectors on an OpenSearch server, against opensearch-py's bulk helper and search.

Comes in: a server's URL. Leaves: rates, milliseconds, and the recall of both vector searches.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from uuid import uuid4

import numpy as np
from opensearchpy import OpenSearch, helpers

from orchestration.contracts import VectorRow, chunk_facets
from orchestration.formats.words import indexed_words
from orchestration.records import DocumentKey
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.vectors import OpenSearchVectors

from ..data.synthetic_chunks import (
    A_DOCUMENT,
    ANYTHING,
    PART,
    QUERIES,
    TENANT,
    Figures,
    Part,
    Texts,
    Timed,
    everything,
    searched,
)
from .vectors import LIMIT, WIDTH, clustered

__all__ = ["measured_opensearch"]

NAMESPACE: Final = "bench@1"
RECALLED: Final = 200
"""Queries whose ten nearest vectors are found exactly as well."""


def measured_opensearch(url: str, count: int, seed: int) -> Figures:
    """Rates and milliseconds of both stores on a server beside opensearch-py on indexes like theirs."""
    connection, prefix = Connection(url), f"bench-{uuid4().hex[:8]}"
    client = OpenSearch(url, timeout=120)
    try:
        return {
            "chunks": count,
            "words": _words(connection, client, prefix, count, seed),
            "vectors": _vectors(connection, client, prefix, count, seed),
        }
    finally:
        client.indices.delete(index=f"{prefix}-*", ignore=404)
        client.indices.delete_index_template(name=f"{prefix}-*", ignore=404)
        connection.close()


def _twin(client: OpenSearch, index: str, name: str) -> str:
    """An empty index with the same settings and mappings."""
    (index_settings,) = client.indices.get(index=index).values()
    settings = {
        key: value
        for key, value in index_settings["settings"]["index"].items()
        if key not in ("uuid", "version", "creation_date", "provided_name", "replication")
    }
    client.indices.create(
        index=name, body={"settings": {"index": settings}, "mappings": index_settings["mappings"]}
    )
    return name


def _bulk(client: OpenSearch, index: str, documents: Sequence[dict[str, Any]]) -> None:
    """As opensearch-py's guide has it, and searchable when it returns, as ours is."""
    helpers.bulk(
        client, ({"_index": index, **document} for document in documents), chunk_size=500, refresh=True
    )


def _words(connection: Connection, client: OpenSearch, prefix: str, count: int, seed: int) -> Figures:
    texts, timed, store = Texts(seed), Timed(), OpenSearchSearch(connection, prefix)
    store.write(TENANT, "first", texts.part(0)[:1], None)
    store.discard(TENANT, "first", None)
    mine = next(iter(client.indices.get_alias(name=f"{prefix}-*")))
    twin = _twin(client, mine, f"{prefix}-bare-words")

    def documents(part: Part) -> Iterator[dict[str, Any]]:
        for key, chunk in part:
            yield {
                "_id": chunk.chunk_id,
                "source": key.source,
                "doc_id": key.doc_id,
                "chunk_id": chunk.chunk_id,
                "facets": {name: list(values) for name, values in chunk_facets(key, chunk).items()},
                "ordinal": chunk.ordinal,
                "body": chunk.body,
                "titles": " ".join(chunk.title_path),
                "body_words": indexed_words(chunk.body),
                "title_words": indexed_words(" ".join(chunk.title_path)),
                "record": chunk.model_dump_json(exclude={"body"}),
            }

    for first in range(0, count, PART):
        part = texts.part(first)
        timed("medkg", store.write, TENANT, f"i{first}", part, None)
        timed("bare", _bulk, client, twin, list(documents(part)))

    def bare(query: str) -> Any:
        fields = {"query": query, "fields": ["body_words", "title_words^0.5"], "type": "most_fields"}
        body = {"query": {"multi_match": fields}, "size": LIMIT, "_source": ["doc_id", "chunk_id"]}
        return client.search(index=twin, body=body)

    more = iter(range(count, sys.maxsize, PART))

    def write_on() -> None:
        first = next(more)
        store.write(TENANT, f"i{first}", texts.part(first), None)

    contenders: dict[str, Callable[[Any], Any]] = {
        "medkg": lambda query: store.bm25(TENANT, query, LIMIT, ANYTHING, everything),
        "bare": bare,
    }
    return {**timed.figures(count), **searched(contenders, texts.queries(QUERIES), write_on)}


def _vectors(connection: Connection, client: OpenSearch, prefix: str, count: int, seed: int) -> Figures:
    timed, store = Timed(), OpenSearchVectors(connection, prefix)
    dense = clustered(count + QUERIES + 20 * PART, seed)
    dense, queries, rest = dense[:count], dense[count : count + QUERIES], dense[count + QUERIES :]

    def rows(first: int) -> list[VectorRow]:
        return [
            VectorRow(
                DocumentKey(tenant_id=TENANT, source="pmc", doc_id=str(number // A_DOCUMENT)),
                _vector_id(number),
                {"source": ("pmc",), "section": ("results",)},
            )
            for number in range(first, first + PART)
        ]

    store.write(TENANT, NAMESPACE, "first", rows(0)[:1], dense[:1])
    store.discard(TENANT, "first")
    mine = next(iter(client.indices.get(index=f"{prefix}-vectors.*")))
    twin = _twin(client, mine, f"{prefix}-bare-vectors")

    def documents(first: int) -> Iterator[dict[str, Any]]:
        for row, vector in zip(rows(first), dense[first : first + PART], strict=True):
            facets = {name: list(values) for name, values in row.facets.items()}
            yield {
                "_id": row.chunk_id,
                "source": row.key.source,
                "doc_id": row.key.doc_id,
                "chunk_id": row.chunk_id,
                "facets": facets,
                "vector": vector.tolist(),
            }

    for first in range(0, count, PART):
        part = dense[first : first + PART]
        timed("medkg", store.write, TENANT, NAMESPACE, f"i{first}", rows(first), part)
        timed("bare", _bulk, client, twin, list(documents(first)))

    def bare(query: Any) -> Any:
        near = {"vector": query.tolist(), "k": LIMIT}
        body = {"query": {"knn": {"vector": near}}, "size": LIMIT, "_source": ["doc_id", "chunk_id"]}
        return client.search(index=twin, body=body)

    more = iter(range(0, len(rest) - PART, PART))

    def write_on() -> None:
        first = next(more)
        store.write(TENANT, NAMESPACE, f"more{first}", rows(count + first), rest[first : first + PART])

    def ours(query: Any) -> Any:
        return store.search(TENANT, NAMESPACE, query, LIMIT, ANYTHING, everything)

    exact = np.argsort(-(queries[:RECALLED] @ dense.T), axis=1)[:, :LIMIT]
    nearest = [{_vector_id(number) for number in row} for row in exact.tolist()]
    figures = {
        "medkg": [{hit.ref.chunk_id for hit in ours(query)} for query in queries[:RECALLED]],
        "bare": [
            {hit["_source"]["chunk_id"] for hit in bare(query)["hits"]["hits"]}
            for query in queries[:RECALLED]
        ],
    }
    recalled = {
        name: round(float(np.mean([len(a & b) / LIMIT for a, b in zip(sets, nearest, strict=True)])), 4)
        for name, sets in figures.items()
    }
    contenders: dict[str, Callable[[Any], Any]] = {"medkg": ours, "bare": bare}
    return {
        **timed.figures(count),
        "width": WIDTH,
        "recall_at_10": recalled,
        **searched(contenders, list(queries), write_on),
    }


def _vector_id(number: int) -> str:
    return f"pmc:{number // A_DOCUMENT}:v:{number % A_DOCUMENT}"
