"""The pools of a plane: embedders and chunkers; sparse encoders, rerankers, extractors as models exist.

Input: a profile, with a placement for the process that starts them. Output: `Pools`, loaded or attached to by
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.pools.placement import Placement
from gpu_actors.pools.plane_reranking import rerank_model_id
from gpu_actors.pools.pool import Pool, ReplicaKind, attach_pool, start_pool
from gpu_actors.pools.replicas import (
    ChunkerReplica,
    EmbedderReplica,
    ExtractorReplica,
    RerankerReplica,
    SparseEncoderReplica,
)
from gpu_actors.profiles import Profile, extraction_model_id, model_ids
from orchestration.errors import MedkgError

__all__ = ["Pools", "attached_pools", "started_pools"]

MODELS_PER_GPU: Final = 8
"""Dense, sparse, rerank and extraction, twice: old and new models are loaded together during a swap."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The actors of a plane."""

    embedders: Pool[MicroBatch]
    sparse_encoders: Pool[MicroBatch] | None
    """None without a sparse model."""
    chunkers: Pool[list[int]]
    rerankers: Pool[MicroBatch] | None = None
    """None without a rerank model."""
    extractors: Pool[MicroBatch] | None = None
    """None without an extraction model."""

    def by_name(self) -> dict[str, Pool[Any]]:
        """Return the existing pools by their names in `medkg status --json`."""
        pools = {
            "embedders": self.embedders,
            "expanders": self.sparse_encoders,
            "rerankers": self.rerankers,
            "extractors": self.extractors,
            "chunkers": self.chunkers,
        }
        return {name: pool for name, pool in pools.items() if pool is not None}

    def health(self, seconds: float) -> dict[str, list[dict[str, Any]]]:
        """Return the health of every replica of every pool, all called together; see Pool.health."""
        pools = self.by_name()
        with ThreadPoolExecutor(len(pools)) as threads:
            healths = threads.map(lambda pool: pool.health(seconds), pools.values())
            return dict(zip(pools, healths, strict=True))

    def flush_traces(self, seconds: float) -> None:
        """Have all actors send their spans; waits at most `seconds` for all of them together."""
        calls = [call for pool in self.by_name().values() for call in pool.flush_traces()]
        if calls:
            import ray

            ray.wait(calls, num_returns=len(calls), timeout=seconds)


def started_pools(
    profile: Profile, placement: Placement, existing: Mapping[str, Pool[Any]], seconds: float
) -> Pools:
    """Return the profile's pools, loaded within `seconds`; `existing` ones, by name, are used as they are.

    Raises the error of a model that cannot be loaded, after the new pools have been ended.
    """
    pools = _start_pools(profile, placement, existing)
    try:
        for pool in pools.by_name().values():
            pool.wait_until_ready(seconds)
    except MedkgError:
        for pool in pools.by_name().values():
            if pool.name not in existing:
                pool.end()
        raise
    return pools


def attached_pools(profile: Profile) -> Pools:
    """Return the pools that another process started; raises PlaneUnavailableError when there are none."""
    names = _pool_names(profile)
    return Pools(
        attach_pool(names["embedder"]),
        attach_pool(names["sparse-encoder"]) if "sparse-encoder" in names else None,
        attach_pool(names["chunker"]),
        attach_pool(names["reranker"]) if "reranker" in names else None,
        attach_pool(names["extractor"]) if "extractor" in names else None,
    )


def _start_pools(profile: Profile, placement: Placement, existing: Mapping[str, Pool[Any]]) -> Pools:
    names = _pool_names(profile)
    share = 1 / MODELS_PER_GPU if profile.device == "cuda" else 0.0

    def pool(component: str, kind: ReplicaKind, count: int) -> Pool[Any]:
        name = names[component]
        return existing.get(name) or start_pool(name, kind, count, placement)

    def models(component: str, replica: type, lanes: int) -> Pool[Any]:
        return pool(component, ReplicaKind(replica, profile, lanes, share), placement.count)

    chunkers = profile.chunkers * placement.count
    return Pools(
        models("embedder", EmbedderReplica, profile.dense_lanes),
        models("sparse-encoder", SparseEncoderReplica, profile.lanes) if "sparse-encoder" in names else None,
        pool("chunker", ReplicaKind(ChunkerReplica, profile, 1), chunkers),
        models("reranker", RerankerReplica, profile.lanes) if "reranker" in names else None,
        models("extractor", ExtractorReplica, profile.lanes) if "extractor" in names else None,
    )


def _pool_names(profile: Profile) -> dict[str, str]:
    """Pool names by component; they contain the model's id, so vectors of two models never mix."""
    ids = model_ids(profile)
    model_of = {
        "embedder": ids["dense"],
        "sparse-encoder": ids.get("sparse"),
        "chunker": ids["dense"],
        "reranker": rerank_model_id(profile),
        "extractor": extraction_model_id(profile),
    }
    return {
        component: f"{component}-{profile.name}-{model_id}"
        for component, model_id in model_of.items()
        if model_id
    }
