"""Searches over a data folder: legs, the models that they need, fusion and reranking; and their evaluation.

Comes in: the parts of a data folder, and questions. Leaves: hits and measures. A searcher loads the models of
its legs when it is opened, so that no search waits for them. What reduces the result is reported then: a leg
that is off, documents that were embedded by another model, lost vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from orchestration.contracts import Filters, fold
from orchestration.errors import MedkgError, StoreCorruptError, UsageError
from orchestration.operations.entity_filter import concepts_of_names, documents_about
from orchestration.operations.index_problems import lost_entries, lost_vectors, other_encoders
from orchestration.operations.models import LazyModels
from orchestration.operations.parts import Parts
from orchestration.records import DocumentKey
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.evaluation import Question, evaluate, read_questions
from orchestration.retrieval.fusion import DEFAULT_FUSION, fusion_named
from orchestration.retrieval.graph_leg import GRAPH, GraphLeg
from orchestration.retrieval.legs import MODEL_LEGS, Bm25Leg, DenseLeg, Leg, SparseLeg
from orchestration.retrieval.reranking import RERANK, Reranker
from orchestration.retrieval.search import HybridSearch, SearchResult

__all__ = ["Searches", "open_searcher"]

NO_MODEL: Final = "none"

Notify = Callable[[str], None]
Look = Callable[[], list[str]]
"""Returns a line per problem of the index; may raise the error of a store."""


class Searches:
    """Searches of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant

    def search(
        self,
        query: str,
        top: int,
        filters: Filters,
        legs: Sequence[str] | None,
        notify: Notify,
        *,
        fusion: str | None = None,
        group: bool = False,
        rerank: bool = False,
        entities: Sequence[str] = (),
    ) -> SearchResult:
        """Return the best `top` chunks for a query, or with `group` the best documents.

        `entities`: keys or names of concepts that a hit's document mentions, all of them. Loads the models of
        these legs (default: all) alone, and frees them. Raises UsageError for an unknown fusion or entity or
        for reranking without a model, and what HybridSearch raises.
        """
        chosen = fusion_named(fusion) if fusion is not None else None
        self._report_unknown_sources(filters, notify)
        within = self._mentioning(entities, notify) if entities else None
        with open_searcher(self._parts, legs, notify, rerank=rerank) as searcher:
            return searcher.search(
                self._tenant_id,
                query,
                top,
                filters,
                legs,
                fusion=chosen,
                group=group,
                within=within,
                rerank=rerank,
            )

    def evaluate(
        self,
        questions: Path,
        notify: Notify,
        fusions: Sequence[str] = (),
        *,
        rerank: bool = False,
        graph: bool = False,
    ) -> dict[str, Any]:
        """Measure each leg, the hybrid, with `rerank` the reranked hybrid, and named fusions; JSON values.

        With `graph` the graph leg too, and the hybrid with it.

        Raises what `search` raises.
        """
        named = {name: fusion_named(name) for name in fusions}
        judged = read_questions(questions)
        self._report_unanswerable(judged, notify)
        with open_searcher(self._parts, None, notify, rerank=rerank) as searcher:
            on_request = [GRAPH] if graph else []
            measured = evaluate(
                searcher, self._tenant_id, judged, named, rerank=rerank, on_request=on_request
            )
            return measured.as_json()

    def _mentioning(self, entities: Sequence[str], notify: Notify) -> frozenset[DocumentKey]:
        return documents_about(self._parts, entities, notify)

    def _report_unknown_sources(self, filters: Filters, notify: Notify) -> None:
        """Name the sources of the index if the filter names another one."""
        if not filters.source:
            return
        sources = self._parts.ledger.commits.sources(self._tenant_id)
        known = {fold(source) for source in sources}
        for source in filters.source:
            if source not in known:
                notify(f"--source {source}: no document is of it, only of {', '.join(sources) or 'none'}")

    def _report_unanswerable(self, questions: Sequence[Question], notify: Notify) -> None:
        """Report questions without a relevant document in the index, which count 0 in every measure."""
        relevant = {doc_id for question in questions for doc_id in question.relevant}
        committed = self._parts.ledger.commits.committed(self._tenant_id)
        indexed = relevant.intersection(commit.key.doc_id for commit in committed)
        count = sum(indexed.isdisjoint(question.relevant) for question in questions)
        if count:
            notify(f"{count:,} of {len(questions):,} questions have no relevant document here")

    def open(self, legs: Sequence[str] | None, notify: Notify, *, rerank: bool = False) -> HybridSearch:
        """Open a searcher for many questions, with the models of these legs (default: all) loaded.

        The caller closes it. Raises UsageError for reranking without a model.
        """
        return open_searcher(self._parts, legs, notify, rerank=rerank)


