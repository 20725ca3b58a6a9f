"""Topology to Dagster jobs: one op a stage, typed by what the stages take and give, and one commit.

Comes in: a validated topology. Leaves: a JobDefinition for each of its phases, whose ops only say which stage
to run; the work is done by `WindowRuns`, which assembly puts together. The job before a gate ends with
`hold_op` instead of the commit, and the one behind it begins with `resume_op` instead of a source.
"""

from collections.abc import Mapping
from typing import Any

from dagster import Array as DagsterArray
from dagster import (
    AssetMaterialization,
    DagsterType,
    DependencyDefinition,
    Field,
    GraphDefinition,
    In,
    JobDefinition,
    NodeInvocation,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    Output,
    ResourceDefinition,
    in_process_executor,
    op,
)

from orchestration.dagster.names import (
    HOLD_OP,
    PIPELINE_VERSION_TAG,
    RESUME_OP,
    TOPOLOGY_HASH_TAG,
    WINDOW_TAG,
    op_name,
)
from orchestration.runs.artifacts import VALUE_TYPES, WindowBatch
from orchestration.topology.graph import StageNode, TopologyGraph
from orchestration.topology.phases import Phase

RUNS = "window_runs"
"""Resource through which ops reach everything: `WindowRuns`."""

INGEST_CONFIG = {
    "window_id": Field(str, is_required=False, description="Window that was claimed for this run."),
    "source": Field(str, is_required=False, description="Or: a source plugin, e.g. files, to submit from."),
    "paths": Field(DagsterArray(str), is_required=False, description="Files and folders for the source."),
    "query": Field(str, is_required=False, description="Query for the source."),
    "limit": Field(int, is_required=False, description="At most so many documents."),
    "tenant": Field(str, is_required=False, description="Tenant; default: the data folder's setting."),
    "window": Field(int, is_required=False, description="Documents of one run."),
}
"""What the first op takes: a claimed window, or a request that it submits and takes a first window of."""

RESUME_CONFIG = {"window_id": Field(str, description="Window of documents that passed the gate.")}


def _window_type(kind: str) -> DagsterType:
    def holds(_: object, value: object) -> bool:
        return isinstance(value, WindowBatch) and value.kind == kind

    return DagsterType(
        holds,
        name=f"Window_{kind}",
        description=f"A window's documents, each with a value of type {VALUE_TYPES[kind]}.",
    )


WINDOW_TYPES: Mapping[str, DagsterType] = {kind: _window_type(kind) for kind in VALUE_TYPES}


def compile_jobs(
    graph: TopologyGraph, resources: Mapping[str, ResourceDefinition | Any]
) -> list[JobDefinition]:
    """The Dagster jobs of a topology, one a phase: ops `<stage>_op`, then `commit_op` over every sink.

    With a gate, the first ends with `hold_op` and the second, NAME_resume_job, begins with `resume_op`.
    """
    return [_job(graph, phase, resources) for phase in graph.phases]


def _job(
    graph: TopologyGraph, phase: Phase, resources: Mapping[str, ResourceDefinition | Any]
) -> JobDefinition:
    ops: list[OpDefinition] = []
    wired: dict[NodeInvocation, dict[str, DependencyDefinition]] = {}

    def add(name: str, definition: OpDefinition, dependencies: dict[str, DependencyDefinition]) -> None:
        ops.append(definition)
        # Under its plain name, as the job's users know it: ingest_op, parse_op ...
        wired[NodeInvocation(_defined(phase, name), alias=name)] = dependencies

    if phase.resumes is not None:
        add(RESUME_OP, _resume_op(graph, phase, phase.resumes), {})
    for node in phase.nodes:
        made = _first_op(graph, phase, node) if node.is_source else _stage_op(phase, node)
        add(op_name(node.name), made, _dependencies(phase, node))
    if phase.held is not None:
        held = {"window": DependencyDefinition(op_name(phase.held.name))}
        add(HOLD_OP, _hold_op(graph, phase, phase.held), held)
    else:
        receipts = {sink.name: DependencyDefinition(op_name(sink.name)) for sink in graph.sinks}
        add("commit_op", _commit_op(graph, phase), receipts)
    topology = graph.topology
    return GraphDefinition(
        name=phase.job, description=topology.description, node_defs=ops, dependencies=wired
    ).to_job(
        name=phase.job,
        resource_defs=dict(resources),
        executor_def=in_process_executor,
        tags={PIPELINE_VERSION_TAG: topology.version, TOPOLOGY_HASH_TAG: graph.content_hash},
    )


def _defined(phase: Phase, name: str) -> str:
    """An op's name as a definition, unique among all jobs of the code location."""
    return f"{phase.job}__{name}"


