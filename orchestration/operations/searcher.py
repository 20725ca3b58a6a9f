"""The search over a data folder: its legs, the models that they ask, and the reranker.

Comes in: the parts of a data folder. Leaves: a HybridSearch whose models are loaded, so that no search waits
for them. What is missing is said: a leg that is off, documents that were embedded by another model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from orchestration.contracts import TextModels
from orchestration.errors import UsageError
from orchestration.operations.parts import Parts
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.fusion import DEFAULT_FUSION
from orchestration.retrieval.legs import Bm25Leg, DenseLeg, Leg, SparseLeg
from orchestration.retrieval.reranking import RERANK, Reranker
from orchestration.retrieval.search import HybridSearch

__all__ = ["MODEL_LEGS", "open_searcher"]

MODEL_LEGS: Final = ("sparse", "dense")
NO_MODEL: Final = "none"


def open_searcher(
    parts: Parts, legs: Sequence[str] | None, say: Callable[[str], None], *, rerank: bool = False
) -> HybridSearch:
    """A search for many questions by these legs (None: all); the caller closes it.

    Raises UsageError if it is to rerank and no model is set for that, or a plane runs with another.
    """
    with_models = set(MODEL_LEGS).intersection(legs or MODEL_LEGS)
    wanted = with_models | ({RERANK} if rerank else set())

    @cache
    def models() -> TextModels:
        return parts.models(wanted, say)

    reranker = _reranker(parts, models) if rerank else None
    if wanted and parts.ledger.changes(parts.settings.tenant, 0)[0]:
        chosen = models().model_ids()  # loads them, if it must, before the clock of the search runs
        if "dense" in with_models:
            _tell_of_other_vectors(parts, chosen["dense"], say)
        if rerank:
            _check_reranks(models().rerank_model(), parts.rerank_model())
    stores = parts.stores
    found: list[Leg] = [Bm25Leg(stores.search)]
    if with_models and (reason := parts.sparse_off()) is not None:
        say(f"the sparse leg is off: {reason}")
    elif with_models:
        found.append(SparseLeg(stores.search, lambda texts: models().expand_queries(texts)))
    found.append(DenseLeg(stores.vectors, lambda texts: models().embed_queries(texts)))
    leg_seconds = {str(leg): seconds for leg, seconds in parts.settings.search_leg_seconds.items()}
    budgets = Budgets(parts.settings.search_seconds, leg_seconds)
    return HybridSearch(parts.ledger, stores.search, found, DEFAULT_FUSION, budgets, reranker)


def _reranker(parts: Parts, models: Callable[[], TextModels]) -> Reranker:
    if parts.settings.rerank_model in (None, NO_MODEL):
        raise UsageError(
            "there is no model to rerank with. Set MEDKG_RERANK_MODEL to the folder or hub id of a "
            "cross-encoder, e.g. cross-encoder/ms-marco-MiniLM-L6-v2."
        )
    return Reranker(lambda *asked: models().rerank(*asked), parts.settings.rerank_depth)


def _check_reranks(loaded: str | None, wanted: str | None) -> None:
    """Raise UsageError where scores would be another model's, or nobody's."""
    if loaded != wanted:
        now = f"reranks by {loaded}" if loaded else "has no cross-encoder"
        raise UsageError(
            f"the plane {now}, and MEDKG_RERANK_MODEL names {wanted}. Have the plane load it: medkg up --swap"
        )


def _tell_of_other_vectors(parts: Parts, model: str, say: Callable[[str], None]) -> None:
    """Say how many documents the dense leg cannot find by this model."""
    documents = parts.ledger.namespaces(parts.settings.tenant)
    total = sum(documents.values())
    others = total - documents.get(model, 0)
    if others:
        say(
            f"{others} of {total} documents were embedded by another model than {model}, so the dense leg "
            "may miss them: `medkg reembed` embeds them by this one"
        )