def open_searcher(
    parts: Parts, legs: Sequence[str] | None, notify: Notify, *, rerank: bool = False
) -> HybridSearch:
    """Open a searcher by these legs (None: all); the caller closes it, which frees its models and threads.

    Models are loaded once, and only those of the legs. Raises UsageError for reranking if no model is
    configured for it, or if a running plane has another one.
    """
    _check_index(parts)
    model_legs = set(MODEL_LEGS).intersection(legs or MODEL_LEGS)
    loaded = model_legs | ({RERANK} if rerank else set())
    models = LazyModels(lambda: parts.models(loaded, notify))
    try:
        reranker = _reranker(parts, models) if rerank else None
        indexed = bool(loaded and parts.ledger.commits.changes(parts.settings.tenant, 0)[0])
        loaded_ids = models().model_ids() if indexed else {}  # loads before the search's time budget runs
        _report(_looks(parts, set(legs or ("bm25", *MODEL_LEGS)), loaded_ids), notify)
        if indexed and rerank:
            _check_rerank_model(models().rerank_model(), parts.rerank_model())
        budgets = Budgets(
            parts.settings.search_seconds,
            {str(leg): seconds for leg, seconds in parts.settings.search_leg_seconds.items()},
        )
        return HybridSearch(
            parts.ledger.commits,
            parts.stores.search,
            _legs(parts, models, notify, with_models=bool(model_legs)),
            DEFAULT_FUSION,
            budgets,
            reranker,
            release=models.close,
            on_request=[GRAPH],
            observe=parts.observe_search,
        )
    except BaseException:
        models.close()
        raise


def _check_index(parts: Parts) -> None:
    """Raise StoreCorruptError if the index was lost: without it every question would find nothing."""
    tenant_id = parts.settings.tenant
    if parts.stores.search.is_empty(tenant_id) and parts.ledger.commits.namespaces(tenant_id):
        raise StoreCorruptError(
            f"the search index of tenant {tenant_id} is empty, and the ledger names documents of it. "
            "`medkg verify --repair` makes it again from the parsed documents."
        )


def _legs(parts: Parts, models: LazyModels, notify: Notify, *, with_models: bool) -> list[Leg]:
    """The legs of the profile; whether it has a sparse leg is looked up only if a leg needs a model."""
    legs: list[Leg] = [Bm25Leg(parts.stores.search)]
    if with_models and (reason := parts.sparse_off()) is not None:
        notify(f"the sparse leg is off: {reason}")
    elif with_models:
        legs.append(SparseLeg(parts.stores.search, lambda texts: models().encode_sparse_queries(texts)))
    legs.append(DenseLeg(parts.stores.vectors, lambda texts: models().embed_queries(texts)))
    legs.append(GraphLeg(parts.ledger.graph, parts.stores.search, partial(concepts_of_names, parts)))
    return legs


def _reranker(parts: Parts, models: LazyModels) -> Reranker:
    if parts.settings.rerank_model in (None, NO_MODEL):
        raise UsageError(
            "no model is configured for reranking. Set MEDKG_RERANK_MODEL to the folder or hub id of a "
            "cross-encoder, e.g. cross-encoder/ms-marco-MiniLM-L6-v2."
        )
    return Reranker(
        lambda question, passages: models().rerank(question, passages), parts.settings.rerank_depth
    )


def _check_rerank_model(loaded: str | None, configured: str | None) -> None:
    """Raise UsageError if the loaded cross-encoder is not the configured one."""
    if loaded != configured:
        state = f"reranks by {loaded}" if loaded else "has no cross-encoder"
        raise UsageError(
            f"the plane {state}, and MEDKG_RERANK_MODEL names {configured}. Have the plane load it: "
            "medkg up --swap"
        )


def _looks(parts: Parts, legs: Collection[str], models: Mapping[str, str]) -> Iterator[Look]:
    """What finds out what these legs will miss; without loaded models only what needs none."""
    if not {"bm25", "sparse"}.isdisjoint(legs):
        yield partial(lost_entries, parts)
    if models:
        yield partial(other_encoders, parts, models, legs)
    if models and "dense" in legs:
        yield partial(_other_model, parts, models["dense"])
        yield partial(lost_vectors, parts, models["dense"])


def _report(looks: Iterable[Look], notify: Notify) -> None:
    """Report the lines, each once; a store that cannot be asked is reported, and its legs fail later."""
    lines: dict[str, None] = {}
    for look in looks:
        try:
            lines |= dict.fromkeys(look())
        except MedkgError as error:
            lines[error.message] = None
    for line in lines:
        notify(line)


def _other_model(parts: Parts, loaded: str) -> list[str]:
    """A line where a plane embeds queries by another model than the configured one; else none."""
    configured = parts.model_ids()["dense"]
    if loaded == configured:
        return []
    return [
        f"the plane searches by {loaded}, and {configured} is configured: `medkg reembed` embeds the "
        "documents by it and switches the plane"
    ]
