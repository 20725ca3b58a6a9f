"""What every entry of ours in OpenSearch has, and requests over that: intent, document, chunk and facets.

Comes in: queries. Leaves: visible candidates, holdings. Search store and vector store share it, so that both
find, count and forget in one way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn
from uuid import uuid4

from opensearchpy import OpenSearch
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestration.contracts import TERM_FACETS, Candidate, ChunkRef, Facets, Filters, Holding, Visible
from orchestration.errors import DagsterResourceUnavailableError, ItemsRefusedError
from orchestration.records import DocumentKey
from orchestration.stores.deepening import deeper
from orchestration.stores.entry_limits import MOST_NAMED, refused
from orchestration.stores.opensearch.connection import Connection

__all__ = [
    "FIELDS",
    "KEYWORD",
    "entry",
    "entry_id",
    "expunge",
    "filter_clauses",
    "forget",
    "holdings",
    "in_order",
    "intent_counts",
    "of_intent",
    "of_one_intent",
    "one_of_each_intent",
    "ranked",
    "replace",
]

KEYWORD: Final = {"type": "keyword"}
FIELDS: Final[dict[str, Any]] = {
    "entry": KEYWORD,
    "intent": KEYWORD,
    "batch": KEYWORD,
    "source": KEYWORD,
    "doc_id": KEYWORD,
    "chunk_id": KEYWORD,
    "facets": {
        "type": "object",
        "dynamic": False,
        "properties": {
            **dict.fromkeys(TERM_FACETS, KEYWORD),
            "date": {"type": "date", "format": "strict_date", "ignore_malformed": True},
        },
    },
}
REF: Final = ("intent", "source", "doc_id", "chunk_id")

PAGE: Final = 5_000

RETENTION: Final = "index.soft_deletes.retention_lease.period"
LEASE_SECONDS: Final = 180.0
"""How long a shard may take to renew its leases."""

MERGE_SECONDS: Final = 3_600.0
"""How long a merge of all segments may take."""

WINDOW: Final = 10_000
"""Most of one answer."""


def entry_id(intent_id: str, key: DocumentKey, chunk_id: str) -> str:
    """The id of a chunk as one intent wrote it: the same for every repeat of the write."""
    parts = "\x00".join((intent_id, key.source, key.doc_id, chunk_id))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def entry(
    index: str, intent_id: str, key: DocumentKey, chunk_id: str, facets: Facets, **fields: Any
) -> dict[str, Any]:
    """The bulk action that writes a chunk's entry."""
    number = entry_id(intent_id, key, chunk_id)
    return {
        "_index": index,
        "_id": number,
        "entry": number,
        "intent": intent_id,
        "source": key.source,
        "doc_id": key.doc_id,
        "chunk_id": chunk_id,
        "facets": {name: list(values) for name, values in facets.items()},
        **fields,
    }


def filter_clauses(filters: Filters) -> list[dict[str, Any]]:
    """Filters as clauses that must all match."""
    clauses: list[dict[str, Any]] = [
        {"terms": {f"facets.{name}": list(values)}} for name, values in filters.wanted.items()
    ]
    clauses += [
        {"bool": {"must_not": {"terms": {f"facets.{name}": list(values)}}}}
        for name, values in filters.unwanted.items()
    ]
    if filters.days is not None:
        first, last = filters.days
        clauses.append({"range": {"facets.date": {"gte": first, "lte": last}}})
    return clauses


def of_intent(intent_id: str, keys: Sequence[DocumentKey] | None) -> dict[str, Any]:
    """A query for what an intent wrote, for some documents or all."""
    mine: list[dict[str, Any]] = [{"term": {"intent": intent_id}}]
    if keys is not None:
        documents = [
            {"bool": {"filter": [{"term": {"source": key.source}}, {"term": {"doc_id": key.doc_id}}]}}
            for key in keys
        ]
        mine.append({"bool": {"should": documents, "minimum_should_match": 1}})
    return {"bool": {"filter": mine}}


