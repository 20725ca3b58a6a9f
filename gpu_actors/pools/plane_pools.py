"""The pools that a plane consists of: embedders, expanders and rerankers where there is a model, chunkers.

Comes in: a profile, with seats for who starts them. Leaves: `Pools`, loaded or attached to by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.pools.placement import Seats
from gpu_actors.pools.plane_reranking import rerank_model_id
from gpu_actors.pools.pool import Pool, ReplicaKind, attach_pool, start_pool
from gpu_actors.pools.replicas import ChunkerReplica, EmbedderReplica, ExpanderReplica, RerankerReplica
from gpu_actors.profiles import Profile, model_ids
from orchestration.errors import MedkgError

__all__ = ["Pools", "attached_pools", "started_pools"]

MODELS_A_GPU: Final = 6
"""Dense, sparse and rerank, and the same again beside them while models are swapped."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The actors of a plane; no expanders without a sparse model, no rerankers without a rerank model."""

    embedders: Pool[MicroBatch]
    expanders: Pool[MicroBatch] | None
    chunkers: Pool[list[int]]
    rerankers: Pool[MicroBatch] | None = None

    def by_name(self) -> dict[str, Pool[Any]]:
        """Those that there are."""
        found = {
            "embedders": self.embedders,
            "expanders": self.expanders,
            "rerankers": self.rerankers,
            "chunkers": self.chunkers,
        }
        return {name: pool for name, pool in found.items() if pool is not None}

    def health(self, seconds: float) -> dict[str, list[dict[str, Any]]]:
        """Every replica of every pool as it is now, all asked at once; of a silent one its `fault`."""
        pools = self.by_name()
        with ThreadPoolExecutor(len(pools)) as beside:
            told = beside.map(lambda pool: pool.health(seconds), pools.values())
            return dict(zip(pools, told, strict=True))


def started_pools(profile: Profile, seats: Seats, there: Mapping[str, Pool[Any]], seconds: float) -> Pools:
    """The profile's pools, loaded within `seconds`; those that are `there`, by name, are taken as they are.

    Raises what keeps one from loading, and then none of the new ones is left.
    """
    pools = _start_pools(profile, seats, there)
    try:
        for pool in pools.by_name().values():
            pool.wait_until_ready(seconds)
    except MedkgError:
        for pool in pools.by_name().values():
            if pool.name not in there:
                pool.end()
        raise
    return pools


def attached_pools(profile: Profile) -> Pools:
    """Those that another process keeps; raises PlaneUnavailableError when there are none."""
    names = _pool_names(profile)
    return Pools(
        attach_pool(names["embedder"]),
        attach_pool(names["expander"]) if "expander" in names else None,
        attach_pool(names["chunker"]),
        attach_pool(names["reranker"]) if "reranker" in names else None,
    )


def _start_pools(profile: Profile, seats: Seats, there: Mapping[str, Pool[Any]]) -> Pools:
    names = _pool_names(profile)
    share = 1 / MODELS_A_GPU if profile.device == "cuda" else 0.0

    def models(component: str, replica: type, lanes: int) -> Pool[Any]:
        kind = ReplicaKind(replica, profile, lanes, share)
        return there.get(names[component]) or start_pool(names[component], kind, seats.count, seats)

    chunker = ReplicaKind(ChunkerReplica, profile, 1)

    return Pools(
        models("embedder", EmbedderReplica, profile.dense_lanes),
        models("expander", ExpanderReplica, profile.lanes) if "expander" in names else None,
        there.get(names["chunker"])
        or start_pool(names["chunker"], chunker, profile.chunkers * seats.count, seats),
        models("reranker", RerankerReplica, profile.lanes) if "reranker" in names else None,
    )


def _pool_names(profile: Profile) -> dict[str, str]:
    """Names by component that differ where models or limits do, so that vectors of two models never mix."""
    ids = model_ids(profile)
    of_leg = {
        "embedder": ids["dense"],
        "expander": ids.get("sparse"),
        "chunker": ids["dense"],
        "reranker": rerank_model_id(profile),
    }
    return {
        component: f"{component}-{profile.name}-{model_id}"
        for component, model_id in of_leg.items()
        if model_id
    }
