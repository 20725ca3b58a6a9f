"""SearchStore on OpenSearch: BM25 over body and titles, sparse terms as rank features; an index a tenant.

Comes in: chunks under an intent, and what a person typed. Leaves: candidates that `visible` lets through.
Words are made here, of texts and queries alike (`orchestration.formats.words`), and stemmed by the server;
they are not kept in the entries, but made again when an index moves to another layout. Sparse weights are
kept with 9 significant bits (Lucene's FeatureField), which rounds a weight by less than 0.4 %.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import (
    Candidate,
    ChunkRef,
    Filters,
    Holding,
    SparseVectors,
    Visible,
    chunk_facets,
    chunk_identifiers,
)
from orchestration.errors import StoreCorruptError
from orchestration.formats.words import (
    ANALYSIS_VERSION,
    MOST_TERMS,
    indexed_words,
    query_words,
    separate_words,
)
from orchestration.records import Chunk, DocumentKey, SparseMatrix
from orchestration.stores.entry_limits import check_entries
from orchestration.stores.opensearch import entries
from orchestration.stores.opensearch.analysis import (
    FOREIGN_ANALYZER,
    SYNONYM_ANALYZER,
    WORDS_ANALYZER,
    analysis,
)
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.indexes import Indexes

__all__ = ["OpenSearchSearch"]

MOST_FEATURES: Final = 1_000
"""Terms of a sparse query, the strongest first: the server takes 1,024 clauses."""

SMALLEST: Final = float(np.finfo(np.float32).tiny)
SYNONYM_BOOST: Final = 0.5

READ_AT_ONCE: Final = 1_000
"""Entries of one answer when an intent is read."""

WORDS: Final = {"type": "text", "analyzer": WORDS_ANALYZER, "search_analyzer": FOREIGN_ANALYZER}
TEXT: Final = {"type": "text", "index": False}
DERIVED: Final = ("body_words", "title_words", "identifiers")
"""Fields that an entry does not keep: they are made of the others."""

STORED: Final = {"type": "keyword", "index": False, "doc_values": False}


class OpenSearchSearch:
    """SearchStore on one cluster; thread-safe."""

    def __init__(
        self,
        connection: Connection,
        prefix: str,
        synonyms: Sequence[str] = (),
        shards: int = 1,
        replicas: int = 0,
    ) -> None:
        """`synonyms` are lines of a synonyms file; `replicas` are copies of each shard."""
        self._connection = connection
        self._with_synonyms = bool(synonyms)
        properties = {
            **entries.FIELDS,
            "ordinal": {"type": "integer"},
            "body": TEXT,
            "titles": TEXT,
            "body_words": WORDS,
            "title_words": WORDS,
            "identifiers": entries.KEYWORD,
            "terms": {"type": "rank_features"},
            "sparse_model": STORED,
            "record": STORED,
        }
        settings = {
            "number_of_shards": shards,
            "number_of_replicas": replicas,
            "analysis": analysis(synonyms),
        }
        layout = {
            "settings": {"index": settings},
            "mappings": {
                "dynamic": "strict",
                "_meta": {"words": ANALYSIS_VERSION},
                "_source": {"excludes": list(DERIVED)},
                "properties": properties,
            },
        }
        self._indexes = Indexes(connection, f"{prefix}-chunks", layout, _derived)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write(
        self,
        tenant_id: str,
        intent_id: str,
        chunks: Sequence[tuple[DocumentKey, Chunk]],
        sparse: SparseVectors | None,
    ) -> None:
        """Durable when it returns; replaces what the intent wrote before; not yet visible."""
        facets_of_chunks = [chunk_facets(*chunk) for chunk in chunks]
        check_entries(
            (key, chunk.chunk_id, facets)
            for (key, chunk), facets in zip(chunks, facets_of_chunks, strict=True)
        )
        index = self._indexes.make(tenant_id)
        actions = []
        for number, ((key, chunk), facets) in enumerate(zip(chunks, facets_of_chunks, strict=True)):
            terms = {} if sparse is None else _features(sparse, number)
            actions.append(
                entries.entry(
                    index,
                    intent_id,
                    key,
                    chunk.chunk_id,
                    facets,
                    ordinal=chunk.ordinal,
                    body=chunk.body,
                    titles=" ".join(chunk.title_path),
                    **_searched(key, chunk),
                    record=chunk.model_dump_json(exclude={"body"}),
                    **({"terms": terms} if terms else {}),
                    **({"sparse_model": sparse.model_id} if sparse is not None else {}),
                )
            )
        entries.replace(self._connection, index, tenant_id, intent_id, actions)

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks for any words of the query; [] if it has none. Never a syntax error."""
        words = query_words(query)
        if not words or not self._indexes.exists(tenant_id):
            return []
        should = [_any_of(" ".join(words), WORDS_ANALYZER)]
        if self._with_synonyms and (separate := separate_words(query).split()[:MOST_TERMS]):
            should.append(_any_of(" ".join(separate), SYNONYM_ANALYZER, SYNONYM_BOOST))
        return self._ranked(tenant_id, should, limit, filters, visible)

    def sparse(
        self, tenant_id: str, query: SparseVectors, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks by inner product of term weights; exact up to the rounding of weights."""
        terms = sorted(_features(query, 0).items(), key=lambda term: -term[1])[:MOST_FEATURES]
        if not terms or not self._indexes.exists(tenant_id):
            return []
        should = [
            {"rank_feature": {"field": f"terms.{name}", "linear": {}, "boost": weight}}
            for name, weight in terms
        ]
        return self._ranked(tenant_id, should, limit, filters, visible)

    def _ranked(
        self,
        tenant_id: str,
        should: Sequence[dict[str, Any]],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """The best visible chunks for any of the clauses."""
        clauses = entries.filter_clauses(filters)
        query = {"bool": {"should": list(should), "minimum_should_match": 1, "filter": clauses}}
        index = self._indexes.alias(tenant_id)
        return entries.ranked(self._connection, index, tenant_id, query, limit, visible)

    def identified(
        self, tenant_id: str, identifiers: Sequence[str], limit: int, filters: Filters, visible: Visible
    ) -> list[ChunkRef]:
        """Visible chunks of documents with one of the identifiers, in their order."""
        if not identifiers or not self._indexes.exists(tenant_id):
            return []
        index = self._indexes.alias(tenant_id)
        refs_in_order: dict[ChunkRef, None] = {}
        for identifier in identifiers:
            clauses = [{"term": {"identifiers": identifier}}, *entries.filter_clauses(filters)]
            query = {"bool": {"filter": clauses}}
            refs = entries.in_order(self._connection, index, tenant_id, query)
            refs_in_order.update(dict.fromkeys(filter(visible, refs)))
        return list(refs_in_order)[:limit]

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Stored chunks in the order of refs; None where the store lost one."""
        if not refs or not self._indexes.exists(tenant_id):
            return [None] * len(refs)
        ids = [entries.entry_id(ref.intent_id, ref.key, ref.chunk_id) for ref in refs]
        with self._connection.errors_named() as client:
            response = client.mget(
                index=self._indexes.alias(tenant_id), body={"ids": ids}, _source=["body", "record"]
            )
        return [_chunk(stored["_source"]) if stored.get("found") else None for stored in response["docs"]]

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """All chunks of a document in order."""
        if not self._indexes.exists(key.tenant_id):
            return []
        chunks: list[Chunk] = []
        body: dict[str, Any] = {
            "query": entries.of_intent(intent_id, [key]),
            "sort": [{"ordinal": "asc"}, {"entry": "asc"}],
            "size": 1_000,
            "_source": ["body", "record"],
        }
        while True:
            with self._connection.errors_named() as client:
                hits = client.search(index=self._indexes.alias(key.tenant_id), body=body)["hits"]["hits"]
            chunks += [_chunk(hit["_source"]) for hit in hits]
            if len(hits) < body["size"]:
                return chunks
            body["search_after"] = hits[-1]["sort"]

    def sparse_vectors(self, tenant_id: str, intent_id: str) -> tuple[list[ChunkRef], SparseVectors] | None:
        """The weights that an intent sent, not their rounding in the index; None if it sent none."""
        if not self._indexes.exists(tenant_id):
            return None
        index = self._indexes.alias(tenant_id)
        refs: list[ChunkRef] = []
        rows: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = []
        model_id = ""
        for ref, source in entries.of_one_intent(
            self._connection, index, tenant_id, intent_id, ["terms", "sparse_model"], READ_AT_ONCE
        ):
            if "sparse_model" in source:
                model_id = source["sparse_model"]
                refs.append(ref)
                rows.append(_weights(source.get("terms", {})))
            elif "terms" in source:
                raise StoreCorruptError(
                    f"{ref.key.doc_id} in {index} of {self._connection.name} was indexed before medkg noted "
                    "the sparse model beside its terms. `medkg docs delete` it, then run its source again."
                )
        if not refs:
            return None
        last = max((int(terms[-1]) for terms, _ in rows if len(terms)), default=-1)
        return refs, SparseVectors(model_id, SparseMatrix.of_rows(rows, last + 1))

    def sparse_models(self, tenant_id: str) -> dict[str, str]:
        """Model of the term weights by intent, as one entry of each has it."""
        if not self._indexes.exists(tenant_id):
            return {}
        one_of_each = entries.one_of_each_intent(
            self._connection, self._indexes.alias(tenant_id), "sparse_model"
        )
        return dict(one_of_each)

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Forget what an intent wrote (for some documents, or all). Idempotent."""
        if self._indexes.exists(tenant_id) and (keys is None or keys):
            entries.forget(
                self._connection, self._indexes.alias(tenant_id), entries.of_intent(intent_id, keys)
            )

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Everything held, or what one intent wrote."""
        if not self._indexes.exists(tenant_id):
            return iter(())
        return entries.holdings(self._connection, self._indexes.alias(tenant_id), tenant_id, intent_id)

    def chunk_counts(self, tenant_id: str) -> dict[str, int]:
        """Chunks by intent."""
        if not self._indexes.exists(tenant_id):
            return {}
        return entries.intent_counts(self._connection, self._indexes.alias(tenant_id))

    def is_empty(self, tenant_id: str) -> bool:
        """Whether nothing of the tenant is held."""
        if not self._indexes.exists(tenant_id):
            return True
        with self._connection.errors_named() as client:
            return not client.count(index=self._indexes.alias(tenant_id))["count"]

    def damage(self, tenant_id: str) -> str | None:
        """What is wrong with the tenant's index as a whole; None if it is sound."""
        return self._indexes.problem(tenant_id)

    def repair(self, tenant_id: str) -> None:
        """Give up an index that has lost shards; its documents are then due again."""
        if self._indexes.problem(tenant_id) is not None:
            self._indexes.forget(tenant_id)

    def repair_deletes(self, tenant_id: str) -> bool:
        """Whether the index has lost shards: it is removed, although they may come back with their node."""
        return self._indexes.problem(tenant_id) is not None

    def expunge(self, tenant_id: str) -> None:
        """Have the server write its segments again without what was deleted."""
        if self._indexes.exists(tenant_id):
            entries.expunge(self._connection, self._indexes.alias(tenant_id))


def _searched(key: DocumentKey, chunk: Chunk) -> dict[str, Any]:
    """The fields DERIVED."""
    return {
        "body_words": indexed_words(chunk.body),
        "title_words": indexed_words(" ".join(chunk.title_path)),
        "identifiers": list(chunk_identifiers(key, chunk)),
    }


def _derived(source: Mapping[str, Any]) -> dict[str, Any]:
    """The fields DERIVED, of an entry's source."""
    chunk = _chunk(source)
    key = DocumentKey(tenant_id=chunk.tenant_id, source=source["source"], doc_id=source["doc_id"])
    return _searched(key, chunk)


def _any_of(words: str, analyzer: str, boost: float = 1.0) -> dict[str, Any]:
    """Any of the words, in the body or, at half the weight, in the titles."""
    fields = {"fields": ["body_words", "title_words^0.5"], "type": "most_fields"}
    return {"multi_match": {"query": words, "analyzer": analyzer, "boost": boost, **fields}}


def _features(vectors: SparseVectors, number: int) -> dict[str, float]:
    """A row's weights by feature; the model is part of the name, so that two models never meet."""
    model = hashlib.sha256(vectors.model_id.encode()).hexdigest()[:8]
    terms, weights = vectors.rows.row(number)
    pairs = zip(terms.tolist(), weights.tolist(), strict=True)
    return {f"{model}_{term}": weight for term, weight in pairs if weight >= SMALLEST}


def _weights(features: Mapping[str, float]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Terms, ascending, and weights of an entry's features."""
    of_term = {int(name.rpartition("_")[2]): weight for name, weight in features.items()}
    terms = sorted(of_term)
    return np.array(terms, np.int32), np.array([of_term[term] for term in terms], np.float32)


def _chunk(source: Mapping[str, Any]) -> Chunk:
    return Chunk(**json.loads(source["record"]), body=source["body"])
