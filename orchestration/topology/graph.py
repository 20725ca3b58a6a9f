"""Validates a topology and orders its steps.

Comes in: the content of a topology file, the installed stages and the policies. Leaves: a TopologyGraph, or
an error that names file and line: a cycle, an unknown stage, policy or step, an edge between unlike types, a
step whose output nothing uses. Steps are ordered by dependencies, else as in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final

from orchestration.contracts import Branch
from orchestration.formats.yaml_source import Place, YamlSource, closest, validate
from orchestration.topology.models import (
    GateDefinition,
    GateField,
    PipelineTopologyConfig,
    StageDefinition,
    StageType,
)
from orchestration.topology.nodes import StageNode
from orchestration.topology.phases import Phase, check_gate, phases_of

__all__ = ["SIGNATURES", "Signature", "StageNode", "TopologyGraph", "build_graph"]


@dataclass(frozen=True, slots=True)
class Signature:
    """Input and output of a step of one type; kinds are those of runs.artifacts.VALUE_TYPES."""

    takes: str | None
    gives: str
    earns: tuple[GateField, ...] = ()
    """Ledger fields that become true for the documents that the step passes on."""
    asks_for: tuple[GateField, ...] = ()
    """Ledger fields that become true later, when a process has done the work that the step queues."""


SIGNATURES: Final[Mapping[StageType, Signature]] = {
    "ingest": Signature(None, "payloads"),
    "download": Signature("payloads", "payloads", earns=("pdf_downloaded",)),
    "pdf-ir": Signature("payloads", "payloads", asks_for=("pdf_ir_ready",)),
    "parse": Signature("payloads", "document"),
    "ir-validation": Signature("document", "document"),
    "chunk": Signature("document", "chunks"),
    "embed": Signature("chunks", "embeddings"),
    "index": Signature("embeddings", "index_receipt"),
    "extract": Signature("document", "extraction"),
    "kg": Signature("extraction", "graph_receipt"),
}
"""Inputs and outputs of the stage protocols of orchestration.contracts."""

RECEIPTS: Final = frozenset({"index_receipt", "graph_receipt"})
"""Outputs of steps that write to stores; only the commit takes them."""


@dataclass(frozen=True, slots=True)
class TopologyGraph:
    """A valid topology: its steps in the order in which they run."""

    topology: PipelineTopologyConfig
    nodes: tuple[StageNode, ...]
    sinks: tuple[StageNode, ...]
    """Steps that write to stores; the commit waits for all of them."""
    content_hash: str
    """sha256 hex of the file's data, without comments and layout."""
    phases: tuple[Phase, ...]
    """One per Dagster job, in the order in which a document passes them."""

    def shape_hash(self, branch: Branch | None) -> str:
        """sha256 hex of the fields that shape a branch; None: those of the parsed document, before both.

        Steps, implementations, edges and their configuration. Part of documents' fingerprints: a new policy
        or description does not cause them to be processed again.
        """
        return _shape_hash(node for node in self.nodes if node.branch is branch)

    @property
    def parsed_by(self) -> StageNode | None:
        """The step that keeps parsed documents, the last one of medkg's own; None: they are not kept."""
        keeping = [node for node in self.nodes if node.stage_type == "ir-validation"]
        return keeping[-1] if keeping else None

    @property
    def name(self) -> str:
        return self.topology.name

    @property
    def version(self) -> str:
        return self.topology.version

    @property
    def job(self) -> str:
        return self.topology.job

    @property
    def fills_graph(self) -> bool:
        """Whether it commits no document without mentions and claims: a kg stage that nothing lets fail."""
        return any(node.step == "kg" and not self.is_optional(node) for node in self.nodes)

    def is_optional(self, sink: StageNode) -> bool:
        """Whether documents are committed without what this sink writes: a step on the way to it may fail."""
        return any(step.optional for step in _line(sink))

    @property
    def gate(self) -> GateDefinition | None:
        """The gate between the two phases; None for a topology of one phase."""
        return self.topology.gates[0] if self.topology.gates else None


