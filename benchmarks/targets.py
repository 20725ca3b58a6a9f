"""What is promised, on which profile, and which promises a result keeps. Source: design, figures to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["TARGETS", "Target", "Verdict", "judged"]

GPU: Final = ("gpu", "gpu-large")
EVERY: Final = ("cpu", *GPU)


@dataclass(frozen=True, slots=True)
class Target:
    """One bound on one figure, named by its path within a case's figures."""

    case: str
    figure: str
    kind: Literal["at least", "at most"]
    bound: float
    profiles: tuple[str, ...]

    def kept_by(self, value: float) -> bool:
        return value >= self.bound if self.kind == "at least" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.case}: {self.figure} {self.kind} {self.bound:g}"


TARGETS: Final = (
    Target("dense", "plane_to_raw", "at least", 0.95, EVERY),
    Target("sparse", "plane_to_raw", "at least", 0.95, EVERY),
    Target("sparse", "plane_to_sparse_encoder", "at least", 2.0, EVERY),
    Target("dense", "plane_to_sentence_transformers", "at least", 3.0, ("cpu",)),
    Target("dense", "plane_to_sentence_transformers_bf16", "at least", 1.3, ("cpu",)),
    Target("extraction_quality", "registry.mentions_f1", "at least", 1.0, EVERY),
    Target("extraction_quality", "registry.relations_f1", "at least", 1.0, EVERY),
    Target("extraction", "plane_to_pipeline", "at least", 5.0, ("cpu",)),
    Target("extraction", "plane_to_raw", "at least", 0.9, EVERY),
    Target("extraction_quality", "encoder.mentions_f1", "at least", 0.95, EVERY),
    Target("faults", "lost", "at most", 0, EVERY),
    Target("faults", "doubled", "at most", 0, EVERY),
    Target("faults", "orphans", "at most", 0, EVERY),
    Target("launch", "hot.share_outside_the_model", "at most", 0.15, ("cpu",)),
    Target("launch", "extraction_cost", "at most", 1.6, ("cpu",)),
    Target("launch", "hot.docs_per_second", "at least", 100.0, GPU),
    Target("scale", "cpu_last_to_first_third", "at most", 1.25, EVERY),
    Target("handoff", "at_80_percent.p95_ms", "at most", 500.0, GPU),
    Target("vectors", "recall_at_10", "at least", 0.95, EVERY),
    Target("vectors", "rate_to_bare", "at least", 0.9, EVERY),
    Target("search", "under_ingest.p95_ms", "at most", 500.0, EVERY),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target that holds for the profile, and what was measured; None: its case did not run."""

    target: Target
    value: float | None

    @property
    def kept(self) -> bool:
        return self.value is not None and self.target.kept_by(self.value)

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.target}: not measured"
        return f"{self.target}: {self.value:g}, {'kept' if self.kept else 'MISSED'}"


def judged(cases: Mapping[str, Mapping[str, Any]], profile: str) -> list[Verdict]:
    """Every target of the profile with its figure; a target whose case was not measured is not kept."""
    return [
        Verdict(target, _figure(cases.get(target.case), target.figure))
        for target in TARGETS
        if profile in target.profiles
    ]


def _figure(figures: Mapping[str, Any] | None, path: str) -> float | None:
    figure: Any = figures
    for name in path.split("."):
        if not isinstance(figure, Mapping) or name not in figure:
            return None
        figure = figure[name]
    return float(figure) if isinstance(figure, int | float) else None
