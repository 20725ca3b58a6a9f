"""An import: the documents of an export, through the same dual write and commit log as a run's.

Comes in: an export's folder. Leaves: documents of the settings' tenant, visible batch by batch, with ledger
rows that a later run of their source skips. What is there already is not changed, so an interrupted
import can be repeated. A document that a store refuses is left out and named; the others are imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from typing import Final
from uuid import uuid4

from orchestration.contracts import Commit, values_of
from orchestration.errors import MedkgError, UsageError
from orchestration.operations.backup.aliases import read_aliases
from orchestration.operations.backup.columns import Copied
from orchestration.operations.backup.exporting import Observe
from orchestration.operations.backup.folder import TenantCopy, read_copy
from orchestration.operations.backup.refusals import RefusedDocument
from orchestration.operations.backup.table_reader import read_documents
from orchestration.operations.backup.vocabularies import differing_vocabularies
from orchestration.operations.parts import Parts
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import EmbeddingBatch, IndexReceipt, SparseMatrix, StageContext
from orchestration.stores.entry_limits import refusal_reason
from orchestration.stores.restored_entries import context_of

__all__ = ["Imported", "context_of_copy", "import_tenant"]

DOCUMENTS_AT_ONCE: Final = 200
CHUNKS_AT_ONCE: Final = 5_000
"""Of one intent: some 40 MB with vectors."""


@dataclass(slots=True)
class Imported:
    """The account of an import: the documents of the export are the sum of all others."""

    import_id: str
    documents: int
    imported: int = 0
    unchanged: int = 0
    not_replaced: int = 0
    """Visible in another version or with another fingerprint, or leased by a run; not changed."""
    chunks: int = 0
    refused: list[RefusedDocument] = field(default_factory=list)
    """Refused by a store; what was visible of them before is not changed."""
    vocabularies: Mapping[str, str] = field(default_factory=dict)
    """Vocabularies by name that are `missing` here, `other` ones, or `more` than the export's folder had: the
    next run links mentions of the documents again."""

    @property
    def finished(self) -> int:
        """Documents of the export that were decided on."""
        return self.imported + self.unchanged + self.not_replaced + len(self.refused)


def import_tenant(
    parts: Parts, folder: Path, observe: Observe, *, replace: bool, other_models: bool
) -> Imported:
    """Import an export; returns the account of it. Idempotent, and safe to interrupt and repeat.

    Raises CopyUnusableError or UsageError before anything is taken.
    """
    tenant_id = parts.settings.tenant
    manifest = read_copy(folder, "medkg-export")
    (copied,) = manifest.tenants.values()
    if not other_models:
        _check_models(copied, parts.model_ids())
    parts.index.recover(is_alive)
    done = Imported(str(uuid4()), copied.documents)
    visible = {commit.key: commit for commit in parts.ledger.commits.committed(tenant_id)}
    for batch in _batches(read_documents(folder, copied.parts, tenant_id)):
        wanted = [
            document
            for document in batch
            if _is_wanted(document.commit, visible.get(document.commit.key), replace, done)
        ]
        if wanted:
            _take_in(parts, wanted, replace, done)
        observe(done.finished, done.documents)
    parts.ledger.aliases.put(tenant_id, read_aliases(folder, manifest))
    done.vocabularies = differing_vocabularies(manifest.vocabularies, parts.vocabularies.shape())
    return done


def _check_models(copied: TenantCopy, own: Mapping[str, str]) -> None:
    """Raise UsageError for vectors or terms that questions of this profile would not be compared with."""
    for leg, models, setting in (
        ("dense", copied.dense_models, "MEDKG_EMBEDDING_MODEL"),
        ("sparse", copied.sparse_models, "MEDKG_SPARSE_MODEL"),
    ):
        others = [model for model in models if leg in own and model != own[leg]]
        if others:
            raise UsageError(
                f"the {leg} vectors of this export are of {', '.join(others)}, the profile's model is "
                f"{own[leg]}: the {leg} leg would not find them. Set {setting} (or --profile) to that "
                "model, or import them all the same with --other-models. Nothing was imported."
            )


def _is_wanted(commit: Commit, visible: Commit | None, replace: bool, done: Imported) -> bool:
    if visible is None:
        return True
    if (visible.version, visible.fingerprint) == (commit.version, commit.fingerprint):
        done.unchanged += 1
        return False
    if not replace:
        done.not_replaced += 1
    return replace


def _take_in(parts: Parts, wanted: Sequence[Copied], replace: bool, done: Imported) -> None:
    """Write every store under one intent, then commit what no store refused."""
    contexts = [context_of_copy(document, done.import_id) for document in wanted]
    tenant_id = contexts[0].tenant_id
    vocabulary = max(document.batch.sparse.vocabulary if document.batch.sparse else 0 for document in wanted)
    dense = _dense_model(wanted) or parts.model_ids()["dense"]
    items = [
        (ctx, _as_one(document.batch, dense, vocabulary))
        for ctx, document in zip(contexts, wanted, strict=True)
    ]
    accepted: list[tuple[StageContext, Copied, IndexReceipt]] = []
    outcomes = parts.index.stage(tenant_id, own_identity(), items)
    for ctx, document, outcome in zip(contexts, wanted, outcomes, strict=True):
        if isinstance(outcome, MedkgError):
            done.refused.append(RefusedDocument.of(ctx.key, refusal_reason(ctx.key, outcome)))
        else:
            accepted.append((ctx, document, outcome))
    if not accepted:
        return
    parts.stores.documents.put([(ctx, document.document) for ctx, document, _ in accepted])
    graph_intent = _staged_graph(parts, [(ctx, document) for ctx, document, _ in accepted])
    copied = [
        (
            document.commit.model_copy(
                update={
                    "intent_id": receipt.intent_id,
                    "namespace": receipt.namespace,
                    "graph_intent_id": graph_intent if document.extraction is not None else None,
                }
            ),
            document.origin,
        )
        for _, document, receipt in accepted
    ]
    taken = parts.ledger.copies.import_documents(done.import_id, copied, replace=replace)
    if taken.not_replaced:  # a run was faster, or has leased it
        not_replaced = sorted(taken.not_replaced, key=lambda key: key.doc_id)
        for store in (parts.stores.search, parts.stores.vectors):
            store.discard(tenant_id, accepted[0][2].intent_id, not_replaced)
        if graph_intent is not None:
            parts.ledger.graph.discard(tenant_id, graph_intent, not_replaced)
    parts.index.clean(taken.superseded)
    done.not_replaced += len(taken.not_replaced)
    done.imported += len(accepted) - len(taken.not_replaced)
    done.chunks += sum(commit.chunk_count for commit, _ in copied if commit.key not in taken.not_replaced)


def _staged_graph(parts: Parts, documents: Sequence[tuple[StageContext, Copied]]) -> str | None:
    """Write the mentions and claims of documents that have any; returns their intent."""
    items = [(ctx, copied.extraction) for ctx, copied in documents if copied.extraction is not None]
    receipts = values_of(parts.graph_writer.stage(parts.settings.tenant, own_identity(), items))
    return receipts[0].intent_id if receipts else None


def context_of_copy(copied: Copied, import_id: str) -> StageContext:
    """Return the context under which stores keep a copied document."""
    return context_of(copied.commit, import_id, import_id, copied.origin.pipeline_version)


def _as_one(batch: EmbeddingBatch, dense: str, vocabulary: int) -> EmbeddingBatch:
    """The batch with the dense model and the vocabulary that all of an intent share."""
    models = {**batch.model_ids, "dense": dense}
    if batch.sparse is None:
        return changed(batch, model_ids=models)
    rows = batch.sparse
    sparse = SparseMatrix(rows.indptr, rows.indices, rows.values, vocabulary)
    return changed(batch, sparse=sparse, model_ids=models)


def _dense_model(documents: Sequence[Copied]) -> str | None:
    """The one model of their vectors; None where none names any, having no chunks."""
    return next((model for document in documents if (model := document.batch.model_ids.get("dense"))), None)


def _batches(documents: Iterable[Copied]) -> Iterator[list[Copied]]:
    """Documents of the same models together, so many that memory is bounded."""
    batch: list[Copied] = []
    chunks = 0
    for copied in documents:
        full = len(batch) >= DOCUMENTS_AT_ONCE or chunks + len(copied.batch.chunks) > CHUNKS_AT_ONCE
        if batch and (full or not _go_together(batch, copied)):
            yield batch
            batch, chunks = [], 0
        batch.append(copied)
        chunks += len(copied.batch.chunks)
    if batch:
        yield batch


def _go_together(batch: Sequence[Copied], copied: Copied) -> bool:
    """Whether one intent may hold all of them: vectors of one model, terms of one or none."""
    if (
        len(
            {
                document.batch.model_ids["dense"]
                for document in (*batch, copied)
                if "dense" in document.batch.model_ids
            }
        )
        > 1
    ):
        return False
    full = [document.batch for document in (*batch, copied) if document.batch.chunks]
    return len({embeddings.model_ids.get("sparse") for embeddings in full}) <= 1
