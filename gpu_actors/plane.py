"""The entry to the data plane: start the actor pools or attach to them; chunks, vectors and scores from them.

Input: a profile, and optionally the address of a Ray cluster. Output: a `RayPlane`, which implements
orchestration.contracts.Plane. ray is imported when it is first used, torch only in the actors' processes and
by LocalModels, so importing this module is cheap.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from gpu_actors.chunking.chunk_profiles import is_semantic
from gpu_actors.chunking.local_chunker import LocalChunker
from gpu_actors.encoders.local_models import LocalModels
from gpu_actors.health.gpu import check_devices, gpus, preflight
from gpu_actors.health.gpu_use import gpu_use
from gpu_actors.pools.plane_chunking import call_chunkers
from gpu_actors.pools.plane_encoding import PlaneEncoder
from gpu_actors.pools.plane_reranking import rerank_model_id, reranker_of
from gpu_actors.pools.plane_spans import plane_span, set_cost
from gpu_actors.pools.plane_tagging import PlaneTagger, tagger_of
from gpu_actors.profiles import (
    CHUNKER_VERSION,
    Profile,
    chosen_profile,
    extraction_model_id,
    find_model,
    model_ids,
)
from orchestration.contracts import (
    EffectStatement,
    Outcome,
    PlaneUse,
    ReadDirection,
    TaggedText,
    TextToTag,
    Vectors,
)
from orchestration.errors import ConfigurationError, MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix, SparseMatrix
from orchestration.tracing import Span, is_tracing

if TYPE_CHECKING:
    from gpu_actors.cluster.ray_cluster import OwnRay
    from gpu_actors.pools.placement import Placement
    from gpu_actors.pools.plane_pools import Pools
    from gpu_actors.pools.replicas import DocumentToChunk
    from gpu_actors.pools.rows import RowsOutcome

__all__ = [
    "LocalChunker",
    "LocalModels",
    "Profile",
    "RayPlane",
    "check_devices",
    "chosen_profile",
    "component_versions",
    "connect_plane",
    "extraction_model_id",
    "gpu_use",
    "gpus",
    "model_ids",
    "rerank_model_id",
    "start_plane",
]

LOAD_SECONDS: Final = 300.0
QUERY_SECONDS: Final = 10.0
HEALTH_SECONDS: Final = 5.0
FLUSH_SECONDS: Final = 1.5
"""How long the end of a plane waits for the last spans of its actors."""
TRIAL_TEXT: Final = "Metformin lowers blood glucose in adults with type 2 diabetes."
UNIT_TOLERANCE: Final = 0.01
Encoded = TypeVar("Encoded")
NO_VECTORS: Final = np.zeros((0, 0), dtype=np.float32)


# --- without a plane --------------------------------------------------------------------------------


def component_versions() -> dict[str, str]:
    """Return the versions of the plane's components other than models; part of fingerprints."""
    return {"chunker": CHUNKER_VERSION}


# --- Ray --------------------------------------------------------------------------------------------


def start_plane(profile: Profile, *, address: str | None = None, folder: Path, dashboard: bool) -> RayPlane:
    """Start Ray in this process (or join the cluster at `address`) and load the models; main thread only.

    `folder`: a short private path for Ray's files, removed by `close`. Ray's processes and the actors end
    with this process, even if it is killed. Raises GpuUnavailableError before anything is started (on a
    cluster, when a model loads), PlaneUnavailableError when loading fails.
    """
    if address is None:
        preflight(profile)
    find_model(profile.embedding_model).files  # noqa: B018 - raises now rather than in an actor
    from gpu_actors.cluster.ray_cluster import join_cluster, leave_cluster, start_ray
    from gpu_actors.pools.placement import place_replicas
    from gpu_actors.pools.plane_pools import started_pools

    own_ray: OwnRay | None = None
    if address is not None:
        join_cluster(address)
    else:
        own_ray = start_ray(folder, dashboard)
    try:
        placement = place_replicas(profile.device, profile.replicas, LOAD_SECONDS)
        pools = started_pools(profile, placement, {}, LOAD_SECONDS)
    except BaseException:
        leave_cluster(own_ray)
        raise
    return RayPlane(profile, pools, placement, own_ray)


def connect_plane(profile: Profile, *, address: str) -> RayPlane:
    """Return a client of the plane that another process started at this Ray address; loads no model.

    Raises PlaneUnavailableError when no cluster answers there or it has no such pools.
    """
    from gpu_actors.cluster.ray_cluster import join_cluster
    from gpu_actors.pools.plane_pools import attached_pools

    join_cluster(address)
    return RayPlane(profile, attached_pools(profile))


