"""Topology to Dagster jobs: one op per stage, typed by what the stage takes and gives, and one commit.

Input: a validated topology. Output: a JobDefinition for each of its phases, whose ops only name the stage to
run; `WindowRuns`, which assembly constructs, does the work. The job before a gate ends with `hold_op` instead
of the commit, and the job behind it starts with `resume_op` instead of a source.
"""

from collections.abc import Mapping
from typing import Any

from dagster import Array as DagsterArray
from dagster import (
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
from dagster._core.storage.tags import COMPUTE_KIND_TAG

from orchestration.dagster.links import run_links
from orchestration.dagster.names import (
    HOLD_OP,
    JOB_TAG,
    JOB_TAG_LENGTH,
    RESUME_OP,
    TOPOLOGY_TAG,
    WINDOW_TAG,
    op_name,
)
from orchestration.dagster.reports import (
    account_evaluation,
    commit_events,
    graph_counts,
    index_counts,
    job_metadata,
    stage_events,
    stage_metadata,
)
from orchestration.runs.artifacts import VALUE_TYPES, WindowBatch
from orchestration.topology.graph import StageNode, TopologyGraph
from orchestration.topology.phases import Phase

RUNS = "window_runs"
"""Resource that runs stages and commits: `WindowRuns`."""
LEDGER = "job_ledger"
"""Resource that knows a job's account."""

IN_WORKER = {COMPUTE_KIND_TAG: "python"}
ON_PLANE = {COMPUTE_KIND_TAG: "ray"}
"""Labels of an op in the UI: where its work is done."""
PLANE_STAGES = ("chunk", "embed")
"""Shipped stage types that call the plane's actors."""

INGEST_CONFIG = {
    "window_id": Field(str, is_required=False, description="Window that was claimed for this run."),
    "source": Field(str, is_required=False, description="Or: source plugin to submit from, e.g. files."),
    "paths": Field(DagsterArray(str), is_required=False, description="Files and folders for the source."),
    "query": Field(str, is_required=False, description="Query for the source."),
    "limit": Field(int, is_required=False, description="Maximum number of documents."),
    "mirror": Field(
        bool, is_required=False, description="Also remove documents that are gone from there, without asking."
    ),
    "tenant": Field(str, is_required=False, description="Tenant; default: the data folder's setting."),
    "window": Field(int, is_required=False, description="Maximum number of documents per run."),
}
"""Config of the first op: a claimed window, or a request that the op submits, to work on its first window."""

RESUME_CONFIG = {"window_id": Field(str, description="Window of documents that passed the gate.")}


def _window_type(kind: str) -> DagsterType:
    def holds(_: object, value: object) -> bool:
        return isinstance(value, WindowBatch) and value.kind == kind

    return DagsterType(
        holds,
        name=f"Window_{kind}",
        description=f"The documents of a window, each with a value of type {VALUE_TYPES[kind]}.",
    )


WINDOW_TYPES: Mapping[str, DagsterType] = {kind: _window_type(kind) for kind in VALUE_TYPES}


def compile_jobs(
    graph: TopologyGraph, resources: Mapping[str, ResourceDefinition | Any]
) -> list[JobDefinition]:
    """The Dagster jobs of a topology, one per phase: ops `<stage>_op`, then `commit_op` over every sink.

    With a gate, the first ends with `hold_op` and the second, NAME_resume_job, starts with `resume_op`.
    """
    return [_job(graph, phase, resources) for phase in graph.phases]


def _job(
    graph: TopologyGraph, phase: Phase, resources: Mapping[str, ResourceDefinition | Any]
) -> JobDefinition:
    ops: list[OpDefinition] = []
    wired: dict[NodeInvocation, dict[str, DependencyDefinition]] = {}

    def add(name: str, definition: OpDefinition, dependencies: dict[str, DependencyDefinition]) -> None:
        ops.append(definition)
        # the alias is the name that users of the job know: ingest_op, parse_op ...
        wired[NodeInvocation(_defined(phase, name), alias=name)] = dependencies

    if phase.resumes is not None:
        add(RESUME_OP, _resume_op(graph, phase, phase.resumes), {})
    for node in phase.nodes:
        definition = _first_op(graph, phase, node) if node.is_source else _stage_op(graph, phase, node)
        add(op_name(node.name), definition, _dependencies(phase, node))
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
        tags={TOPOLOGY_TAG: f"{topology.name}@{topology.version}"},
        metadata={"topology_version": topology.version, "topology_hash": graph.content_hash},
    )


def _defined(phase: Phase, name: str) -> str:
    """Name of an op's definition, unique among all jobs of the code location."""
    return f"{phase.job}__{name}"


def _dependencies(phase: Phase, node: StageNode) -> dict[str, DependencyDefinition]:
    wired = {f"after_{name}": DependencyDefinition(op_name(name)) for name in _after(phase, node)}
    if node.takes_from is not None:
        resumed = node.takes_from is phase.resumes
        wired["window"] = DependencyDefinition(RESUME_OP if resumed else op_name(node.takes_from.name))
    return wired


