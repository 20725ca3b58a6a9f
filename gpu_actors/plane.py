"""The plane's front door: start or attach to the actor pools, and ask them for chunks and vectors.

Comes in: a profile, and perhaps the address of a Ray cluster. Leaves: a `RayPlane`, which is what
orchestration.contracts.Plane describes. ray is imported when it is first used, torch only inside actors
(and in a LocalEncoder), so importing this module costs nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpu_actors.batching import MicroBatch, TokenBudget, cut_micro_batches, halves
from gpu_actors.gpu import preflight
from gpu_actors.profiles import CHUNKER_VERSION, Profile, find_model, get_profile
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

OBJECT_STORE_BYTES: Final = 256 * 2**20
LOAD_SECONDS: Final = 300.0
DOCUMENTS_A_CALL: Final = 16
"""Documents of one chunker call: small, so that windows share the chunkers fairly."""

QUERY_SECONDS: Final = 10.0


# --- without a plane --------------------------------------------------------------------------------


def chosen_profile(name: str, embedding_model: str | None = None) -> Profile:
    """The profile, with another embedding model if one was asked for."""
    profile = get_profile(name)
    return profile.model_copy(update={"embedding_model": embedding_model}) if embedding_model else profile


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
    """Query vectors without a plane: the model is loaded into this process, once."""

    def __init__(self, name: str, embedding_model: str | None = None) -> None:
        profile = chosen_profile(name, embedding_model)
        preflight(profile)
        self._profile = profile
        self._loaded: tuple[Encoder, TextTokenizer] | None = None

    def encode(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors, float32 [n, d]; raises EmbeddingInputTooLongError."""
        from gpu_actors.encoder import Encoder
        from gpu_actors.tokens import TextTokenizer

        if self._loaded is None:
            location = find_model(self._profile.embedding_model).location
            self._loaded = Encoder(self._profile), TextTokenizer(location, self._profile.max_tokens)
        encoder, tokenizer = self._loaded
        token_ids = tokenizer.token_ids(texts)
        for ids in token_ids:
            if error := tokenizer.too_long(ids):
                raise error
        return encoder.encode(token_ids)


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

    `folder`: a short private path for Ray's files. Ray's processes end with this process, by the kernel.
    Raises GpuUnavailableError before anything is started, PlaneUnavailableError when loading fails.
    """
    import ray

    profile = chosen_profile(name, embedding_model)
    preflight(profile)
    quiet: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "configure_logging": False,
    }
    if address is not None:
        ray.init(address=address, namespace=_namespace(), **quiet)
    else:
        ray.init(
            namespace=_namespace(),
            num_cpus=os.cpu_count(),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=dashboard,
            dashboard_host="127.0.0.1",
            _temp_dir=str(folder),
            **quiet,
        )
    plane = RayPlane(profile, detached=address is not None)
    plane.wait_until_ready()
    return plane


def connect_plane(name: str, *, embedding_model: str | None = None, address: str) -> RayPlane:
    """A client of a plane that runs at this Ray address; loads no model."""
    import ray

    if not ray.is_initialized():
        try:
            ray.init(
                address=address,
                namespace=_namespace(),
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=False,
            )
        except ConnectionError as error:
            raise PlaneUnavailableError(f"no Ray cluster answers at {address}: {error}.") from error
    return RayPlane(chosen_profile(name, embedding_model), detached=False)


def _namespace() -> str:
    from gpu_actors.pool import NAMESPACE

    return NAMESPACE


@dataclass(slots=True)
class _Use:
    """What this client's calls cost, by component."""

    cpu_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tokens: int = 0
    model_seconds: float = 0.0


