"""The plane's front door: start or attach to the actor pools, and ask them for chunks and vectors.

Comes in: a profile, and perhaps the address of a Ray cluster. Leaves: a `RayPlane`, which is what
orchestration.contracts.Plane describes. ray is imported when it is first used, torch only inside actors
(and in a LocalEncoder), so importing this module costs nothing.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpu_actors.batching import MicroBatch, TokenBudget
from gpu_actors.gpu import preflight
from gpu_actors.profiles import CHUNKER_VERSION, Profile, chosen_profile, find_model, get_profile
from orchestration.contracts import DenseVectors, Outcome, PlaneUse
from orchestration.errors import MedkgError, PlaneUnavailableError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix

if TYPE_CHECKING:
    from gpu_actors.encoder import Encoder
    from gpu_actors.pool import Answer, Pool
    from gpu_actors.tokens import TextTokenizer

__all__ = [
    "LocalEncoder",
    "RayPlane",
    "check_devices",
    "component_versions",
    "connect_plane",
    "model_ids",
    "start_plane",
]

OBJECT_STORE_BYTES: Final = 200 * 2**20
LOAD_SECONDS: Final = 300.0
QUERY_SECONDS: Final = 10.0
DOCUMENTS_A_CALL: Final = 16
"""Documents of one chunker call: small, so that windows share the chunkers fairly."""


# --- without a plane --------------------------------------------------------------------------------


def model_ids(name: str, embedding_model: str | None = None) -> dict[str, str]:
    """Model id with revision by leg; part of fingerprints and of the vector namespace."""
    return {"dense": find_model(chosen_profile(name, embedding_model).embedding_model).model_id}


def component_versions() -> dict[str, str]:
    """Versions of what the plane does beside its models; part of fingerprints."""
    return {"chunker": CHUNKER_VERSION}


def check_devices(name: str) -> list[dict[str, Any]]:
    """The GPUs a profile can use; [] for cpu. Raises GpuUnavailableError (exit code 99)."""
    return preflight(get_profile(name))


class LocalEncoder:
    """Query vectors without a plane: the model is loaded into this process, once; not thread-safe."""

    def __init__(self, name: str, embedding_model: str | None = None) -> None:
        profile = chosen_profile(name, embedding_model)
        preflight(profile)
        self._profile = profile
        self._model = find_model(profile.embedding_model)
        self._loaded: tuple[Encoder, TextTokenizer] | None = None

    def encode(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors of queries, float32 [n, d]; raises EmbeddingInputTooLongError."""
        from gpu_actors.batching import MicroBatches
        from gpu_actors.encoder import Encoder

        if self._loaded is None:
            self._loaded = Encoder(self._profile), _tokenizer(self._profile)
        encoder, tokenizer = self._loaded
        rows = tokenizer.token_ids([self._model.query_prompt + text for text in texts])
        for error in filter(None, map(tokenizer.too_long, rows)):
            raise error
        vectors: dict[int, Any] = {}
        for batch in MicroBatches(rows, TokenBudget(self._profile.batch_tokens)):
            vectors |= zip(batch.positions, encoder.encode(batch.token_ids, batch.lengths), strict=True)
        return np.stack([vectors[row] for row in range(len(texts))])


def _tokenizer(profile: Profile) -> TextTokenizer:
    from gpu_actors.tokens import TextTokenizer

    model = find_model(profile.embedding_model)
    return TextTokenizer(model.files, model.token_limit(profile.max_tokens))


# --- Ray --------------------------------------------------------------------------------------------


