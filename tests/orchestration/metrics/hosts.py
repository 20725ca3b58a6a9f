"""Statuses of hosts, also of one with GPUs, which machines of developers lack."""

from __future__ import annotations

from orchestration.contracts.host import ChildHealth, ChildState, HostStatus


def a_device(index: int = 0, **fields: object) -> dict[str, object]:
    """A reading as gpu_actors/health/gpu.py makes it."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100",
        "compute_capability": (9, 0),
        "total_gib": 80.0,
        "free_gib": 20.0,
        "utilisation": 91,
        "temperature": 88,
        "slowed_by": ("heat (driver)",),
        "ecc_errors": 1,
        "fault": None,
        **fields,
    }


def a_status(*, with_gpu: bool = False) -> HostStatus:
    """A host with a worker at work, one idle, and an embedder."""
    devices = [a_device()] if with_gpu else []
    replica = {"pid": 7, "fault": "GPU 0: heat" if with_gpu else None, "devices": devices}
    return HostStatus(
        pid=1,
        kept=True,
        profile="cpu",
        plane="ready",
        plane_health={"embedder": [replica], "batch_tokens": 4096},
        workers=[{"pid": 2, "run": "r"}, {"pid": 3, "run": None}],
        children=(
            ChildHealth(name="daemon", pid=4, state=ChildState.RUNNING),
            ChildHealth(name="webserver", pid=None, state=ChildState.FAILED, restarts=3, problem="ended"),
        ),
    )