class RayPlane:
    """orchestration.contracts.Plane over Ray actors; thread-safe."""

    def __init__(self, profile: Profile, *, detached: bool) -> None:
        from gpu_actors.pool import attach_or_start
        from gpu_actors.replicas import ChunkerReplica, EmbedderReplica
        from gpu_actors.tokens import TextTokenizer

        model = find_model(profile.embedding_model)
        self._profile = profile
        self._model_id = model.model_id
        self._tokenizer = TextTokenizer(model.location, profile.max_tokens)
        self._budget = TokenBudget(profile.batch_tokens)
        self._use = _Use()
        self._lock = threading.Lock()
        gpus = 1.0 if profile.device == "cuda" else 0.0
        prefix = f"{profile.name}-{model.model_id}"
        self._embedders: Pool[MicroBatch] = attach_or_start(
            f"embedder-{prefix}",
            EmbedderReplica,
            profile,
            profile.embedders,
            detached=detached,
            cpus=0.0,
            gpus=gpus,
        )
        self._chunkers: Pool[list[int]] = attach_or_start(
            f"chunker-{prefix}",
            ChunkerReplica,
            profile,
            profile.chunkers,
            detached=detached,
            cpus=0.0,
            gpus=0.0,
        )

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
        self._embedders.wait_until_ready(LOAD_SECONDS)
        self._chunkers.wait_until_ready(LOAD_SECONDS)

    def health(self) -> dict[str, Any]:
        """Replicas as they are now; raises PlaneUnavailableError when one does not answer."""
        return {
            "embedders": self._embedders.wait_until_ready(QUERY_SECONDS),
            "chunkers": self._chunkers.wait_until_ready(QUERY_SECONDS),
        }

    def use(self) -> PlaneUse:
        """Totals of this client since it attached."""
        with self._lock:
            return PlaneUse(dict(self._use.cpu_seconds), self._use.tokens, self._use.model_seconds)

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile, in order."""
        outcomes: list[Outcome[list[Chunk]]] = [[] for _ in documents]
        batches = _WorkList(
            list(range(start, min(start + DOCUMENTS_A_CALL, len(documents))))
            for start in range(0, len(documents), DOCUMENTS_A_CALL)
        )
        answers = self._chunkers.dispatch(
            batches,
            lambda actor, batch: actor.chunk.remote([(documents[i], profiles[i]) for i in batch]),
            timeout_seconds,
        )
        for answer in answers:
            results = self._results(answer, "chunk", len(answer.batch))
            for position, result in zip(answer.batch, results, strict=True):
                outcomes[position] = result
        return outcomes

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> DenseVectors:
        """Unit vectors, float32 [n, d], in order; a failed row is zeros and named in `errors`."""
        token_ids = self._tokenizer.token_ids(texts)
        errors: dict[int, MedkgError] = {}
        for row, ids in enumerate(token_ids):
            if error := self._tokenizer.too_long(ids):
                errors[row] = error
        rows = [row for row in range(len(texts)) if row not in errors]
        work = _WorkList(cut_micro_batches([token_ids[row] for row in rows], self._budget.tokens))
        vectors: dict[int, Float32Matrix] = {}
        answers = self._embedders.dispatch(
            work, lambda actor, batch: actor.encode.remote(batch.token_ids), timeout_seconds
        )
        for answer in answers:
            if isinstance(answer.error, MemoryError) and len(answer.batch.positions) > 1:
                self._budget.ran_out()
                work.put_back(halves(answer.batch))
                continue
            results = self._results(answer, "dense", len(answer.batch.positions))
            for position, result in zip(answer.batch.positions, results, strict=True):
                if isinstance(result, MedkgError):
                    errors[rows[position]] = result
                else:
                    vectors[rows[position]] = result
        return DenseVectors(_stacked(vectors, len(texts)), errors)

    def embed_queries(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors of queries, float32 [n, d]; raises the first error."""
        vectors = self.embed(texts, QUERY_SECONDS)
        for error in vectors.errors.values():
            raise error
        return vectors.dense

    def close(self) -> None:
        """Leave the cluster; ends it if this process started it."""
        import ray

        ray.shutdown()

    def _results(self, answer: Answer[Any], component: str, size: int) -> Sequence[Any]:
        """One result or error an item of the answer's micro-batch; its cost is counted."""
        if answer.error is None:
            assert answer.result is not None
            results, (cpu_seconds, seconds) = answer.result
            with self._lock:
                self._use.cpu_seconds[component] += cpu_seconds
                if component == "dense":
                    self._use.tokens += answer.batch.tokens
                    self._use.model_seconds += seconds
                    self._budget.went_well()
            return list(results)
        error = answer.error
        if not isinstance(error, MedkgError):
            error = StageFailedError(f"one text alone does not fit the device's memory ({error}).")
        return [error] * size


class _WorkList:
    """Micro-batches still to be sent; may grow again after it ran empty."""

    def __init__(self, batches: Any) -> None:
        self._batches = deque(batches)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._batches:
            raise StopIteration
        return self._batches.popleft()

    def put_back(self, batches: Sequence[Any]) -> None:
        """Send these next."""
        self._batches.extendleft(reversed(batches))


def _stacked(vectors: Mapping[int, Float32Matrix], rows: int) -> Float32Matrix:
    dimensions = next((len(vector) for vector in vectors.values()), 1)
    dense = np.zeros((rows, dimensions), dtype=np.float32)
    for row, vector in vectors.items():
        dense[row] = vector
    return dense