def replace(
    connection: Connection, index: str, tenant_id: str, intent_id: str, actions: Sequence[dict[str, Any]]
) -> None:
    """Write an intent's entries in the place of those that it had in this index. Durable; idempotent.

    Searches know of them when it returns. Raises DocumentsRefusedError for documents with an entry that the
    server refuses.
    """
    batch = str(uuid4())
    try:
        connection.bulk([{**action, "batch": batch} for action in actions])
    except ItemsRefusedError as error:
        raise refused(_reasons_by_document(tenant_id, actions, error.reasons)) from error
    mine = {"term": {"intent": intent_id}}
    previous = {"bool": {"filter": [mine], "must_not": [{"term": {"batch": batch}}]}}
    with connection.errors_named() as client:
        client.indices.refresh(index=index)
        left = client.count(index=index, body={"query": previous})["count"]
    if left:
        forget(connection, index, previous)


def _reasons_by_document(
    tenant_id: str, actions: Sequence[dict[str, Any]], reasons: Mapping[str, str]
) -> dict[DocumentKey, str]:
    """The reason of one refused entry of each document that has any."""
    return {
        DocumentKey(tenant_id=tenant_id, source=action["source"], doc_id=action["doc_id"]): (
            f"the search server refuses {action['chunk_id'][:MOST_NAMED]}: {reasons[action['_id']]}"
        )
        for action in actions
        if action["_id"] in reasons
    }


def forget(connection: Connection, index: str, query: dict[str, Any]) -> None:
    """Remove what a query finds, and have searches know of it. Idempotent.

    What a writer that died had sent may not have been refreshed; a deletion would not find it.
    """
    with connection.errors_named() as client:
        client.indices.refresh(index=index, ignore_unavailable=True)
        client.delete_by_query(
            index=index, body={"query": query}, conflicts="proceed", refresh=True, ignore_unavailable=True
        )


def expunge(connection: Connection, index: str) -> None:
    """Have the segments written again without deleted entries, and the log of past writes dropped.

    A shard keeps deleted entries for copies of it that may come back, under a lease that it renews every half
    minute: so its retention is set to 0, and it is merged until it has none. Raises
    DagsterResourceUnavailableError if it keeps them all the same.
    Source: https://www.elastic.co/guide/en/elasticsearch/reference/7.10/index-modules-history-retention.html
    """
    waiting = Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(1),
        stop=stop_after_delay(LEASE_SECONDS),
        retry_error_callback=_kept_all_the_same,
    )
    with connection.errors_named() as client:
        if not client.indices.get(index=index, ignore_unavailable=True):
            return
        client.indices.refresh(index=index)
        client.indices.put_settings(index=index, body={RETENTION: "0ms"})
        try:
            waiting(_merged, client, index)
        finally:
            client.indices.put_settings(index=index, body={RETENTION: None})


def _merged(client: OpenSearch, index: str) -> int:
    """Merge all segments; returns the number of deleted entries that remain.

    The files of a merged segment stay for as long as searches have them open, until a refresh, and go with
    the flush after it. A flush keeps the last commit that is known to be on all copies, and only then learns
    that its own is: so the one after it removes what that commit holds. Without it, a busy server kept erased
    text until it flushed by itself, after 5 idle minutes.
    """
    client.indices.flush(index=index, force=True, wait_if_ongoing=True)
    client.indices.forcemerge(index=index, max_num_segments=1, request_timeout=MERGE_SECONDS)
    for _ in range(2):
        client.indices.refresh(index=index)
        client.indices.flush(index=index, force=True, wait_if_ongoing=True)
    return int(client.indices.stats(index=index, metric="docs")["_all"]["total"]["docs"]["deleted"])


def _kept_all_the_same(state: RetryCallState) -> NoReturn:
    assert state.outcome is not None
    state.outcome.result()  # raises what a request raised
    raise DagsterResourceUnavailableError(
        "OpenSearch still keeps deleted entries on disk, for a copy of a shard that has not come back. "
        "Bring its node back, then erase again."
    )


def holdings(connection: Connection, index: str, tenant_id: str, intent_id: str | None) -> Iterator[Holding]:
    """Entries by document and intent, those of a writer that died just now too; `index` may be a pattern."""
    with connection.errors_named() as client:
        client.indices.refresh(index=index, ignore_unavailable=True)
    query = {"match_all": {}} if intent_id is None else of_intent(intent_id, None)
    for at, count in _counted(connection, index, query, REF[:3]):
        key = DocumentKey(tenant_id=tenant_id, source=at["source"], doc_id=at["doc_id"])
        yield Holding(key, at["intent"], count)


def intent_counts(connection: Connection, index: str) -> dict[str, int]:
    """Entries by intent, as searches know of them."""
    return {at["intent"]: count for at, count in _counted(connection, index, {"match_all": {}}, REF[:1])}


