"""What searches would miss without an error: documents of other encoders, and lost chunks and vectors.

Input: the parts of a data folder. Output: one line per problem, with its next step. Counts alone are read, so
this is cheap enough for every opening of a search and for `medkg status`; what only a checksum shows is for
`medkg verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.contracts import IntentCount
from orchestration.errors import MedkgError
from orchestration.operations.store_checks import STORE_SECONDS, ask_store
from orchestration.retrieval.legs import MODEL_LEGS

if TYPE_CHECKING:
    from orchestration.operations.parts import Parts

__all__ = ["index_problems", "lost_entries", "lost_vectors", "other_encoders"]


def index_problems(parts: Parts, seconds: float = STORE_SECONDS) -> list[str]:
    """Problems of the configured models' legs, and the errors of what cannot be asked within `seconds`."""
    lines: list[str] = []

    def look() -> str:
        lines.extend(other_encoders(parts, parts.model_ids()))
        lines.extend(lost_entries(parts))
        lines.extend(lost_vectors(parts))
        return ""

    try:
        ask_store("search store and vector store", look, seconds)
    except MedkgError as error:
        return [*lines, error.message]
    return lines


def other_encoders(parts: Parts, models: Mapping[str, str], legs: Collection[str] = MODEL_LEGS) -> list[str]:
    """For each of the legs: how many documents have no vectors or term weights of its model, and what to do.

    Raises what the stores raise.
    """
    tenant_id = parts.settings.tenant
    counts = parts.ledger.commits.counts_by_intent(tenant_id)
    total = sum(count.documents for count in counts)
    without_terms = _without_terms(parts, models.get("sparse"), counts)
    lines: list[str] = []
    other_vectors = sum(count.documents for count in counts if count.namespace != models["dense"])
    if "dense" in legs and other_vectors:
        step = "run their sources again, which" if without_terms else "`medkg reembed`"
        lines.append(
            f"{other_vectors} of {total} documents were embedded by another model than {models['dense']}, so "
            f"the dense leg may miss them: {step} embeds them by this one"
        )
    if "sparse" in legs and without_terms:
        lines.append(
            f"{without_terms} of {total} documents have no term weights of {models['sparse']}, so the sparse "
            "leg misses them: run their sources again, or set MEDKG_SPARSE_MODEL as it was"
        )
    return lines


def lost_entries(parts: Parts) -> list[str]:
    """A line if the search store has not all chunks of some documents; else none. Raises what it raises."""
    counts = parts.ledger.commits.counts_by_intent(parts.settings.tenant)
    held = parts.stores.search.chunk_counts(parts.settings.tenant) if counts else {}
    chunks: Counter[str] = Counter()
    for count in counts:
        chunks[count.intent_id] += count.chunks
    lost = [count for count in counts if held.get(count.intent_id, 0) < chunks[count.intent_id]]
    return _lost("chunks", "words and terms miss", lost, counts)


def lost_vectors(parts: Parts, model: str | None = None) -> list[str]:
    """A line if the vector store has not all vectors of some documents, under one model or any; else none.

    Raises what the vector store raises, StoreCorruptError for a damaged index.
    """
    tenant_id = parts.settings.tenant
    counts = parts.ledger.commits.counts_by_intent(tenant_id)
    lost: list[IntentCount] = []
    for namespace in {count.namespace for count in counts if model in (None, count.namespace)}:
        held = parts.stores.vectors.chunk_counts(tenant_id, namespace)
        of_model = (count for count in counts if count.namespace == namespace)
        lost += (count for count in of_model if held.get(count.intent_id, 0) < count.chunks)
    return _lost("vectors", "the dense leg misses", lost, counts)


def _lost(kind: str, effect: str, lost: Sequence[IntentCount], counts: Sequence[IntentCount]) -> list[str]:
    if not lost:
        return []
    documents, total = (sum(count.documents for count in some) for some in (lost, counts))
    return [
        f"{kind} of up to {documents} of {total} documents are lost, so {effect} them: `medkg verify "
        "--repair` makes them again"
    ]


def _without_terms(parts: Parts, model: str | None, counts: Sequence[IntentCount]) -> int:
    """Documents that have no term weights of the model; none where there is no sparse model."""
    if model is None or not counts:
        return 0
    models = parts.stores.search.sparse_models(parts.settings.tenant)
    return sum(count.documents for count in counts if models.get(count.intent_id) != model)
