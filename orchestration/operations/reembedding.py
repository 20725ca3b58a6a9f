"""Vectors of another model beside those that are searched, then the switch to them.

Comes in: the parts of a data folder that is set to the new model. Leaves: every tenant's chunks with vectors
of that model, and documents that count as made with it. Searches go on with the previous model until the
plane changes, and then find everything by the new one: a query is embedded and compared in one model's
vectors. Runs that commit meanwhile are caught up with. Chunks stay as they are, so their boundaries are those
that the previous model's tokenizer had measured, until a document changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import Field

from orchestration.batching import batched
from orchestration.contracts import Commit, TextModels, VectorRow, chunk_facets
from orchestration.errors import (
    DagsterPipelineConfigError,
    EmbeddingInputTooLongError,
    PlaneUnavailableError,
    UsageError,
)
from orchestration.jobs.host_client import Host
from orchestration.operations.parts import Parts
from orchestration.processes.lock_file import try_lock
from orchestration.records import Chunk, DocumentKey, Fingerprints, Float32Matrix, Record
from orchestration.settings import Settings

__all__ = ["Reembedded", "exclusive", "reembed"]

PLANE_SECONDS: Final = 300.0
"""How long a plane that just starts may take."""

RELABELLED_AT_ONCE: Final = 1_000
"""Commits of one transaction."""

DocumentId = tuple[str, str]
"""(source, doc_id), within a tenant."""


class Reembedded(Record):
    """What re-embedding did."""

    model: str = Field(description="Model that vectors are searched by now.")
    documents: int = Field(ge=0, description="Documents that got vectors of it.")
    switched: int = Field(ge=0, description="Documents that count as made with it now and did not before.")
    left: dict[str, str] = Field(description="Documents that it cannot embed, and why; by id.")


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Run no re-embedding or erasure beside this one; raises UsageError while another process does."""
    lock = try_lock(settings.data_dir / "run" / "reembedding.lock")
    if lock is None:
        raise UsageError(
            f"another process re-embeds or erases documents of {settings.data_dir}. Wait until it has ended."
        )
    with lock:
        yield


def reembed(
    parts: Parts, models: Callable[[], TextModels], say: Callable[[str], None], *, drop_former: bool = False
) -> Reembedded:
    """Embed what has no vectors of the set model, switch a running plane to it, and note it in the ledger.

    Interrupted at any point, nothing has changed for readers, and it goes on where it was. With `drop_former`
    vectors of models that no document needs any more go. Raises UsageError where only new runs could do it.
    """
    with exclusive(parts.settings):
        tenants = parts.ledger.commits.tenants()
        for tenant_id in tenants:
            _check_sparse(parts, tenant_id)
        beside = _Beside(parts, models, say)
        beside.catch_up(tenants)
        _switch_plane(Host(parts.settings, say), parts, say)
        beside.catch_up(parts.ledger.commits.tenants())
        switched = sum(beside.relabel(tenant_id) for tenant_id in parts.ledger.commits.tenants())
        if drop_former:
            for tenant_id in parts.ledger.commits.tenants():
                used_models = {beside.model, *parts.ledger.commits.namespaces(tenant_id)}
                parts.stores.vectors.discard_other_models(tenant_id, used_models)
        return Reembedded(
            model=beside.model, documents=beside.documents, switched=switched, left=dict(beside.left)
        )


def _check_sparse(parts: Parts, tenant_id: str) -> None:
    """Raise UsageError when chunks have term weights of another sparse model than the one that is set."""
    first = next(iter(parts.ledger.commits.committed(tenant_id)), None)
    terms = first and parts.stores.search.sparse_vectors(tenant_id, first.intent_id)
    wanted = parts.model_ids().get("sparse")
    if terms and terms[1].model_id != wanted:
        raise UsageError(
            f"chunks of tenant {tenant_id} have term weights of {terms[1].model_id}, and the sparse model "
            f"that is set is {wanted}. Re-embedding makes dense vectors alone: set MEDKG_SPARSE_MODEL as it "
            "was, or run the sources again, which makes both."
        )