def build_graph(
    source: YamlSource, implementations: Collection[str], policies: Collection[str]
) -> TopologyGraph:
    """Check a topology file; raises DagsterPipelineConfigError naming the file and the line."""
    topology = validate(source, PipelineTopologyConfig)
    _check_names(source, topology)
    for index, stage in enumerate(topology.stages):
        _check_known(source, ("stages", index), stage, implementations, policies)
    positions = {stage.name: index for index, stage in enumerate(topology.stages)}
    _check_edges(source, topology, positions)
    order = _ordered(source, topology, positions)
    nodes = _nodes(topology, order)
    _check_ends(source, topology, nodes, positions)
    check_gate(source, topology, nodes, positions)
    sinks = tuple(node for node in nodes if node.gives in RECEIPTS)
    return TopologyGraph(
        topology=topology,
        nodes=nodes,
        sinks=sinks,
        content_hash=_hash(topology.model_dump(mode="json")),
        phases=phases_of(topology, nodes),
    )


# --- checks ----------------------------------------------------------------------------------------


def _check_names(source: YamlSource, topology: PipelineTopologyConfig) -> None:
    parts = {
        "stages": [stage.name for stage in topology.stages],
        "gates": [gate.name for gate in topology.gates],
    }
    for part, names in parts.items():
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            if name in first:
                line = source.line_of((part, first[name], "name"))
                raise source.error(
                    (part, index, "name"),
                    f"{name!r} occurs twice in {part}, first on line {line}; use unique names.",
                )
            first[name] = index


def _check_known(
    source: YamlSource,
    place: Place,
    stage: StageDefinition,
    implementations: Collection[str],
    policies: Collection[str],
) -> None:
    if stage.implementation not in implementations:
        available = sorted(implementations)
        raise source.error(
            (*place, "uses" if stage.uses else "type"),
            f"stage {stage.name!r} uses {stage.implementation!r}, which is not installed; available: "
            f"{', '.join(available) or 'none'}.{closest(stage.implementation, available)} "
            "Install the package that provides it (entry point group medkg.stages).",
        )
    if stage.policy not in policies:
        available = sorted(policies)
        raise source.error(
            (*place, "policy"),
            f"stage {stage.name!r} has policy {stage.policy!r}, which resilience.yaml does not define; it "
            f"defines {', '.join(available) or 'none'}.{closest(stage.policy, available)}",
        )


def _check_edges(source: YamlSource, topology: PipelineTopologyConfig, positions: Mapping[str, int]) -> None:
    for index, stage in enumerate(topology.stages):
        for place, name in _edges(index, stage):
            if name not in positions:
                raise source.error(
                    place,
                    f"stage {stage.name!r} waits for {name!r}, which is not a stage of this topology; "
                    f"its stages: {', '.join(positions)}.{closest(name, list(positions))}",
                )
        _check_types(source, topology, index, positions)
    sources = [stage.name for stage in topology.stages if SIGNATURES[stage.type].takes is None]
    if len(sources) != 1:
        named = f"{len(sources)} ({', '.join(sources)})" if sources else "none"
        last = positions[sources[-1]] if sources else 0
        raise source.error(
            ("stages", last), f"a topology has exactly one stage of type ingest; this one has {named}."
        )


