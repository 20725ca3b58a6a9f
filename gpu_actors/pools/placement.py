"""Seats: where replicas sit on a cluster, each GPU or each node without one, so that none is used twice.

Comes in: a device and how many seats are wanted. Leaves: a place for each replica's number. On a cluster that
scales, asking for more seats than there are has the autoscaler add nodes.
Source: https://docs.ray.io/en/latest/ray-core/scheduling/placement-group.html
"""

from __future__ import annotations

from typing import Literal

import ray
from ray.exceptions import GetTimeoutError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestration.errors import PlaneUnavailableError

__all__ = ["Seats", "take_seats"]


class Seats:
    """Places that are ours until `leave`, or until this process ends."""

    def __init__(self, group: PlacementGroup) -> None:
        self._group = group
        self.count = len(group.bundle_specs)

    def of(self, number: int) -> PlacementGroupSchedulingStrategy:
        """Where the replica of that number sits; several models share a seat."""
        return PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=number % self.count)

    def leave(self) -> None:
        """Give the places back; ends whatever sits there."""
        remove_placement_group(self._group)


def take_seats(device: Literal["cpu", "cuda"], wanted: int | None, seconds: float) -> Seats:
    """`wanted` seats, or as many as the cluster has now: GPUs, or nodes for the CPU.

    Raises PlaneUnavailableError when they are not free within `seconds`.
    """
    resource = "GPU" if device == "cuda" else "CPU"
    there = _there(resource)
    places = "GPUs" if device == "cuda" else "nodes with CPUs"
    count = wanted or max(1, there)
    # A node without GPUs gets one model at most, and none of a node that died; GPUs wherever they are.
    strategy = "SPREAD" if device == "cuda" else "STRICT_SPREAD"
    group = placement_group([{resource: 1.0}] * count, strategy=strategy)
    try:
        ray.get(group.ready(), timeout=seconds)
    except GetTimeoutError as error:
        remove_placement_group(group)
        raise PlaneUnavailableError(
            f"the cluster has {there} {places}, some perhaps taken, and {count} replicas of each model "
            f"were asked for; they found no place in {seconds:g} s. Ask for fewer in MEDKG_REPLICAS, or see "
            "`ray status`."
        ) from error
    return Seats(group)


def _there(resource: str) -> int:
    """GPUs of the cluster, or nodes with a CPU."""
    totals = [node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return int(sum(totals)) if resource == "GPU" else sum(total >= 1 for total in totals)