def _dependencies(phase: Phase, node: StageNode) -> dict[str, DependencyDefinition]:
    wired = {f"after_{name}": DependencyDefinition(op_name(name)) for name in _after(phase, node)}
    if node.takes_from is not None:
        resumed = node.takes_from is phase.resumes
        wired["window"] = DependencyDefinition(RESUME_OP if resumed else op_name(node.takes_from.name))
    return wired


def _after(phase: Phase, node: StageNode) -> list[str]:
    """The steps of this phase that must have ended first; those before the gate have."""
    return [name for name in node.after if any(one.name == name for one in phase.nodes)]


def _inputs(phase: Phase, node: StageNode) -> dict[str, In]:
    ins = {f"after_{name}": In(Nothing) for name in _after(phase, node)}
    if node.takes_from is not None:
        ins["window"] = In(WINDOW_TYPES[node.takes_from.gives], input_manager_key="artifacts")
    return ins


def _first_op(graph: TopologyGraph, phase: Phase, node: StageNode) -> OpDefinition:
    topology = graph.topology

    @op(
        name=_defined(phase, op_name(node.name)),
        out=Out(WINDOW_TYPES[node.gives], io_manager_key="artifacts"),
        config_schema=INGEST_CONFIG,
        required_resource_keys={RUNS},
        description=node.description,
    )
    def first(context: OpExecutionContext) -> WindowBatch:
        runs = context.resources.window_runs
        window_id = runs.claim(topology.name, dict(context.op_config))
        context.instance.add_run_tags(context.run_id, {WINDOW_TAG: window_id})
        batch: WindowBatch = runs.run_first_stage(topology.name, node.name, window_id)[0]
        return batch

    return first


def _stage_op(phase: Phase, node: StageNode) -> OpDefinition:
    pipeline = node.pipeline

    @op(
        name=_defined(phase, op_name(node.name)),
        ins=_inputs(phase, node),
        out=Out(WINDOW_TYPES[node.gives], io_manager_key="artifacts"),
        required_resource_keys={RUNS},
        description=node.description,
    )
    def stage(context: OpExecutionContext, window: WindowBatch) -> Any:
        runs = context.resources.window_runs
        context.instance.add_run_tags(context.run_id, {WINDOW_TAG: window.window_id})
        batch, report = runs.run_stage(pipeline, node.name, window)
        if node.gives == "index_receipt":
            rate = report.documents_out / report.seconds if report.seconds else 0.0
            yield AssetMaterialization(
                asset_key=["search_index", pipeline],
                description="Documents and chunks that this window wrote to the index stores.",
                metadata={
                    "documents": report.documents_out,
                    "chunks": report.items_out,
                    "seconds": report.seconds,
                    "documents_per_second": rate,
                    "window": window.window_id,
                },
            )
        yield Output(batch)

    return stage


def _hold_op(graph: TopologyGraph, phase: Phase, held: StageNode) -> OpDefinition:
    assert graph.gate is not None
    gate = graph.gate.name

    @op(
        name=_defined(phase, HOLD_OP),
        ins={"window": In(WINDOW_TYPES[held.gives], input_manager_key="artifacts")},
        out=Out(Nothing),
        required_resource_keys={RUNS},
        description=f"Has the window's documents wait at the gate {gate}; {graph.phases[1].job} goes on.",
    )
    def hold(context: OpExecutionContext, window: WindowBatch) -> None:
        waiting = context.resources.window_runs.hold(graph.topology.name, window)
        context.log.info(f"{waiting} documents wait at gate {gate}")

    return hold


def _resume_op(graph: TopologyGraph, phase: Phase, held: StageNode) -> OpDefinition:
    @op(
        name=_defined(phase, RESUME_OP),
        out=Out(WINDOW_TYPES[held.gives], io_manager_key="artifacts"),
        config_schema=RESUME_CONFIG,
        required_resource_keys={RUNS},
        description=f"Takes up what stage {held.name} gave before the gate.",
    )
    def resume(context: OpExecutionContext) -> WindowBatch:
        window_id = context.op_config["window_id"]
        context.instance.add_run_tags(context.run_id, {WINDOW_TAG: window_id})
        batch: WindowBatch = context.resources.window_runs.resume(graph.topology.name, window_id)
        return batch

    return resume


def _commit_op(graph: TopologyGraph, phase: Phase) -> OpDefinition:
    sinks = [sink.name for sink in graph.sinks]

    @op(
        name=_defined(phase, "commit_op"),
        ins={sink.name: In(WINDOW_TYPES[sink.gives], input_manager_key="artifacts") for sink in graph.sinks},
        out=Out(Nothing),
        required_resource_keys={RUNS},
        description="Makes the window's documents visible: one ledger transaction after every sink wrote.",
    )
    def commit(context: OpExecutionContext, **receipts: WindowBatch) -> None:
        runs = context.resources.window_runs
        committed = runs.commit(graph.topology.name, {name: receipts[name] for name in sinks})
        context.log.info(f"{committed} documents committed")

    return commit