def _after(phase: Phase, node: StageNode) -> list[str]:
    """Steps of this phase that must have ended first; those before the gate have."""
    names = {other.name for other in phase.nodes}
    return [name for name in node.after if name in names]


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
        tags=ON_PLANE if node.stage_type in PLANE_STAGES else IN_WORKER,
    )
    def first(context: OpExecutionContext) -> WindowBatch:
        runs = context.resources.window_runs
        window_id = runs.claim(topology.name, dict(context.op_config))
        # before the stage runs: if it fails, the sensor hands back the documents of the tagged window
        _tag(context, WINDOW_TAG, window_id)
        batch: WindowBatch
        batch, report = runs.run_first_stage(topology.name, node.name, window_id)
        _tag(context, JOB_TAG, batch.job_id[:JOB_TAG_LENGTH])
        links = run_links(runs.settings, window_id, batch.job_id)
        context.add_output_metadata({**stage_metadata(node, report), "job": batch.job_id, **links})
        return batch

    return first


def _stage_op(graph: TopologyGraph, phase: Phase, node: StageNode) -> OpDefinition:
    pipeline = node.pipeline
    last_check = [other.name for other in graph.nodes if other.gives == "document"][-1:]

    @op(
        name=_defined(phase, op_name(node.name)),
        ins=_inputs(phase, node),
        out=Out(WINDOW_TYPES[node.gives], io_manager_key="artifacts"),
        required_resource_keys={RUNS},
        description=node.description,
        tags=ON_PLANE if node.stage_type in PLANE_STAGES else IN_WORKER,
    )
    def stage(context: OpExecutionContext, window: WindowBatch) -> Any:
        runs = context.resources.window_runs
        _tag(context, WINDOW_TAG, window.window_id)
        batch, report = runs.run_stage(pipeline, node.name, window)
        yield from stage_events(node, report, keeps_documents=node.name in last_check)
        yield Output(batch, metadata=stage_metadata(node, report))

    return stage


def _tag(context: OpExecutionContext, name: str, value: str) -> None:
    """Tag the run, unless it was created with the tag: a run that the UI or a schedule launched was not."""
    if value and context.run.tags.get(name) != value:
        context.instance.add_run_tags(context.run_id, {name: value})


def _hold_op(graph: TopologyGraph, phase: Phase, held: StageNode) -> OpDefinition:
    assert graph.gate is not None
    gate = graph.gate.name

    @op(
        name=_defined(phase, HOLD_OP),
        ins={"window": In(WINDOW_TYPES[held.gives], input_manager_key="artifacts")},
        out=Out(Nothing),
        required_resource_keys={RUNS, LEDGER},
        tags=IN_WORKER,
        description=f"Holds the window's documents at gate {gate}; {graph.phases[1].job} resumes them.",
    )
    def hold(context: OpExecutionContext, window: WindowBatch) -> Any:
        waiting = context.resources.window_runs.wait_at_gate(graph.topology.name, window)
        context.log.info(f"{waiting} documents wait at gate {gate}")
        metadata = {"waiting": waiting}
        if window.job_id:
            summary = context.resources.job_ledger.jobs.account(window.job_id)
            yield account_evaluation(graph.topology.name, summary)
            metadata |= job_metadata(summary)
        yield Output(None, metadata=metadata)

    return hold


def _resume_op(graph: TopologyGraph, phase: Phase, held: StageNode) -> OpDefinition:
    @op(
        name=_defined(phase, RESUME_OP),
        out=Out(WINDOW_TYPES[held.gives], io_manager_key="artifacts"),
        config_schema=RESUME_CONFIG,
        required_resource_keys={RUNS},
        tags=IN_WORKER,
        description=f"Loads what stage {held.name} gave before the gate.",
    )
    def resume(context: OpExecutionContext) -> WindowBatch:
        window_id = context.op_config["window_id"]
        _tag(context, WINDOW_TAG, window_id)
        runs = context.resources.window_runs
        batch: WindowBatch = runs.resume(graph.topology.name, window_id)
        links = run_links(runs.settings, window_id, batch.job_id)
        context.add_output_metadata({"resumed": len(batch.items), "job": batch.job_id, **links})
        return batch

    return resume


def _commit_op(graph: TopologyGraph, phase: Phase) -> OpDefinition:
    sinks = [sink.name for sink in graph.sinks]
    index = next(sink.name for sink in graph.sinks if sink.gives == "index_receipt")
    name = graph.topology.name

    @op(
        name=_defined(phase, "commit_op"),
        ins={sink.name: In(WINDOW_TYPES[sink.gives], input_manager_key="artifacts") for sink in graph.sinks},
        out=Out(Nothing),
        required_resource_keys={RUNS, LEDGER},
        tags=IN_WORKER,
        description="Makes the window's documents visible: one ledger transaction after every sink wrote.",
    )
    def commit(context: OpExecutionContext, **receipts: WindowBatch) -> Any:
        runs = context.resources.window_runs
        committed = runs.commit(name, {sink: receipts[sink] for sink in sinks})
        context.log.info(f"{committed} documents committed")
        batch = receipts[index]
        metadata = {"committed": committed, **index_counts(batch)}
        for sink in receipts.values():
            metadata |= graph_counts(sink) if sink.kind == "graph_receipt" else {}
        if batch.job_id:
            summary = context.resources.job_ledger.jobs.account(batch.job_id)
            yield from commit_events(name, receipts, committed, summary)
            metadata |= job_metadata(summary)
        yield Output(None, metadata=metadata)

    return commit
