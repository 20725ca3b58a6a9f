"""Phases of a topology: one without a gate; with a gate, the steps up to it and those behind it.

Comes in: a topology's steps in order and its gate. Leaves: its phases, each of them a Dagster job; or an
error when the gate does not divide the steps into those before and those behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.formats.yaml_source import YamlSource, closest
from orchestration.topology.models import GateDefinition, PipelineTopologyConfig
from orchestration.topology.nodes import StageNode

__all__ = ["Phase", "check_gate", "phases_of"]


@dataclass(frozen=True, slots=True)
class Phase:
    """The steps of one Dagster job of a topology."""

    job: str
    nodes: tuple[StageNode, ...]
    resumes: StageNode | None
    """Step whose output waited at the gate and starts this phase; None: a source starts it."""
    held: StageNode | None
    """Step whose output waits at the gate and ends this phase; None: the commit ends it."""


def phases_of(topology: PipelineTopologyConfig, nodes: Sequence[StageNode]) -> tuple[Phase, ...]:
    """The phases of a topology that `check_gate` has accepted."""
    if not topology.gates:
        return (Phase(topology.job, tuple(nodes), None, None),)
    behind = _behind(topology.gates[0], nodes)
    held = _resumed(topology.gates[0], nodes).takes_from
    return (
        Phase(topology.job, tuple(node for node in nodes if node.name not in behind), None, held),
        Phase(_resume_job(topology.job), tuple(node for node in nodes if node.name in behind), held, None),
    )


def check_gate(
    source: YamlSource,
    topology: PipelineTopologyConfig,
    nodes: Sequence[StageNode],
    positions: Mapping[str, int],
) -> None:
    """Check that the gate divides the steps in two, and that a step before it can open it."""
    for gate in topology.gates:
        place = ("gates", 0, "resume_stage")
        if gate.resume_stage not in positions:
            raise source.error(
                place,
                f"gate {gate.name!r} resumes at {gate.resume_stage!r}, which is not a stage; "
                f"stages: {', '.join(positions)}.{closest(gate.resume_stage, list(positions))}",
            )
        held = _resumed(gate, nodes).takes_from
        if held is None:
            raise source.error(
                place, f"gate {gate.name!r} resumes at the first stage, so nothing could ever open it."
            )
        behind = _behind(gate, nodes)
        _check_division(source, gate, nodes, behind, held)
        _check_earned(source, gate, nodes, behind)


def _check_division(
    source: YamlSource,
    gate: GateDefinition,
    nodes: Sequence[StageNode],
    behind: frozenset[str],
    held: StageNode,
) -> None:
    """Check that no path bypasses the gate: the output of one step waits, and all others follow from it."""
    for node in nodes:
        taken = node.takes_from
        past = node.name in behind and taken is not None and taken is not held and taken.name not in behind
        before = node.name not in behind and node is not held and not _leads_to(node, held)
        if past or before:
            raise source.error(
                ("gates", 0, "resume_stage"),
                f"gate {gate.name!r} resumes at {gate.resume_stage!r}, but stage {node.name!r} is reached "
                f"past it. Have every stage after {held.name!r} follow {gate.resume_stage!r}.",
            )


def _check_earned(
    source: YamlSource, gate: GateDefinition, nodes: Sequence[StageNode], behind: frozenset[str]
) -> None:
    earned = {field for node in nodes if node.name not in behind for field in (*node.earns, *node.asks_for)}
    for field, wanted in gate.conditions.items():
        if wanted and field not in earned:
            raise source.error(
                ("gates", 0, "conditions", field),
                f"gate {gate.name!r} asks for {field}, which no stage before {gate.resume_stage!r} makes "
                "true: a stage of type download earns pdf_downloaded, one of type pdf-ir pdf_ir_ready.",
            )


def _resumed(gate: GateDefinition, nodes: Sequence[StageNode]) -> StageNode:
    return next(node for node in nodes if node.name == gate.resume_stage)


def _behind(gate: GateDefinition, nodes: Sequence[StageNode]) -> frozenset[str]:
    """The resumed step and all steps that follow it, by `takes_from` or `after`."""
    behind = {gate.resume_stage}
    for node in nodes:  # in the order in which they run
        taken = {node.takes_from.name} if node.takes_from is not None else set()
        if behind & {*taken, *node.after}:
            behind.add(node.name)
    return frozenset(behind)


def _leads_to(node: StageNode, held: StageNode) -> bool:
    """Whether the held output depends on this step's."""
    step: StageNode | None = held
    while step is not None and step is not node:
        step = step.takes_from
    return step is not None


def _resume_job(job: str) -> str:
    """pdf_two_phase_job -> pdf_two_phase_resume_job."""
    return f"{job.removesuffix('_job')}_resume_job"
