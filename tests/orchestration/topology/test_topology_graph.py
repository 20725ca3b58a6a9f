"""An invalid topology is refused with file, line, cause and the valid values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import Branch
from orchestration.errors import DagsterPipelineConfigError
from orchestration.formats.yaml_source import parse_yaml
from orchestration.runs.artifacts import VALUE_TYPES
from orchestration.topology.graph import SIGNATURES, StageNode, TopologyGraph, build_graph
from orchestration.topology.models import PipelineTopologyConfig
from tests.orchestration.topology.topology_files import (
    INSTALLED,
    LINE,
    PDF_LINE,
    POLICIES,
    Folder,
    a_topology,
)

ErrorOf = Callable[[str], str]


def built(text: str) -> TopologyGraph:
    source = parse_yaml(text.encode(), Path("auto.yaml"), DagsterPipelineConfigError)
    return build_graph(source, INSTALLED, POLICIES)


def step(graph: TopologyGraph, name: str) -> StageNode:
    return next(node for node in graph.nodes if node.name == name)


def test_steps_have_the_order_in_which_they_run_whatever_their_order_in_the_file() -> None:
    steps = "".join(reversed(LINE.splitlines(keepends=True)))
    graph = built(a_topology(steps))
    assert [node.name for node in graph.nodes] == ["ingest", "parse", "chunk", "embed", "index"]
    assert [node.name for node in graph.sinks] == ["index"]


def test_a_step_has_its_input_and_output() -> None:
    graph = built(a_topology())
    chunk = step(graph, "chunk")
    assert (chunk.takes, chunk.gives, chunk.policy, chunk.stage_type) == (
        "document",
        "chunks",
        "default",
        "chunk",
    )
    assert chunk.takes_from is step(graph, "parse")
    assert step(graph, "ingest").is_source


def test_the_job_is_named_after_the_topology_unless_the_file_says_otherwise() -> None:
    assert built(a_topology()).job == "auto_job"
    assert built(a_topology(head="\njob: auto_pipeline_job")).job == "auto_pipeline_job"


def test_every_kind_on_an_edge_can_be_kept_as_an_artifact() -> None:
    kinds = {signature.gives for signature in SIGNATURES.values()}
    assert kinds <= set(VALUE_TYPES)


def test_a_branch_ends_in_a_separate_sink() -> None:
    graph = built(
        a_topology(
            LINE
            + "  - {name: extract, type: extract, takes_from: parse, optional: true}\n"
            + "  - {name: kg, type: kg, takes_from: extract, after: [index]}\n"
        )
    )
    assert {sink.name for sink in graph.sinks} == {"index", "kg"}
    assert step(graph, "kg").after == ("index",)


@pytest.mark.parametrize(
    ("stages", "line", "says"),
    [
        pytest.param(
            "  - {name: ingest, type: ingest}\n  - {name: chunk, type: chunk, takes_from: ingest}\n",
            6,
            ["'chunk' (chunk) takes document, but 'ingest' (ingest) gives payloads", "give document: none"],
            id="types that do not fit",
        ),
        pytest.param(
            LINE.replace("takes_from: ingest", "takes_from: ingset"),
            6,
            ["waits for 'ingset'", "ingest, parse, chunk", "Did you mean 'ingest'?"],
            id="dangling edge",
        ),
        pytest.param(
            LINE.replace("{name: parse, type: parse,", "{name: parse, type: parse, after: [indx],"),
            6,
            ["waits for 'indx'", "Did you mean 'index'?"],
            id="dangling order",
        ),
        pytest.param(
            LINE.replace(", takes_from: ingest", ""),
            6,
            ["'parse' (parse) takes payloads but has no takes_from", "give payloads: ingest"],
            id="no input",
        ),
        pytest.param(
            LINE.replace("type: ingest}", "type: ingest, takes_from: index}"),
            5,
            ["'ingest' (ingest) starts the topology; remove its takes_from"],
            id="source with input",
        ),
        pytest.param(
            LINE + "  - {name: ingest_more, type: ingest}\n",
            10,
            ["exactly one stage of type ingest", "2 (ingest, ingest_more)"],
            id="two sources",
        ),
        pytest.param(
            LINE + "  - {name: parse, type: parse, takes_from: ingest}\n",
            10,
            ["'parse' occurs twice in stages, first on line 6"],
            id="name twice",
        ),
        pytest.param(
            LINE.replace("policy: gpu-bound", "policy: gpu-bond"),
            8,
            ["policy 'gpu-bond'", "default, gpu-bound, polite-api", "Did you mean 'gpu-bound'?"],
            id="unknown policy",
        ),
        pytest.param(
            LINE.replace("type: chunk,", "type: chunk, uses: chonk,"),
            7,
            ["uses 'chonk', which is not installed", "available: chunk, download, embed", "medkg.stages"],
            id="unknown implementation",
        ),
        pytest.param(
            LINE.replace("type: chunk,", "type: chunks,"),
            7,
            ["'stages[2].type' is 'chunks'", "'chunk'"],
            id="unknown type",
        ),
        pytest.param(
            "  - {name: ingest, type: ingest}\n  - {name: parse, type: parse, takes_from: ingest}\n",
            6,
            ["nothing takes the document that 'parse' gives", "index, kg"],
            id="work that is lost",
        ),
        pytest.param(
            LINE.replace("takes_from: parse}", "takes_from: parse, optional: true}"),
            7,
            ["'chunk' is optional and every sink depends on an optional stage"],
            id="nothing required",
        ),
        pytest.param(
            LINE.replace("{name: chunk,", "{name: commit,"), 7, ["'commit' is reserved"], id="reserved name"
        ),
    ],
)
def test_an_invalid_topology_is_refused_with_its_line(
    error_of: ErrorOf, stages: str, line: int, says: list[str]
) -> None:
    message = error_of(a_topology(stages))
    assert message.startswith(f"auto.yaml:{line}: ")
    for part in says:
        assert part in message


def test_a_cycle_is_refused_and_named(error_of: ErrorOf) -> None:
    steps = LINE.replace("type: parse,", "type: parse, after: [embed],")
    message = error_of(a_topology(steps))
    assert "wait for each other in a cycle" in message
    for edge in ("parse -> chunk", "chunk -> embed", "embed -> parse"):
        assert edge in message


GATE = "gates:\n  - {name: pdf, conditions: {pdf_ir_ready: true}, resume_stage: parse}\n"


def test_a_gate_names_a_step_to_resume_at(error_of: ErrorOf, folder: Folder) -> None:
    folder.write(a_topology(PDF_LINE, gates=GATE))
    assert folder.loader.load("auto").topology.gates[0].conditions == {"pdf_ir_ready": True}
    assert "auto.yaml:12: gate 'pdf' resumes at 'pars'" in error_of(
        a_topology(PDF_LINE, gates=GATE.replace("stage: parse", "stage: pars"))
    )
    assert "resumes at the first stage" in error_of(
        a_topology(PDF_LINE, gates=GATE.replace("stage: parse", "stage: ingest"))
    )


def test_a_gate_divides_a_topology_into_two_jobs() -> None:
    before, after = built(a_topology(PDF_LINE, gates=GATE)).phases
    assert [node.name for node in before.nodes] == ["ingest", "pdf_ir"]
    assert [node.name for node in after.nodes] == ["parse", "chunk", "embed", "index"]
    assert (before.job, after.job) == ("auto_job", "auto_resume_job")
    assert before.held is not None
    assert before.held is after.resumes
    assert before.held.name == "pdf_ir"


def test_without_a_gate_a_topology_is_one_phase() -> None:
    (phase,) = built(a_topology()).phases
    assert phase.nodes == built(a_topology()).nodes
    assert (phase.held, phase.resumes) == (None, None)


def test_no_path_may_bypass_a_gate(error_of: ErrorOf) -> None:
    past = PDF_LINE + "  - {name: extract, type: extract, takes_from: parse}\n"
    past += "  - {name: kg, type: kg, takes_from: extract}\n"
    gate = GATE.replace("stage: parse", "stage: chunk")
    assert "stage 'extract' is reached past it" in error_of(a_topology(past, gates=gate))


def test_a_gate_on_a_field_that_no_step_before_it_makes_true_is_refused(error_of: ErrorOf) -> None:
    gate = GATE.replace("pdf_ir_ready", "pdf_downloaded")
    message = error_of(a_topology(PDF_LINE, gates=gate))
    assert "asks for pdf_downloaded, which no stage before 'parse' makes true" in message


def test_a_topology_with_two_gates_is_refused(error_of: ErrorOf) -> None:
    two = GATE + GATE.removeprefix("gates:\n").replace("name: pdf", "name: more")
    assert "gates" in error_of(a_topology(PDF_LINE, gates=two))


def test_a_gate_that_polls_slower_than_it_times_out_is_refused(error_of: ErrorOf) -> None:
    gate = GATE.replace("stage: parse", "stage: parse, timeout_seconds: 5")
    message = error_of(a_topology(PDF_LINE, gates=gate))
    assert "poll_interval_seconds (10) is longer than timeout_seconds (5)" in message


def test_a_gate_on_an_unknown_ledger_field_is_refused(error_of: ErrorOf) -> None:
    assert "'pdf_ir_ready'" in error_of(a_topology(PDF_LINE, gates=GATE.replace("pdf_ir_ready", "pdf_redy")))


def shapes(graph: TopologyGraph) -> dict[Branch | None, str]:
    return {branch: graph.shape_hash(branch) for branch in (None, *Branch)}


def test_layout_and_comments_change_neither_hash() -> None:
    first, other = built(a_topology()), built("# a comment\n" + a_topology().replace("{name: ", "{  name:  "))
    assert (first.content_hash, shapes(first)) == (other.content_hash, shapes(other))


def test_a_policy_changes_the_content_but_not_what_shapes_outputs() -> None:
    first, other = built(a_topology()), built(a_topology().replace("gpu-bound", "default"))
    assert first.content_hash != other.content_hash
    assert shapes(first) == shapes(other)


def test_configuration_of_a_stage_shapes_outputs() -> None:
    configured = a_topology().replace("type: chunk,", "type: chunk, config: {profiles: {default: x}},")
    before, after = shapes(built(a_topology())), shapes(built(configured))
    assert before[Branch.INDEX] != after[Branch.INDEX]
    assert (before[None], before[Branch.GRAPH]) == (after[None], after[Branch.GRAPH])


@given(st.permutations(LINE.splitlines(keepends=True)))
def test_the_order_of_steps_in_the_file_changes_no_edge(lines: list[str]) -> None:
    graph = built(a_topology("".join(lines)))
    names: set[str] = set()
    for node in graph.nodes:
        assert node.takes_from is None or node.takes_from.name in names
        names.add(node.name)
    assert shapes(graph) == shapes(built(a_topology()))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_a_file_holds_it_is_a_topology_or_a_configuration_error(stages: object) -> None:
    text = json.dumps({"name": "auto", "version": "2026-11-23", "description": "x", "stages": stages})
    try:
        built(text)
    except DagsterPipelineConfigError as error:
        assert str(error).startswith("auto.yaml:1: ")


def test_the_model_itself_is_strict() -> None:
    fields = PipelineTopologyConfig.model_json_schema()
    for model in (fields, *fields["$defs"].values()):
        assert model["additionalProperties"] is False
        assert all("description" in field for field in model["properties"].values())