def start_plane(
    name: str,
    *,
    embedding_model: str | None = None,
    address: str | None = None,
    folder: Path,
    dashboard: bool,
) -> RayPlane:
    """Start Ray in this process (or join the cluster at `address`) and load the models; main thread only.

    `folder`: a short private path for Ray's files, removed by `close`. Ray's processes and the actors end
    with this process, however it ends. Raises GpuUnavailableError before anything is started,
    PlaneUnavailableError when loading fails.
    """
    profile = chosen_profile(name, embedding_model)
    preflight(profile)
    find_model(profile.embedding_model).files  # noqa: B018 - raises now rather than in an actor
    if address is not None:
        _join(address)
        plane = RayPlane(profile, *_start_pools(profile))
    else:
        warden = _start_ray(folder, dashboard)
        plane = RayPlane(profile, *_start_pools(profile), own_ray=OwnRay(folder, warden))
    try:
        plane.wait_until_ready()
    except MedkgError:
        plane.close()
        raise
    return plane


def connect_plane(name: str, *, embedding_model: str | None = None, address: str) -> RayPlane:
    """A client of a plane that another process keeps at this Ray address; loads no model.

    Raises PlaneUnavailableError when no cluster answers there or it has no such pools.
    """
    profile = chosen_profile(name, embedding_model)
    _join(address)
    from gpu_actors.pool import attach_pool

    embedders, chunkers = _pool_names(profile)
    return RayPlane(
        profile, attach_pool(embedders, profile.embedders), attach_pool(chunkers, profile.chunkers)
    )


def _start_ray(folder: Path, dashboard: bool) -> subprocess.Popen[bytes]:
    """Ray as children of this process, and the warden that ends those of them that would outlive it."""
    import psutil
    import ray

    from gpu_actors.warden import start_warden

    own = psutil.Process()
    before = own.children()
    ray.init(
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=dashboard,
        dashboard_host="127.0.0.1",
        _temp_dir=str(folder),
        **_quiet(),
    )
    started = [child for child in own.children() if child not in before]
    below: list[psutil.Process] = []
    for child in started:
        with suppress(psutil.NoSuchProcess):  # a helper of Ray's start that has ended meanwhile
            below += child.children(recursive=True)
    return start_warden(folder, [process.pid for process in (*started, *below)])


def _join(address: str) -> None:
    """Connect this process to a cluster, unless it is connected."""
    import ray

    if ray.is_initialized():
        return
    try:
        ray.init(address=address, **_quiet())
    except (ConnectionError, RuntimeError) as error:
        raise PlaneUnavailableError(
            f"no Ray cluster answers at {address} ({error}). `medkg status` tells whether a plane runs."
        ) from error


def _quiet() -> dict[str, Any]:
    from gpu_actors.pool import NAMESPACE

    return {
        "namespace": NAMESPACE,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "configure_logging": False,
    }


def _pool_names(profile: Profile) -> tuple[str, str]:
    """Names that differ where models or limits do, so that vectors of two models never mix."""
    model_id = find_model(profile.embedding_model).model_id
    return f"embedder-{profile.name}-{model_id}", f"chunker-{profile.name}-{model_id}"


def _start_pools(profile: Profile) -> tuple[Pool[MicroBatch], Pool[list[int]]]:
    from gpu_actors.pool import start_pool
    from gpu_actors.replicas import ChunkerReplica, EmbedderReplica

    embedders, chunkers = _pool_names(profile)
    gpus = 1.0 if profile.device == "cuda" else 0.0
    return (
        start_pool(embedders, EmbedderReplica, profile, profile.embedders, lanes=profile.lanes, gpus=gpus),
        start_pool(chunkers, ChunkerReplica, profile, profile.chunkers, lanes=1),
    )


@dataclass(frozen=True, slots=True)
class OwnRay:
    """What a process that started Ray has to clean up."""

    folder: Path
    warden: subprocess.Popen[bytes]

    def remove(self) -> None:
        """Let the warden go, which removes the folder."""
        self.warden.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