class RayPlane:
    """orchestration.contracts.Plane over Ray actors; thread-safe. Use start_plane or connect_plane."""

    def __init__(
        self,
        profile: Profile,
        pools: Pools,
        placement: Placement | None = None,
        own_ray: OwnRay | None = None,
    ) -> None:
        """`placement`: only in the process that started the pools, which also supervises them."""
        from gpu_actors.pools.supervisor import Supervisor

        self._profile = profile
        self._model_ids = model_ids(profile)
        self.pools = pools
        """The actors, for callers that use single replicas."""
        self._placement = placement
        self._own_ray = own_ray
        self._supervisor = Supervisor(list(pools.by_name().values())) if placement is not None else None
        self._encoder = PlaneEncoder(profile, pools.embedders, pools.sparse_encoders)
        self.reranker = reranker_of(profile, pools.rerankers)
        self._tagger = tagger_of(profile, pools.extractors)
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
    def extraction_model_id(self) -> str | None:
        """Id of the model of `tag`; None if there is none."""
        return extraction_model_id(self._profile)

    @property
    def address(self) -> str:
        """Address of the cluster, for further clients."""
        import ray

        return str(ray.get_runtime_context().gcs_address)

    @property
    def dashboard(self) -> str | None:
        """Address of the Ray dashboard; None if it does not run."""
        from ray._private.worker import global_worker

        node = global_worker.node
        url = node.address_info.get("webui_url") if node is not None else None
        return f"http://{url}" if url else None

    def health(self) -> dict[str, Any]:
        """Return the replicas' health, which never waits for their work; a silent replica has a `fault`."""
        return {**self.pools.health(HEALTH_SECONDS), "batch_tokens": self._encoder.batch_tokens()}

    def use(self) -> PlaneUse:
        """Return this client's totals since it attached; components: `dense`, `sparse`, `chunk`, `tag`."""
        with self._lock:
            return PlaneUse(dict(self._cpu_seconds), self._tokens, self._model_seconds)

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Return the chunks of each document under its chunk profile, in order.

        For semantic profiles the embedder pool first embeds the sentence groups of all documents together.
        """
        work: list[DocumentToChunk] = [(*pair, None) for pair in zip(documents, profiles, strict=True)]
        failed: dict[int, MedkgError] = {}
        semantic = [row for row, profile in enumerate(profiles) if is_semantic(profile)]
        groups = self._call_chunkers("sentence_groups", [work[row] for row in semantic], timeout_seconds)
        texts = [text for of_document in groups if isinstance(of_document, list) for text in of_document]
        vectors, errors = self._embedded(texts, timeout_seconds) if texts else (NO_VECTORS, {})
        start = 0
        for row, of_document in zip(semantic, groups, strict=True):
            if isinstance(of_document, MedkgError):
                failed[row] = of_document
                continue
            end = start + len(of_document)
            error = next((errors[number] for number in range(start, end) if number in errors), None)
            if error is not None:
                failed[row] = error
            work[row] = (documents[row], profiles[row], vectors[start:end])
            start = end
        outcomes = self._call_chunkers("chunk", work, timeout_seconds)
        return [failed.get(row, outcome) for row, outcome in enumerate(outcomes)]

    def _call_chunkers(
        self, method: str, work: Sequence[DocumentToChunk], timeout_seconds: float
    ) -> list[Outcome[list[Any]]]:
        with plane_span(f"chunker {method}", len(work)):
            outcomes, cpu_seconds = call_chunkers(self.pools.chunkers, method, work, timeout_seconds)
        with self._lock:
            self._cpu_seconds["chunk"] += cpu_seconds
        return outcomes

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Return unit vectors, float32 [n, d], and term weights, CSR; `errors` has the failed, empty rows."""
        if not self._encoder.has_sparse:
            dense, errors = self._embedded(texts, timeout_seconds)
            return Vectors(dense, None, errors)
        with ThreadPoolExecutor(1) as thread:  # both models compute at the same time
            encoding = thread.submit(copy_context().run, self._sparse_encoded, texts, timeout_seconds)
            dense, errors = self._embedded(texts, timeout_seconds)
            sparse, sparse_errors = encoding.result()
        return Vectors(dense, sparse, {**sparse_errors, **errors})

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        """Return texts with their mentions, one outcome per text, in order; see contracts.TextTagger."""
        with plane_span("extractor tag", len(texts)) as call:
            outcomes, cost = self._extraction_tagger().tag(texts, timeout_seconds)
            self._count(call, "tag", cost)
        return outcomes

    @property
    def reads_directions(self) -> bool:
        """Whether the extraction model reads directions."""
        return self._extraction_tagger().reads_directions

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        """Return what the evidence of each statement says, in order; see contracts.TextTagger."""
        with plane_span("extractor directions", len(statements)) as call:
            outcomes, cost = self._extraction_tagger().directions(statements, timeout_seconds)
            self._count(call, "tag", cost)
        return outcomes

    def _extraction_tagger(self) -> PlaneTagger:
        if self._tagger is None:
            raise ConfigurationError(
                "the plane has no extraction model. Set MEDKG_EXTRACTION_MODEL and load it: medkg up --swap"
            )
        return self._tagger

    def embed_texts(self, texts: Sequence[str]) -> Float32Matrix:
        """Return unit vectors of a few texts, float32 [n, d]; raises the first error."""
        return _checked(*self._embedded(texts, QUERY_SECONDS))

    def embed_queries(self, texts: Sequence[str]) -> Float32Matrix:
        """The same with the model's query prompt before each text; does not wait behind other work."""
        from gpu_actors.pools.pool import QUERY_LANE

        prompted = list(map(self._encoder.as_query, texts))
        return _checked(*self._embedded(prompted, QUERY_SECONDS, QUERY_LANE))

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseMatrix:
        """Return term weights of a few texts, CSR [n, vocabulary]; raises the first error."""
        return _checked(*self._sparse_encoded(texts, QUERY_SECONDS))

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseMatrix:
        """The same; does not wait behind other work."""
        from gpu_actors.pools.pool import QUERY_LANE

        return _checked(*self._sparse_encoded(texts, QUERY_SECONDS, QUERY_LANE))

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one score per passage, float32 [n], in order; raises the first error."""
        if self.reranker is None:
            raise ConfigurationError(
                "the plane has no rerank model. Set MEDKG_RERANK_MODEL and load it: medkg up --swap"
            )
        with plane_span("reranker", len(passages)):
            return self.reranker.score(question, passages, QUERY_SECONDS)

    def _embedded(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[Float32Matrix, dict[int, MedkgError]]:
        """Unit vectors, zeros where a text failed, and the errors by text; counts their cost."""
        with plane_span("embedder", len(texts)) as call:
            vectors, outcome = self._encoder.dense(texts, timeout_seconds, lane)
            self._count(call, "dense", outcome)
        return vectors, outcome.errors

    def _sparse_encoded(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[SparseMatrix, dict[int, MedkgError]]:
        """Term weights, none where a text failed, and the errors by text; counts their cost."""
        with plane_span("sparse-encoder", len(texts)) as call:
            weights, outcome = self._encoder.sparse(texts, timeout_seconds, lane)
            self._count(call, "sparse", outcome)
        return weights, outcome.errors

    def _count(self, call: Span, component: str, outcome: RowsOutcome) -> None:
        set_cost(call, outcome)
        with self._lock:
            self._cpu_seconds[component] += outcome.cpu_seconds
            self._tokens += outcome.tokens
            self._model_seconds += outcome.model_seconds

    # --- other models -------------------------------------------------------------------------------

    def beside(self, profile: Profile) -> RayPlane:
        """Return a plane of other models in the same placement, loaded and tried; this one keeps serving.

        Pools that both planes need are shared. Raises the error of a model that cannot be loaded or used.
        """
        from gpu_actors.pools.plane_pools import started_pools

        assert self._placement is not None
        existing = {pool.name: pool for pool in self.pools.by_name().values()}
        pools = started_pools(profile, self._placement, existing, LOAD_SECONDS)
        successor = RayPlane(profile, pools, self._placement, self._own_ray)
        try:
            successor.try_models()
        except MedkgError:
            self._end_pools(successor, existing)
            raise
        return successor

    def try_models(self) -> None:
        """Encode one sentence with each model; raises StageFailedError for vectors that are not valid."""
        vectors = self.embed([TRIAL_TEXT], LOAD_SECONDS)
        for error in vectors.errors.values():
            raise error
        length = float(np.linalg.norm(vectors.dense[0]))
        if not abs(length - 1) < UNIT_TOLERANCE:
            raise StageFailedError(
                f"{self._model_ids['dense']} returns a vector of length {length:g}, not 1, for "
                f"{TRIAL_TEXT!r}. Choose another model for the dense leg."
            )
        if vectors.sparse is not None and not len(vectors.sparse.row(0)[0]):
            raise StageFailedError(
                f"{self._model_ids['sparse']} returns no terms for {TRIAL_TEXT!r}. Choose another model for "
                "the sparse leg."
            )
        if self.reranker is not None:
            self.reranker.score(TRIAL_TEXT, [TRIAL_TEXT], LOAD_SECONDS)
        if self._tagger is not None:
            for outcome in self.tag([TextToTag(TRIAL_TEXT, [(0, len(TRIAL_TEXT))])], LOAD_SECONDS):
                if isinstance(outcome, MedkgError):
                    raise outcome

    def retire(self, successor: RayPlane) -> None:
        """End the pools that `successor` does not share; call it when no client uses this plane any more."""
        self._end_pools(self, {pool.name for pool in successor.pools.by_name().values()})

    @staticmethod
    def _end_pools(plane: RayPlane, shared: Collection[str]) -> None:
        if plane._supervisor is not None:
            plane._supervisor.close()
        for pool in plane.pools.by_name().values():
            if pool.name not in shared:
                pool.end()

    def close(self) -> None:
        """Leave the cluster; ends it, with its actors and files, if this process started it."""
        from gpu_actors.cluster.ray_cluster import leave_cluster

        if self._supervisor is not None:
            self._supervisor.close()
            if is_tracing():
                self.pools.flush_traces(FLUSH_SECONDS)
        leave_cluster(self._own_ray)


def _checked(vectors: Encoded, errors: Mapping[int, MedkgError]) -> Encoded:
    """Return the vectors; raises the error of the first row that has one."""
    for error in errors.values():
        raise error
    return vectors
