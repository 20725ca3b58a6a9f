"""The plane's front door: start or attach to the actor pools, and ask them for chunks, vectors, scores.

Comes in: a profile, and perhaps the address of a Ray cluster. Leaves: a `RayPlane`, which is what
orchestration.contracts.Plane describes. ray is imported when it is first used, torch only inside actors
(and in LocalModels), so importing this module costs nothing.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.chunking.chunk_profiles import is_semantic
from gpu_actors.encoders.local_models import LocalModels
from gpu_actors.health.gpu import check_devices, gpus, preflight
from gpu_actors.pools.plane_reranking import rerank_model_id, reranker_of
from gpu_actors.profiles import CHUNKER_VERSION, Profile, chosen_profile, find_model, model_ids
from orchestration.contracts import Outcome, PlaneUse, Vectors
from orchestration.errors import ConfigurationError, MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix, SparseMatrix

if TYPE_CHECKING:
    from gpu_actors.batches.tokens import TextTokenizer
    from gpu_actors.cluster.ray_cluster import OwnRay
    from gpu_actors.pools.dispatch import Answer
    from gpu_actors.pools.placement import Seats
    from gpu_actors.pools.plane_pools import Pools
    from gpu_actors.pools.pool import Pool
    from gpu_actors.pools.replicas import ToCut
    from gpu_actors.pools.rows import RowsOutcome

__all__ = [
    "LocalModels",
    "Profile",
    "RayPlane",
    "check_devices",
    "chosen_profile",
    "component_versions",
    "connect_plane",
    "gpus",
    "model_ids",
    "rerank_model_id",
    "start_plane",
]

LOAD_SECONDS: Final = 300.0
QUERY_SECONDS: Final = 10.0
HEALTH_SECONDS: Final = 5.0
TRIAL: Final = "Metformin lowers blood glucose in adults with type 2 diabetes."
UNIT_TOLERANCE: Final = 0.01
Encoded = TypeVar("Encoded")
NO_VECTORS: Final = np.zeros((0, 0), dtype=np.float32)
DOCUMENTS_A_CALL: Final = 16
"""Documents of one chunker call: small, so that windows share the chunkers fairly."""


# --- without a plane --------------------------------------------------------------------------------


def component_versions() -> dict[str, str]:
    """Versions of what the plane does beside its models; part of fingerprints."""
    return {"chunker": CHUNKER_VERSION}


# --- Ray --------------------------------------------------------------------------------------------


def start_plane(profile: Profile, *, address: str | None = None, folder: Path, dashboard: bool) -> RayPlane:
    """Start Ray in this process (or join the cluster at `address`) and load the models; main thread only.

    `folder`: a short private path for Ray's files, removed by `close`. Ray's processes and the actors end
    with this process, however it ends. Raises GpuUnavailableError before anything is started (of a cluster's
    nodes, when a model loads there), PlaneUnavailableError when loading fails.
    """
    if address is None:
        preflight(profile)
    find_model(profile.embedding_model).files  # noqa: B018 - raises now rather than in an actor
    from gpu_actors.cluster.ray_cluster import join_cluster, leave_cluster, start_ray
    from gpu_actors.pools.placement import take_seats
    from gpu_actors.pools.plane_pools import started_pools

    own_ray: OwnRay | None = None
    if address is not None:
        join_cluster(address)
    else:
        own_ray = start_ray(folder, dashboard)
    try:
        seats = take_seats(profile.device, profile.replicas, LOAD_SECONDS)
        pools = started_pools(profile, seats, {}, LOAD_SECONDS)
    except BaseException:
        leave_cluster(own_ray)
        raise
    return RayPlane(profile, pools, seats, own_ray)


def connect_plane(profile: Profile, *, address: str) -> RayPlane:
    """A client of a plane that another process keeps at this Ray address; loads no model.

    Raises PlaneUnavailableError when no cluster answers there or it has no such pools.
    """
    from gpu_actors.cluster.ray_cluster import join_cluster
    from gpu_actors.pools.plane_pools import attached_pools

    join_cluster(address)
    return RayPlane(profile, attached_pools(profile))


class RayPlane:
    """orchestration.contracts.Plane over Ray actors; thread-safe. Made by start_plane and connect_plane."""

    def __init__(
        self,
        profile: Profile,
        pools: Pools,
        seats: Seats | None = None,
        own_ray: OwnRay | None = None,
    ) -> None:
        """`seats`: those of the process that started the pools, which looks after them."""
        from gpu_actors.batches.tokens import TextTokenizer
        from gpu_actors.pools.supervisor import Keeper

        model = find_model(profile.embedding_model)
        self._profile = profile
        self._model_ids = model_ids(profile)
        self._query_prompt = model.query_prompt
        self.pools = pools
        """The actors, for those who want to call them one by one."""
        self._seats = seats
        self._own_ray = own_ray
        self._keeper = Keeper(list(pools.by_name().values())) if seats is not None else None
        self._tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))
        self._sparse_tokenizer: TextTokenizer | None = None
        if profile.sparse_model is not None:
            sparse = find_model(profile.sparse_model)
            self._sparse_tokenizer = TextTokenizer(
                sparse.files, sparse.token_limit(profile.sparse_max_tokens)
            )
        self.reranker = reranker_of(profile, pools.rerankers)
        self._budgets: dict[str, TokenBudget] = {}
        self._lock = threading.Lock()
        self._cpu_seconds: dict[str, float] = defaultdict(float)
        self._tokens = 0
        self._model_seconds = 0.0

    @property
    def profile(self) -> str:
        return self._profile.name

    @property
    def model_ids(self) -> Mapping[str, str]:
        return self._model_ids

    @property
    def address(self) -> str:
        """Where further clients find the cluster."""
        import ray

        return str(ray.get_runtime_context().gcs_address)

    @property
    def dashboard(self) -> str | None:
        """Address of the Ray dashboard, if it runs."""
        from ray._private.worker import global_worker

        node = global_worker.node
        url = node.address_info.get("webui_url") if node is not None else None
        return f"http://{url}" if url else None

    def health(self) -> dict[str, Any]:
        """Replicas as they are now, answered beside their work; of one that does not answer, its fault."""
        batch_tokens = {name: budget.tokens for name, budget in self._budgets.items()}
        return {**self.pools.health(HEALTH_SECONDS), "batch_tokens": batch_tokens}

    def use(self) -> PlaneUse:
        """Totals of this client since it attached; `dense`, `sparse` and `chunk` are the components."""
        with self._lock:
            return PlaneUse(dict(self._cpu_seconds), self._tokens, self._model_seconds)

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile, in order.

        Under semantic profiles the embedder pool is asked first, for all documents at once.
        """
        work: list[ToCut] = [(*pair, None) for pair in zip(documents, profiles, strict=True)]
        failed: dict[int, MedkgError] = {}
        semantic = [row for row, profile in enumerate(profiles) if is_semantic(profile)]
        groups = self._cut("sentence_groups", [work[row] for row in semantic], timeout_seconds)
        texts = [text for of_document in groups if isinstance(of_document, list) for text in of_document]
        vectors, errors = self._embedded(texts, timeout_seconds) if texts else (NO_VECTORS, {})
        start = 0
        for row, of_document in zip(semantic, groups, strict=True):
            if isinstance(of_document, MedkgError):
                failed[row] = of_document
                continue
            end = start + len(of_document)
            wrong = next((errors[number] for number in range(start, end) if number in errors), None)
            if wrong is not None:
                failed[row] = wrong
            work[row] = (documents[row], profiles[row], vectors[start:end])
            start = end
        outcomes = self._cut("chunk", work, timeout_seconds)
        return [failed.get(row, outcome) for row, outcome in enumerate(outcomes)]

    def _cut(self, method: str, work: Sequence[ToCut], timeout_seconds: float) -> list[Outcome[list[Any]]]:
        """What the chunkers make of each document, in order."""
        outcomes: list[Outcome[list[Any]]] = [[] for _ in work]
        calls: Iterator[list[int]] = (
            list(range(start, min(start + DOCUMENTS_A_CALL, len(work))))
            for start in range(0, len(work), DOCUMENTS_A_CALL)
        )
        answers = self.pools.chunkers.dispatch(
            calls,
            lambda actor, rows: (
                getattr(actor, method).options(name=f"chunker: {method}").remote([work[row] for row in rows])
            ),
            timeout_seconds,
        )
        for answer in answers:
            for row, outcome in zip(answer.batch, self._chunked(answer), strict=True):
                outcomes[row] = outcome
        return outcomes

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Unit vectors, float32 [n, d], and term weights, CSR; a failed row is empty and in `errors`."""
        if self._sparse_tokenizer is None:
            dense, errors = self._embedded(texts, timeout_seconds)
            return Vectors(dense, None, errors)
        with ThreadPoolExecutor(1) as beside:  # neither model waits while the other one computes
            expanded = beside.submit(self._expanded, texts, timeout_seconds)
            dense, errors = self._embedded(texts, timeout_seconds)
            sparse, sparse_errors = expanded.result()
        return Vectors(dense, sparse, {**sparse_errors, **errors})

    def embed_texts(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors of a few texts, float32 [n, d]; raises the first error."""
        return _sound(*self._embedded(texts, QUERY_SECONDS))

    def embed_queries(self, texts: Sequence[str]) -> Float32Matrix:
        """The same with the model's query prompt before each, in a lane beside all other work."""
        from gpu_actors.pools.pool import QUERY_LANE

        prompted = [self._query_prompt + text for text in texts]
        return _sound(*self._embedded(prompted, QUERY_SECONDS, QUERY_LANE))

    def expand_texts(self, texts: Sequence[str]) -> SparseMatrix:
        """Term weights of a few texts, CSR [n, vocabulary]; raises the first error."""
        return _sound(*self._expanded(texts, QUERY_SECONDS))

    def expand_queries(self, texts: Sequence[str]) -> SparseMatrix:
        """The same in a lane beside all other work."""
        from gpu_actors.pools.pool import QUERY_LANE

        return _sound(*self._expanded(texts, QUERY_SECONDS, QUERY_LANE))

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """A score a passage, float32 [n], in order; raises the first error."""
        if self.reranker is None:
            raise ConfigurationError(
                "the plane has no rerank model. Set MEDKG_RERANK_MODEL and load it: medkg up --swap"
            )
        return self.reranker.score(question, passages, QUERY_SECONDS)

    def _embedded(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[Float32Matrix, dict[int, MedkgError]]:
        """Unit vectors, zeros where a row failed, and the errors of rows."""
        from gpu_actors.pools.rows import dense_rows

        pool, token_ids = self.pools.embedders, self._tokenizer.token_ids(texts)
        errors: dict[int, MedkgError] = {
            row: error for row, ids in enumerate(token_ids) if (error := self._tokenizer.too_long(ids))
        }
        rows = [row for row in range(len(texts)) if row not in errors]
        budget = self._budget("dense", pool, timeout_seconds)
        vectors, outcome = dense_rows(pool, [token_ids[row] for row in rows], budget, timeout_seconds, lane)
        self._count("dense", outcome)
        if len(rows) == len(texts):
            return vectors, outcome.errors
        dense = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        dense[rows] = vectors
        return dense, errors | {rows[position]: error for position, error in outcome.errors.items()}

    def _expanded(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[SparseMatrix, dict[int, MedkgError]]:
        """Term weights, none where a row failed, and the errors of rows."""
        from gpu_actors.batches.pieces import cut
        from gpu_actors.pools.rows import sparse_rows

        tokenizer, pool = self._sparse_tokenizer, self.pools.expanders
        if tokenizer is None or pool is None:
            raise ConfigurationError(f"the plane has no sparse model: {self._profile.sparse_off}.")
        pieces = [cut(ids, tokenizer.room) for ids in tokenizer.token_ids(texts)]
        budget = self._budget("sparse", pool, timeout_seconds)
        weights, outcome = sparse_rows(pool, pieces, budget, timeout_seconds, lane)
        self._count("sparse", outcome)
        return weights, outcome.errors

    def _budget(self, leg: str, pool: Pool[MicroBatch], timeout_seconds: float) -> TokenBudget:
        """This client's budget for a pool: what its replicas found best when they loaded."""
        described = pool.described(timeout_seconds)
        with self._lock:
            return self._budgets.setdefault(leg, TokenBudget(int(described["batch_tokens"])))

    def _count(self, component: str, outcome: RowsOutcome) -> None:
        with self._lock:
            self._cpu_seconds[component] += outcome.cpu_seconds
            self._tokens += outcome.tokens
            self._model_seconds += outcome.model_seconds

    # --- other models -------------------------------------------------------------------------------

    def beside(self, profile: Profile) -> RayPlane:
        """A plane of other models in the same seats, loaded and tried; this one serves on meanwhile.

        Pools that both would have are shared. Raises what keeps a model from loading or from encoding.
        """
        from gpu_actors.pools.plane_pools import started_pools

        assert self._seats is not None
        there = {pool.name: pool for pool in self.pools.by_name().values()}
        pools = started_pools(profile, self._seats, there, LOAD_SECONDS)
        successor = RayPlane(profile, pools, self._seats, self._own_ray)
        try:
            successor.try_models()
        except MedkgError:
            self._end_pools(successor, there)
            raise
        return successor

    def try_models(self) -> None:
        """Encode a sentence with each model; raises StageFailedError unless vectors come as they should."""
        vectors = self.embed([TRIAL], LOAD_SECONDS)
        for error in vectors.errors.values():
            raise error
        length = float(np.linalg.norm(vectors.dense[0]))
        if not abs(length - 1) < UNIT_TOLERANCE:
            raise StageFailedError(
                f"{self._model_ids['dense']} gives a vector of length {length:g}, not 1, for {TRIAL!r}: it "
                "is no model for the dense leg."
            )
        if vectors.sparse is not None and not len(vectors.sparse.row(0)[0]):
            raise StageFailedError(
                f"{self._model_ids['sparse']} gives no terms for {TRIAL!r}. It is no model for the sparse "
                "leg."
            )
        if self.reranker is not None:
            self.reranker.score(TRIAL, [TRIAL], LOAD_SECONDS)

    def retire(self, successor: RayPlane) -> None:
        """End what only this plane has; call it when nobody uses this one any more."""
        self._end_pools(self, {pool.name for pool in successor.pools.by_name().values()})

    @staticmethod
    def _end_pools(plane: RayPlane, kept: Collection[str]) -> None:
        if plane._keeper is not None:
            plane._keeper.close()
        for pool in plane.pools.by_name().values():
            if pool.name not in kept:
                pool.end()

    def close(self) -> None:
        """Leave the cluster; ends it, with its actors and files, if this process started it."""
        from gpu_actors.cluster.ray_cluster import leave_cluster

        if self._keeper is not None:
            self._keeper.close()
        leave_cluster(self._own_ray)

    def _chunked(self, answer: Answer[list[int]]) -> Sequence[Outcome[list[Any]]]:
        """One outcome a document of the call; its cost is counted."""
        if answer.error is None:
            assert answer.result is not None
            outcomes, (cpu_seconds, _) = answer.result
            with self._lock:
                self._cpu_seconds["chunk"] += cpu_seconds
            return list(outcomes)
        error = answer.error
        if not isinstance(error, MedkgError):
            error = StageFailedError(
                f"the chunker ran out of memory ({error}). Chunk fewer, smaller documents."
            )
        return [error] * len(answer.batch)


def _sound(vectors: Encoded, errors: Mapping[int, MedkgError]) -> Encoded:
    """The vectors; raises the error of the first row that has one."""
    for error in errors.values():
        raise error
    return vectors
