"""Placement of replicas on a cluster: one bundle per GPU, or per node for the CPU, so none is used twice.

Input: a device and the number of replicas. Output: a Placement, which names the bundle of each replica's
number. On a cluster that scales, a request for more bundles than it has makes the autoscaler add nodes.
Source: https://docs.ray.io/en/latest/ray-core/scheduling/placement-group.html
"""

from __future__ import annotations

from typing import Literal

import ray
from ray.exceptions import GetTimeoutError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestration.errors import PlaneUnavailableError

__all__ = ["Placement", "place_replicas"]


class Placement:
    """Bundles of a placement group, reserved until this process ends."""

    def __init__(self, group: PlacementGroup) -> None:
        self._group = group
        self.count = len(group.bundle_specs)

    def strategy(self, number: int) -> PlacementGroupSchedulingStrategy:
        """Where the replica of that number runs; replicas of several models share a bundle."""
        return PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=number % self.count)


def place_replicas(device: Literal["cpu", "cuda"], wanted: int | None, seconds: float) -> Placement:
    """Reserve `wanted` bundles, or one per GPU (for the CPU: per node) that the cluster has now.

    Raises PlaneUnavailableError when they are not free within `seconds`.
    """
    resource = "GPU" if device == "cuda" else "CPU"
    present = _count(resource)
    places = "GPUs" if device == "cuda" else "nodes with CPUs"
    count = wanted or max(1, present)
    # On CPUs at most one replica of a model per node, and none of a node that died; GPUs wherever they are.
    strategy = "SPREAD" if device == "cuda" else "STRICT_SPREAD"
    group = placement_group([{resource: 1.0}] * count, strategy=strategy)
    try:
        ray.get(group.ready(), timeout=seconds)
    except GetTimeoutError as error:
        remove_placement_group(group)
        raise PlaneUnavailableError(
            f"the cluster has {present} {places}, some perhaps in use, and {count} replicas of each model "
            f"were requested; they could not be placed in {seconds:g} s. Set MEDKG_REPLICAS lower, or see "
            "`ray status`."
        ) from error
    return Placement(group)


def _count(resource: str) -> int:
    """GPUs of the cluster, or nodes with a CPU."""
    totals = [node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return int(sum(totals)) if resource == "GPU" else sum(total >= 1 for total in totals)