def _check_types(
    source: YamlSource, topology: PipelineTopologyConfig, index: int, positions: Mapping[str, int]
) -> None:
    stage = topology.stages[index]
    place = ("stages", index, "takes_from")
    takes = SIGNATURES[stage.type].takes
    if takes is None:
        if stage.takes_from is not None:
            raise source.error(
                place, f"stage {stage.name!r} ({stage.type}) starts the topology; remove its takes_from."
            )
        return
    suppliers = [
        other.name
        for other in topology.stages
        if SIGNATURES[other.type].gives == takes and other is not stage
    ]
    valid = f"Stages that give {takes}: {', '.join(suppliers) or 'none'}."
    if stage.takes_from is None:
        raise source.error(
            place, f"stage {stage.name!r} ({stage.type}) takes {takes} but has no takes_from. {valid}"
        )
    supplier = topology.stages[positions[stage.takes_from]]
    gives = SIGNATURES[supplier.type].gives
    if gives != takes:
        raise source.error(
            place,
            f"stage {stage.name!r} ({stage.type}) takes {takes}, but {supplier.name!r} ({supplier.type}) "
            f"gives {gives}. {valid}",
        )


def _ordered(
    source: YamlSource, topology: PipelineTopologyConfig, positions: Mapping[str, int]
) -> tuple[StageDefinition, ...]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for index, stage in enumerate(topology.stages):
        sorter.add(stage.name, *(name for _, name in _edges(index, stage)))
    try:
        names = tuple(sorter.static_order())
    except CycleError as error:
        path: list[str] = error.args[1]
        raise source.error(
            ("stages", positions[path[-1]]),
            f"the stages wait for each other in a cycle: {' -> '.join(path)}. Remove one of these edges.",
        ) from error
    return tuple(topology.stages[positions[name]] for name in names)


def _check_ends(
    source: YamlSource,
    topology: PipelineTopologyConfig,
    nodes: tuple[StageNode, ...],
    positions: Mapping[str, int],
) -> None:
    """Check that each last step writes to a store, and that one does without optional steps before it."""
    taken = {node.takes_from.name for node in nodes if node.takes_from is not None}
    for node in nodes:
        if node.name not in taken and node.gives not in RECEIPTS:
            raise source.error(
                ("stages", positions[node.name]),
                f"nothing takes the {node.gives} that {node.name!r} gives, so its work is lost; a topology "
                "ends with stages that write to a store (index, kg).",
            )
    if not any(node.gives in RECEIPTS and not any(step.optional for step in _line(node)) for node in nodes):
        first = next(index for index, stage in enumerate(topology.stages) if stage.optional)
        raise source.error(
            ("stages", first, "optional"),
            f"{topology.stages[first].name!r} is optional and every sink depends on an optional stage, so a "
            "document could be committed with nothing written; keep one path to a sink without any.",
        )


# --- building --------------------------------------------------------------------------------------


def _edges(index: int, stage: StageDefinition) -> Iterator[tuple[Place, str]]:
    if stage.takes_from is not None:
        yield ("stages", index, "takes_from"), stage.takes_from
    for number, name in enumerate(stage.after):
        yield ("stages", index, "after", number), name


def _nodes(topology: PipelineTopologyConfig, order: tuple[StageDefinition, ...]) -> tuple[StageNode, ...]:
    nodes: dict[str, StageNode] = {}
    for stage in order:
        signature = SIGNATURES[stage.type]
        nodes[stage.name] = StageNode(
            name=stage.name,
            stage_type=stage.implementation,
            step=stage.type,
            pipeline=topology.name,
            takes_from=nodes[stage.takes_from] if stage.takes_from is not None else None,
            after=stage.after,
            takes=signature.takes,
            gives=signature.gives,
            earns=signature.earns,
            asks_for=signature.asks_for,
            description=stage.description,
            policy=stage.policy,
            optional=stage.optional,
            config=stage.config,
        )
    return tuple(nodes.values())


def _line(node: StageNode) -> Iterator[StageNode]:
    """The step and those before it by `takes_from`, back to the source."""
    step: StageNode | None = node
    while step is not None:
        yield step
        step = step.takes_from


def _shape_hash(nodes: Iterable[StageNode]) -> str:
    return _hash(
        [
            [node.name, node.step, node.stage_type, node.takes_from and node.takes_from.name, node.config]
            for node in sorted(nodes, key=lambda node: node.name)
        ]
    )


def _hash(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
