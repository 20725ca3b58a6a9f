"""Topology to Dagster job: one op a stage, typed by what the stages take and give, and one commit.

Comes in: a validated topology and the signatures of its stages. Leaves: a JobDefinition whose ops only
say which stage to run; the work is done by `WindowRuns`, which assembly puts together.
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

from orchestration.artifacts import VALUE_TYPES, WindowBatch
from orchestration.dagster.names import (
    PIPELINE_VERSION_TAG,
    TOPOLOGY_HASH_TAG,
    WINDOW_TAG,
    op_name,
)
from orchestration.topology.graph import StageNode, TopologyGraph

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


def _window_type(kind: str) -> DagsterType:
    def holds(_: object, value: object) -> bool:
        return isinstance(value, WindowBatch) and value.kind == kind

    return DagsterType(
        holds,
        name=f"Window_{kind}",
        description=f"A window's documents, each with a value of type {VALUE_TYPES[kind]}.",
    )


WINDOW_TYPES: Mapping[str, DagsterType] = {kind: _window_type(kind) for kind in VALUE_TYPES}


def compile_job(graph: TopologyGraph, resources: Mapping[str, ResourceDefinition | Any]) -> JobDefinition:
    """The Dagster job of a topology: ops `<stage>_op`, then `commit_op` over every sink."""
    ops: list[OpDefinition] = [
        _first_op(graph, node) if node.is_source else _stage_op(graph, node) for node in graph.nodes
    ]
    commit = _commit_op(graph)
    dependencies: dict[NodeInvocation, dict[str, DependencyDefinition]] = {
        _invoked(graph, op_name(node.name)): _dependencies(node) for node in graph.nodes
    }
    dependencies[_invoked(graph, "commit_op")] = {
        sink.name: DependencyDefinition(op_name(sink.name)) for sink in graph.sinks
    }
    topology = graph.topology
    return GraphDefinition(
        name=topology.job,
        description=topology.description,
        node_defs=[*ops, commit],
        dependencies=dependencies,
    ).to_job(
        name=topology.job,
        resource_defs=dict(resources),
        executor_def=in_process_executor,
        tags={PIPELINE_VERSION_TAG: topology.version, TOPOLOGY_HASH_TAG: graph.content_hash},
    )


def _defined(graph: TopologyGraph, name: str) -> str:
    """An op's name as a definition, unique among all jobs of the code location."""
    return f"{graph.job}__{name}"


def _invoked(graph: TopologyGraph, name: str) -> NodeInvocation:
    """The op under its plain name, as the job's users know it: ingest_op, parse_op ..."""
    return NodeInvocation(_defined(graph, name), alias=name)


def _dependencies(node: StageNode) -> dict[str, DependencyDefinition]:
    wired = {f"after_{name}": DependencyDefinition(op_name(name)) for name in node.after}
    if node.takes_from is not None:
        wired["window"] = DependencyDefinition(op_name(node.takes_from.name))
    return wired


def _inputs(node: StageNode) -> dict[str, In]:
    ins = {f"after_{name}": In(Nothing) for name in node.after}
    if node.takes_from is not None:
        ins["window"] = In(WINDOW_TYPES[node.takes_from.gives], input_manager_key="artifacts")
    return ins


def _first_op(graph: TopologyGraph, node: StageNode) -> OpDefinition:
    topology = graph.topology

    @op(
        name=_defined(graph, op_name(node.name)),
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


def _stage_op(graph: TopologyGraph, node: StageNode) -> OpDefinition:
    pipeline = node.pipeline

    @op(
        name=_defined(graph, op_name(node.name)),
        ins=_inputs(node),
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


def _commit_op(graph: TopologyGraph) -> OpDefinition:
    sinks = [sink.name for sink in graph.sinks]

    @op(
        name=_defined(graph, "commit_op"),
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