def _counted(
    connection: Connection, index: str, query: dict[str, Any], fields: Sequence[str]
) -> Iterator[tuple[dict[str, str], int]]:
    """Values of the fields that entries have together, and the number of entries with them."""
    sources = [{name: {"terms": {"field": name}}} for name in fields]
    composite: dict[str, Any] = {"size": PAGE, "sources": sources}
    while True:
        body = {"size": 0, "query": query, "aggs": {"held": {"composite": composite}}}
        with connection.errors_named() as client:
            response = client.search(index=index, body=body, ignore_unavailable=True)
        held = response.get("aggregations", {}).get("held", {"buckets": []})
        for bucket in held["buckets"]:
            yield bucket["key"], bucket["doc_count"]
        if "after_key" not in held:
            return
        composite["after"] = held["after_key"]


def one_of_each_intent(connection: Connection, index: str, field: str) -> Iterator[tuple[str, str]]:
    """Each intent with the field's value in one of its entries; intents whose entry has none are left out."""
    body: dict[str, Any] = {
        "collapse": {"field": "intent"},
        "sort": [{"intent": "asc"}],
        "size": PAGE,
        "_source": [field],
        "track_total_hits": False,
    }
    while True:
        with connection.errors_named() as client:
            hits = client.search(index=index, body=body)["hits"]["hits"]
        for hit in hits:
            if field in hit["_source"]:
                yield hit["sort"][0], hit["_source"][field]
        if len(hits) < PAGE:
            return
        body["search_after"] = hits[-1]["sort"]


def of_one_intent(
    connection: Connection, index: str, tenant_id: str, intent_id: str, fields: Sequence[str], at_once: int
) -> Iterator[tuple[ChunkRef, dict[str, Any]]]:
    """What an intent wrote, with these fields as they were sent; in an order that stays."""
    body: dict[str, Any] = {
        "query": of_intent(intent_id, None),
        "size": at_once,
        "sort": [{"entry": "asc"}],
        "_source": list(fields),
        "docvalue_fields": list(REF),
        "track_total_hits": False,
    }
    while True:
        with connection.errors_named() as client:
            hits = client.search(index=index, body=body)["hits"]["hits"]
        yield from ((_ref(tenant_id, hit["fields"]), hit.get("_source", {})) for hit in hits)
        if len(hits) < at_once:
            return
        body["search_after"] = hits[-1]["sort"]


def ranked(
    connection: Connection, index: str, tenant_id: str, query: dict[str, Any], limit: int, visible: Visible
) -> list[Candidate]:
    """The best entries for a query that may be seen, best first; goes on until there are enough."""
    candidates: list[Candidate] = []
    size, after = min(limit, WINDOW), None
    while limit > 0:
        body: dict[str, Any] = {
            "query": query,
            "size": size,
            "sort": [{"_score": "desc"}, {"entry": "asc"}],
            "_source": False,
            "docvalue_fields": list(REF),
            "track_total_hits": False,
        }
        if after is not None:
            body["search_after"] = after
        with connection.errors_named() as client:
            hits = client.search(index=index, body=body)["hits"]["hits"]
        for hit in hits:
            ref = _ref(tenant_id, hit["fields"])
            if visible(ref):
                candidates.append(Candidate(ref, float(hit["_score"])))
                if len(candidates) == limit:
                    return candidates
        if len(hits) < size:
            return candidates
        after, size = hits[-1]["sort"], deeper(size, WINDOW)
    return candidates


def in_order(connection: Connection, index: str, tenant_id: str, query: dict[str, Any]) -> Iterator[ChunkRef]:
    """Entries for a query by document, each document's chunks in order; WINDOW at most."""
    body = {
        "query": query,
        "size": WINDOW,
        "sort": [{"source": "asc"}, {"doc_id": "asc"}, {"ordinal": "asc"}, {"entry": "asc"}],
        "_source": False,
        "docvalue_fields": list(REF),
        "track_total_hits": False,
    }
    with connection.errors_named() as client:
        hits = client.search(index=index, body=body)["hits"]["hits"]
    return (_ref(tenant_id, hit["fields"]) for hit in hits)


def _ref(tenant_id: str, fields: dict[str, list[str]]) -> ChunkRef:
    intent, source, doc_id, chunk_id = (fields[name][0] for name in REF)
    return ChunkRef(DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id), intent, chunk_id)