class RayPlane:
    """orchestration.contracts.Plane over Ray actors; thread-safe. Made by start_plane and connect_plane."""

    def __init__(
        self,
        profile: Profile,
        embedders: Pool[MicroBatch],
        chunkers: Pool[list[int]],
        own_ray: OwnRay | None = None,
    ) -> None:
        model = find_model(profile.embedding_model)
        self._profile = profile
        self._model_id = model.model_id
        self._query_prompt = model.query_prompt
        self._embedders = embedders
        self._chunkers = chunkers
        self._own_ray = own_ray
        self._tokenizer = _tokenizer(profile)
        self._budget = TokenBudget(profile.batch_tokens)
        self._lock = threading.Lock()
        self._cpu_seconds: dict[str, float] = defaultdict(float)
        self._tokens = 0
        self._model_seconds = 0.0

    @property
    def profile(self) -> str:
        return self._profile.name

    @property
    def model_ids(self) -> Mapping[str, str]:
        return {"dense": self._model_id}

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

    def wait_until_ready(self) -> None:
        """Return when every replica has loaded; raises what kept one from it."""
        self._embedders.described(LOAD_SECONDS)
        self._chunkers.described(LOAD_SECONDS)

    def health(self) -> dict[str, Any]:
        """Replicas as they are now, answered beside their work; raises PlaneUnavailableError."""
        return {
            "embedders": self._embedders.health(QUERY_SECONDS),
            "chunkers": self._chunkers.health(QUERY_SECONDS),
            "batch_tokens": self._budget.tokens,
        }

    def use(self) -> PlaneUse:
        """Totals of this client since it attached; `dense` and `chunk` are the components."""
        with self._lock:
            return PlaneUse(dict(self._cpu_seconds), self._tokens, self._model_seconds)

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile, in order."""
        outcomes: list[Outcome[list[Chunk]]] = [[] for _ in documents]
        calls: Iterator[list[int]] = (
            list(range(start, min(start + DOCUMENTS_A_CALL, len(documents))))
            for start in range(0, len(documents), DOCUMENTS_A_CALL)
        )
        answers = self._chunkers.dispatch(
            calls,
            lambda actor, rows: actor.chunk.remote([(documents[row], profiles[row]) for row in rows]),
            timeout_seconds,
        )
        for answer in answers:
            for row, outcome in zip(answer.batch, self._chunked(answer), strict=True):
                outcomes[row] = outcome
        return outcomes

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> DenseVectors:
        """Unit vectors, float32 [n, d], in order; a failed row is zeros and named in `errors`."""
        from gpu_actors.dense import encode_rows

        token_ids = self._tokenizer.token_ids(texts)
        errors: dict[int, MedkgError] = {
            row: error for row, ids in enumerate(token_ids) if (error := self._tokenizer.too_long(ids))
        }
        rows = [row for row in range(len(texts)) if row not in errors]
        encoded = encode_rows(
            self._embedders, [token_ids[row] for row in rows], self._budget, timeout_seconds
        )
        with self._lock:
            self._cpu_seconds["dense"] += encoded.cpu_seconds
            self._tokens += encoded.tokens
            self._model_seconds += encoded.model_seconds
        if len(rows) == len(texts):
            return DenseVectors(encoded.dense, encoded.errors)
        dense = np.zeros((len(texts), encoded.dense.shape[1]), dtype=np.float32)
        dense[rows] = encoded.dense
        errors |= {rows[position]: error for position, error in encoded.errors.items()}
        return DenseVectors(dense, errors)

    def embed_queries(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors of queries, float32 [n, d], with the model's query prompt; raises the first error."""
        vectors = self.embed([self._query_prompt + text for text in texts], QUERY_SECONDS)
        for error in vectors.errors.values():
            raise error
        return vectors.dense

    def close(self) -> None:
        """Leave the cluster; ends it, with its actors and files, if this process started it."""
        import ray

        ray.shutdown()
        if self._own_ray is not None:
            self._own_ray.remove()

    def _chunked(self, answer: Answer[list[int]]) -> Sequence[Outcome[list[Chunk]]]:
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