def _switch_plane(host: Host, parts: Parts, say: Callable[[str], None]) -> None:
    """Have a running plane use the new model; returns when no run is on with the previous one."""
    if not host.is_running():
        return
    status = host.wait_until_plane_ready(PLANE_SECONDS)
    if status.profile != parts.settings.profile:
        raise UsageError(
            f"the host runs with profile {status.profile}, not {parts.settings.profile}: set the same, or "
            "stop it with `medkg down` first. The vectors are made; the same command goes on from there."
        )
    wanted = parts.model_ids()
    if status.plane != "ready":
        raise PlaneUnavailableError(
            f"the plane is {status.plane}, so it cannot be switched. The vectors are made: run the same "
            "command when `medkg status` calls it ready, or stop the host with `medkg down` first."
        )
    if status.models != wanted:
        say(f"switching the plane to {wanted['dense']}; runs that are on end with the previous model")
        host.swap_models(parts.settings)
    host.wait_until_swapped()


@dataclass(frozen=True, slots=True)
class _Held:
    """A document's chunks under an intent."""

    source: str
    doc_id: str
    chunk_count: int


class _Beside:
    """Makes the vectors, and labels commits with their model."""

    def __init__(self, parts: Parts, models: Callable[[], TextModels], say: Callable[[str], None]) -> None:
        self._ledger = parts.ledger
        self._stores = parts.stores
        self._index = parts.index
        self._fingerprints = parts.fingerprints
        self._models = models
        self._say = say
        self.model = parts.model_ids()["dense"]
        self.documents = 0
        self.left: dict[str, str] = {}
        self._left: set[tuple[str, DocumentId]] = set()

    def catch_up(self, tenants: Sequence[str]) -> None:
        """Embed until every visible chunk of these tenants has a vector; those of `left` excepted."""
        for tenant_id in tenants:
            while wanting := self._wanting(tenant_id):
                self._say(f"tenant {tenant_id}: {sum(map(len, wanting.values()))} documents to embed")
                for intent_id, documents in wanting.items():
                    self._embed(tenant_id, intent_id, documents)

    def relabel(self, tenant_id: str) -> int:
        """Relabel documents that have vectors of the model as made with it; returns their number."""
        held = self._held(tenant_id)
        previous = (
            commit for commit in self._ledger.commits.committed(tenant_id) if commit.namespace != self.model
        )
        whole = (commit for commit in previous if not commit.chunk_count or self._is_whole(commit, held))
        return sum(self._relabel(batch) for batch in batched(whole, RELABELLED_AT_ONCE))

    # --- vectors ------------------------------------------------------------------------------------

    def _wanting(self, tenant_id: str) -> dict[str, list[_Held]]:
        """All visible documents of intents in which one has no vectors of the model, by intent."""
        held = self._held(tenant_id)
        damaged = self._stores.vectors.damaged(tenant_id, self.model)
        of_intent: dict[str, list[_Held]] = defaultdict(list)
        wanting = set(damaged)
        for commit in self._ledger.commits.committed(tenant_id):
            document = commit.key.source, commit.key.doc_id
            if commit.chunk_count and (tenant_id, document) not in self._left:
                of_intent[commit.intent_id].append(_Held(*document, commit.chunk_count))
                if not self._is_whole(commit, held):
                    wanting.add(commit.intent_id)
        return {intent_id: of_intent[intent_id] for intent_id in wanting & of_intent.keys()}

    def _held(self, tenant_id: str) -> dict[tuple[str, DocumentId], int]:
        """Vectors of the model, by intent and document."""
        holdings = self._stores.vectors.holdings(tenant_id, namespace=self.model)
        return {
            (holding.intent_id, (holding.key.source, holding.key.doc_id)): holding.chunk_count
            for holding in holdings
        }

    @staticmethod
    def _is_whole(commit: Commit, held: dict[tuple[str, DocumentId], int]) -> bool:
        document = commit.key.source, commit.key.doc_id
        return held.get((commit.intent_id, document), 0) == commit.chunk_count

    def _embed(self, tenant_id: str, intent_id: str, documents: Sequence[_Held]) -> None:
        """Write the intent's vectors of the model, a segment for all of its visible documents."""
        chunks: dict[DocumentKey, list[Chunk]] = {}
        for document in documents:
            key = DocumentKey(tenant_id=tenant_id, source=document.source, doc_id=document.doc_id)
            chunks[key] = self._stores.search.document_chunks(key, intent_id)
        vectors = self._vectors(chunks)
        rows = [
            VectorRow(key, chunk.chunk_id, chunk_facets(key, chunk))
            for key in vectors
            for chunk in chunks[key]
        ]
        if rows:
            dense = np.concatenate(list(vectors.values()))
            self._stores.vectors.write(tenant_id, self.model, intent_id, rows, dense)
        self.documents += len(vectors)
        gone = [key for key in vectors if not self._is_visible(key, intent_id)]
        if gone:  # replaced or deleted meanwhile, perhaps before the write
            self._stores.vectors.discard(tenant_id, intent_id, gone)

    def _is_visible(self, key: DocumentKey, intent_id: str) -> bool:
        commit = self._ledger.commits.find(key)
        return commit is not None and commit.intent_id == intent_id

    def _vectors(self, chunks: dict[DocumentKey, list[Chunk]]) -> dict[DocumentKey, Float32Matrix]:
        """Each document's vectors; one with a chunk that is too long is noted and left out."""
        bodies = [chunk.body for of_document in chunks.values() for chunk in of_document]
        try:
            dense = self._models().embed_texts(bodies)[0] if bodies else np.zeros((0, 0), np.float32)
        except EmbeddingInputTooLongError as error:
            if len(chunks) > 1:  # one by one, to leave out those alone
                results = (self._vectors({key: of_document}) for key, of_document in chunks.items())
                return {key: vectors for vectors_of in results for key, vectors in vectors_of.items()}
            (key,) = chunks
            self.left[key.doc_id] = error.message
            self._left.add((key.tenant_id, (key.source, key.doc_id)))
            return {}
        ends = np.cumsum([len(of_document) for of_document in chunks.values()])[:-1]
        return dict(zip(chunks, np.split(dense, ends), strict=True))

    # --- labels -------------------------------------------------------------------------------------

    def _relabel(self, previous: Sequence[Commit]) -> int:
        """One transaction; parsed documents are kept under the new fingerprint before it, then no other."""
        pairs = [(commit, self._labelled(commit)) for commit in previous]
        self._stores.documents.copy(
            [
                (old.key, old.version, old.fingerprint, new.fingerprint)
                for old, new in pairs
                if old.fingerprint != new.fingerprint
            ]
        )
        done = {new.key for new in self._ledger.commits.relabel(pairs)}
        self._index.clean([old if old.key in done else new for old, new in pairs])
        return len(done)

    def _labelled(self, previous: Commit) -> Commit:
        """The commit as a run with the new model would have made it; one that is outdated anyway stays so."""
        now = self._fingerprints_of(previous.pipeline, self.model)
        before = self._fingerprints_of(previous.pipeline, previous.namespace)
        new = next(
            (now[name].index for name, each in before.items() if each.index == previous.fingerprint), None
        )
        return previous.model_copy(
            update={"namespace": self.model, "fingerprint": new or previous.fingerprint}
        )

    def _fingerprints_of(self, pipeline: str, model: str) -> dict[str, Fingerprints]:
        """By document format; none of a pipeline that is not there any more."""
        try:
            return dict(self._fingerprints(pipeline, model))
        except DagsterPipelineConfigError:
            return {}
