"""What a stage computes with: models, and the GPUs that they are on.

Comes in: steps of a topology. Leaves: ids of models, and readings of GPUs. Neither starts anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.contracts import GpuUse
from orchestration.errors import MedkgError

if TYPE_CHECKING:
    from orchestration.topology.graph import StageNode

__all__ = ["StageResources"]


class StageResources:
    """The resources of stages under one profile."""

    def __init__(
        self,
        model_ids: Callable[[], Mapping[str, str]],
        extractor_models: Callable[[StageNode], Mapping[str, str]],
        gpu_use: Callable[[float], Sequence[GpuUse]] | None,
    ) -> None:
        """`model_ids` are those of the index by leg. `gpu_use`: None for models that are not on GPUs here."""
        self._model_ids = model_ids
        self._extractor_models = extractor_models
        self._gpu_use = gpu_use

    def models(self, node: StageNode) -> dict[str, str]:
        """Ids of the models that shape the outputs of an embed or extract step; {} for others.

        A model that cannot be had is none: the step failed by the same error.
        """
        try:
            if node.step == "embed":
                return dict(self._model_ids())
            return dict(self._extractor_models(node)) if node.step == "extract" else {}
        except MedkgError:
            return {}

    def gpus(self, node: StageNode, since: float) -> tuple[GpuUse, ...]:
        """Use of the GPUs since a moment, for a step that computes with models on them."""
        computes = node.step in {"chunk", "embed", "extract"}
        return tuple(self._gpu_use(since)) if self._gpu_use is not None and computes else ()
